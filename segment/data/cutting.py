"""Cutting of a scene and its mask into a tile folder, by row strips."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.label_layers import LabelLayers, stack_labels
from segment.annotations.label_source import open_mask_of_scene
from segment.annotations.vector_labels import VectorLabels
from segment.core.disk import writable
from segment.core.errors import InputError, counted
from segment.core.labels.classes import IGNORED, ClassTable, load_class_table, save_class_table
from segment.core.labels.mask_values import decode_values
from segment.core.labels.masks import Mask
from segment.core.outputs import staged
from segment.core.progress import Progress, printed_note
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.nodata import Nodata, check_nodata
from segment.core.raster.opening import open_raster
from segment.core.raster.reader import Raster
from segment.data.masks.census import census_of_rows
from segment.data.masks.reading import choose_reading
from segment.tiling import TilePlan, cut_strip, tile_starts


@dataclass(frozen=True)
class CutScene:
    """What was cut from a scene.

    Attributes:
        folder: The tile folder.
        tiles: Number of tiles written.
        empty: Number of tiles left out because they hold too few pixels of a class.
        notes: Notes on the scene and the labels, as commands print them.
        labelled: Share of the pixels of the tiles written that have a class, 0 to 1.
    """

    folder: Path
    tiles: int
    empty: int
    notes: Sequence[str] = ()
    labelled: float = 1.0

    def __str__(self) -> str:
        cut = (
            f"{self.folder}: {counted(self.tiles, 'tile')} written, {self.empty} left out without"
            f" enough labels; {self.labelled:.1%} of the pixels written are labelled"
        )
        return "\n".join([*self.notes, cut])


def cut_scene(  # noqa: PLR0913 - public, its parameters are options
    scene: Path | str,
    mask: Path | str | VectorLabels | Sequence[VectorLabels],
    output: Path | str,
    size: int = 256,
    overlap: float = 0.0,
    *,
    classes: Path | str | None = None,
    min_labelled: float = 0.0,
    nodata: Nodata | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> CutScene:
    """Cuts a scene and its mask into a tile folder.

    GeoTIFF tiles are written to `output`/images and `output`/masks. One strip of `size` rows is in
    memory at a time. Masks are cut as they are stored, how to read them is decided by all that they
    hold (see `choose_reading`), and the class table that is written has the values of that
    reading. Where a mask does not cover the scene, the mask band of its tile leaves the pixels out.

    Args:
        scene: Image to cut: GeoTIFF or whatever GDAL reads.
        mask: Class values or colours of the same ground, or labels drawn as polygons, lines and
            points. Of several labels the last is on top, as corrections are on earlier labels.
        output: Folder to write.
        size: Edge of a tile, pixels.
        overlap: Fraction of the tile edge shared with the neighbour, 0 to below 1; the last row and
            column shift inward.
        classes: Class table (YAML) by which pixels are ignored, written beside the tiles; by
            default classes.yaml beside the mask. Vector labels need none: by default the values
            of their field are the classes.
        min_labelled: Share of a tile's pixels that must have a class, 0 to 1. With 0, one pixel
            is enough.
        nodata: Value, or range (lowest, highest), that means "no data" in all bands of the scene,
            in addition to what the file declares.
        overwrite: Whether an earlier output may be replaced.
        progress: Where progress is reported.

    Returns:
        The numbers of tiles written and left out, and notes on the mask.

    Raises:
        InputError: If the mask does not fit the scene, the scene is smaller than a tile, every tile
            is empty, `overlap` or `min_labelled` is out of range, the labels cannot be used, or
            `output` exists and `overwrite` is not set.
    """
    scene, output = Path(scene), Path(output)
    if not 0 <= min_labelled <= 1:
        raise InputError(f"--min-labelled is a share from 0 to 1. Received {min_labelled:g}.")
    with (
        open_raster(scene, nodata=check_nodata(nodata)) as raster,
        staged(output, overwrite, ("images", "masks", "classes.yaml")) as folder,
        _open_labels(mask, raster, classes) as labels,
    ):
        raster.info.require_colors()
        step = TilePlan(raster.height, raster.width, size, overlap).step
        if min(raster.width, raster.height) < size:
            raise InputError(
                f"{scene}: scene is {raster.width}x{raster.height}, smaller than a tile of {size}."
                " Lower --size."
            )
        remarks = [*raster.notes, *filter(None, [raster.undeclared_nodata()])]
        notes = [*(printed_note(note, str(scene)) for note in remarks), *labels.notes]
        for name in ("images", "masks"):
            (folder / name).mkdir(parents=True)
        if labels.class_table:
            save_class_table(labels.class_table, folder / "classes.yaml")
        descriptions = raster.descriptions
        names = [descriptions[band - 1] for band in raster.bands]
        written = empty = labelled = 0
        for row, column, pixels, valid, stored, declared in _tiles(
            raster, labels.mask, size, step, progress
        ):
            known = valid & declared
            if labels.class_table:
                known &= decode_values(stored, labels.class_table)[0] != IGNORED
            count = np.count_nonzero(known)
            if count == 0 or count < min_labelled * known.size:
                empty += 1
                continue
            name = f"r{row:06}_c{column:06}.tif"
            _write_tile(folder / "images" / name, pixels, valid, raster, row, column, names)
            _write_tile(folder / "masks" / name, stored, declared, raster, row, column)
            written, labelled = written + 1, labelled + count
        if not written:
            raise InputError(
                f"{scene}: none of {empty} tiles holds enough pixels of a class. Check the classes,"
                " or lower --min-labelled."
            )
    return CutScene(output, written, empty, notes, labelled / (written * size * size))


@dataclass(frozen=True)
class _Labels:
    """What is cut along with a scene.

    Attributes:
        mask: The open mask, or labels that are read like one.
        class_table: Class table written beside the tiles, None for none.
        notes: Notes and warnings, as commands print them.
    """

    mask: Mask | LabelLayers
    class_table: ClassTable | None
    notes: Sequence[str]


@contextmanager
def _open_labels(
    labels: Path | str | VectorLabels | Sequence[VectorLabels],
    scene: Raster,
    classes: Path | str | None,
) -> Iterator[_Labels]:
    """Opens a mask or vector labels on the grid of a scene."""
    if not isinstance(labels, Path | str):
        table = None if classes is None else load_class_table(Path(classes))
        vectors = [labels] if isinstance(labels, VectorLabels) else labels
        burned = stack_labels(vectors, scene, table)
        made = [] if table else [f"classes of the field: {', '.join(burned.class_table.names)}"]
        notes = [*(f"note: {note}" for note in burned.notes), *made]
        yield _Labels(burned, burned.class_table, notes)
        return
    file = Path(classes) if classes is not None else Path(labels).parent / "classes.yaml"
    class_table = load_class_table(file) if classes is not None or file.is_file() else None
    cure = "Name it with --labels, and the field of their classes with --field NAME"
    with open_mask_of_scene(Path(labels), scene, cure) as mask:
        notes = mask.alignment.lines(str(labels), "scene")
        if class_table is not None:
            reading = choose_reading(class_table, census_of_rows(mask))
            class_table = reading.class_table
            notes += [f"warning: {refusal}" for refusal in reading.refusals] + reading.lines
        yield _Labels(mask, class_table, notes)


def _tiles(
    scene: Raster, mask: Mask | LabelLayers, size: int, step: int, progress: Progress | None
) -> Iterator[tuple[int, int, NDArray[Any], NDArray[np.bool_], NDArray[Any], NDArray[np.bool_]]]:
    """Yields row, column, pixels, valid, mask and declared of each tile.

    Pixels are (size, size, bands), the mask is (size, size, 1, 3 or 4). Both flags are (size,
    size): `valid` is False where the scene is nodata, `declared` is False where the mask is
    declared nodata.
    """
    rows = tile_starts(scene.height, size, step)
    for done, row in enumerate(rows, 1):
        pixels, valid = scene.read(row, height=size)
        images = cut_strip(pixels, size, step)
        labels_strip = mask.read(row, size)
        declared = np.ones(valid.shape, bool)
        if isinstance(labels_strip, np.ma.MaskedArray):
            declared = ~np.asarray(labels_strip.mask)[..., 0]
        masks = cut_strip(np.asarray(labels_strip), size, step)
        for (column, image), (_, labels) in zip(images, masks, strict=True):
            tile = slice(None), slice(column, column + size)
            yield row, column, image, valid[tile], labels, declared[tile]
        if progress:
            progress.advance("cutting", done, len(rows))


def _write_tile(
    path: Path,
    pixels: NDArray[Any],
    valid: NDArray[np.bool_],
    scene: Raster,
    row: int,
    column: int,
    names: Sequence[str | None] = (),
) -> None:
    import rasterio
    from rasterio import Affine

    profile = {
        "driver": "GTiff",
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "count": pixels.shape[2],
        "dtype": pixels.dtype,
        "crs": scene.crs,
        "transform": scene.transform @ Affine.translation(column, row),
        "compress": "deflate",
    }
    if pixels.shape[2] > 3:
        profile["photometric"] = "minisblack"  # or a fourth band of 8 bits would be alpha
    with (
        writable(path, space=2 * pixels.nbytes),
        without_warnings(),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **profile) as file,
    ):
        file.write(pixels.transpose(2, 0, 1))
        if any(names):
            file.descriptions = names
        if not valid.all():
            file.write_mask(valid)
