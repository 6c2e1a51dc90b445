"""How a model sees a scene: whether they fit together, at which pixel size, and in which tiles."""

from collections.abc import Generator
from dataclasses import dataclass, replace

from segment.annotations.areas import Area
from segment.core.choices import TILE
from segment.core.errors import InputError, MisfitError, counted
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model
from segment.core.pixels.band_names import COLORS
from segment.core.raster.opening import resampled_size
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.mapping.area_tiles import Region, limited, wanted_tiles
from segment.mapping.loop import Watch, map_window
from segment.mapping.options import ViewOptions
from segment.mapping.regrid import regrid, seen_window
from segment.merging import RowStrip
from segment.tile_window import Window
from segment.tiling import TilePlan

_GDAL_TYPES = {
    "uint16": "UInt16",
    "int16": "Int16",
    "float32": "Float32",
    "float64": "Float64",
}


@dataclass(frozen=True)
class ModelView:
    """A scene as a model sees it.

    Attributes:
        source: The scene, with the factor by which it is resampled.
        plan: Positions of its tiles.
        augment: Whether predictions are averaged over the eight flips and quarter turns.
        area: What is mapped of a region, None for all of it.
    """

    source: Source
    plan: TilePlan
    augment: bool
    area: Area | None = None

    @classmethod
    def of(
        cls,
        source: Source,
        raster: Raster,
        info: ModelInfo,
        options: ViewOptions,
        factor: float,
        area: Area | None = None,
    ) -> "ModelView":
        """Plans how a model sees a scene.

        Args:
            source: The scene as it is opened.
            raster: The same, open on its own grid.
            info: Description of the model.
            options: How the model sees it.
            factor: Pixels that the model sees in place of one of the scene, along each axis.
            area: What is mapped of it, None for all.

        Returns:
            The view.

        Raises:
            InputError: If the model cannot take tiles of the size that `options` asks for.
        """
        plan = plan_tiles(raster, info, options.tile, options.overlap, factor)
        return cls(replace(source, factor=factor), plan, options.augment, area)

    def map_region(
        self,
        raster: Raster,
        region: Region,
        model: Model,
        *,
        rows: int = 256,
        batch_size: int | None = None,
        watch: Watch | None = None,
    ) -> Generator[RowStrip, None, None]:
        """Maps a region of the scene on its own grid.

        The map of a region equals the same part of the whole map, bit for bit. Outside the area it
        is not valid, and tiles that lie outside are neither read nor predicted.

        Args:
            raster: The scene, open on its own grid.
            region: Part to map; nothing where it has no rows.
            model: Network in use.
            rows: Rows read at a time.
            batch_size: Tiles predicted at a time; by default what suits the model.
            watch: What follows the map.

        Returns:
            Row strips from the top of the region to its bottom; reading begins with the first.

        Raises:
            InputError: If the scene cannot be read to its end, or the output of the network is
                wrong.
        """
        if region[0] == region[1]:
            nothing: list[RowStrip] = []
            return (strip for strip in nothing)
        is_resampled = self.source.factor != 1
        window = (
            seen_window(self.plan, raster, *region) if is_resampled else Window(self.plan, *region)
        )
        if watch and is_resampled:
            watch = replace(watch, photograph=None)
        strips = map_window(
            self.source,
            window,
            model,
            augment=self.augment,
            rows=rows,
            batch_size=batch_size,
            watch=watch,
            wanted=wanted_tiles(self.area, window, region, raster),
        )
        if is_resampled:
            strips = regrid(strips, window, raster, *region)
        return limited(strips, self.area, region)


def check_scene(raster: Raster, info: ModelInfo) -> None:
    """Checks that a model takes the bands and pixels of a scene.

    Args:
        raster: The open scene.
        info: Description of the model.

    Raises:
        MisfitError: If it does not.
    """
    bands, dtype = len(raster.bands), raster.dtype.name
    cures = []
    is_wide_palette = raster.info.has_palette and dtype != "uint8"
    if raster.info.has_palette:
        cures.append(
            "leave --bands out: the colours of the palette are then read"
            if info.bands == len(COLORS) and not is_wide_palette
            else "turn its palette into colours: gdal_translate -expand rgb IN OUT"
        )
    elif bands > info.bands:
        first = ",".join(str(b + 1) for b in range(info.bands))
        names = info.wanted_bands.names
        cures.append(
            f"give the numbers of {', '.join(names)}, in this order, with --bands"
            if names
            else f"name those to use, e.g. --bands {first}"
        )
    elif bands < info.bands:
        grey = ", read one of them as grey: --bands 1,1,1" if info.bands == len(COLORS) else ""
        cures.append(
            f"take a scene with {counted(info.bands, 'band')}{grey}, or train a model on {bands}"
        )
    if dtype != info.dtype and not (
        is_wide_palette
        or (info.dtype.startswith("float") and dtype in ("float32", "float64"))
        or (info.dtype == "uint8" and bands != info.bands)  # scaled once its bands are right
    ):
        cures.append(
            "choose another --scale: auto brings its pixels to 8 bits"
            if info.dtype == "uint8"
            else f"convert it: gdal_translate -ot {_GDAL_TYPES.get(info.dtype, info.dtype)} -scale"
            f" MIN MAX {info.range[0]:g} {info.range[1]:g} IN OUT"
        )
    if cures:
        reason = "" if raster.choice.bands else "".join(f" {n}" for n in raster.choice.notes)
        received = counted(len(set(raster.bands)), "band")
        raise MisfitError(
            f"{raster.path}: the model maps {counted(info.bands, 'band')} of {info.dtype}. "
            f"Received {received} of {dtype}.{reason} To cure it, {'; and '.join(cures)}."
        )


def plan_tiles(
    raster: Raster, info: ModelInfo, tile: int | None, overlap: float, factor: float = 1.0
) -> TilePlan:
    """Plans the tiles of a scene.

    Tiles lie in the grid of the scene's CRS, so that maps of overlapping scenes agree.

    Args:
        raster: The scene, open on its own grid.
        info: Description of the model.
        tile: Edge of a tile in pixels, see `choose_tile`.
        overlap: Fraction of the tile edge shared with its neighbour, 0 to below 1.
        factor: Factor with which the scene is opened for the model.

    Returns:
        The positions of the tiles on the grid that the model sees.

    Raises:
        InputError: If the model cannot take tiles of this size, or `overlap` is out of range.
    """
    height, width = resampled_size(raster.height, raster.width, factor)
    row, column = raster.grid_position(height, width)
    edge = choose_tile(info, tile, max(height, width))
    return TilePlan(
        height, width, edge, overlap, 1 if info.fixed_tile else info.multiple, row, column
    )


def choose_tile(info: ModelInfo, tile: int | None = None, longest: int = TILE) -> int:
    """Chooses the tile edge to map with.

    Args:
        info: Description of the model.
        tile: Edge in pixels that is asked for; by default the fastest, or less for a smaller scene.
        longest: Longer side of the scene in pixels.

    Returns:
        The edge in pixels.

    Raises:
        InputError: If the model cannot take tiles of the size that is asked for.
    """
    if info.fixed_tile:
        if tile not in (None, info.tile):
            raise InputError(
                f"{info.name} takes tiles of {info.tile} pixels only. Received {tile}. Leave --tile"
                " out."
            )
        return info.tile
    if tile is None:
        return -(-min(TILE, longest) // info.multiple) * info.multiple
    if tile < 1 or tile % info.multiple:
        near = max(round(tile / info.multiple), 1) * info.multiple
        raise InputError(
            f"{info.name} takes tiles of a multiple of {info.multiple} pixels. Received {tile}."
            f" Choose {near}."
        )
    return tile
