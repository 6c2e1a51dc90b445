"""Open rasters before their pixels are read: bands, place, orientation, identity."""

import os
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from segment.core.disk import file_stamp, sample_file
from segment.core.raster.alpha import AlphaUse, alpha_bands, describe_use, spectral_bands
from segment.core.raster.bands import BandChoice
from segment.core.raster.georeference import fit_control_points, read_projection
from segment.core.raster.grid import PixelGrid
from segment.core.raster.info import RasterInfo, common_type, require_bands, require_pixel_size
from segment.core.raster.nodata import Nodata
from segment.core.raster.orientation import UPRIGHT, Orientation, read_orientation
from segment.core.raster.subdatasets import further_pictures
from segment.core.raster.virtual import files_behind


class RasterHeader(PixelGrid):
    """An open raster as its header describes it.

    `height` and `width` are those of the upright picture.

    Attributes:
        path: Path as it was given.
        bands: Numbers, from 1, of the bands in use. A band tagged as alpha is left out unless it is
            named or used as an ordinary band.
        dtype: Data type of the bands.
        nodata: Value or range that means "no data" in all bands, in addition to what the file
            declares; None for none.
        compared_nodata: What of `nodata` pixels are compared with; None where a mask hides it.
        alpha: Use of the alpha band, None where there is none.
        alpha_note: What to report of the alpha band, None for nothing.
        projection_note: What to report of a `.prj` file beside it, None for nothing.
        choice: Bands that were chosen for a model.
        orientation: How the picture is turned upright. A picture with a georeference is read as it
            is stored.
        declared_orientation: EXIF orientation that the file declares.
        dataset: The open rasterio dataset.
        alpha_bands: Numbers of the bands that are read as masks of all others, at most one.
        is_masked: Whether nodata values or mask bands hide pixels of the bands in use.
    """

    def __init__(
        self,
        dataset: Any,
        path: str,
        bands: Sequence[int] | None,
        nodata: Nodata | None,
        tagged: Sequence[int] = (),
        alpha: AlphaUse | None = None,
        stored: Any = None,
        choice: BandChoice | None = None,
    ):
        """Checks that the bands of a dataset can be read together.

        Args:
            dataset: An open rasterio dataset.
            path: Path by which messages name the raster.
            bands: Numbers, from 1, of the bands to read; None for all but alpha.
            nodata: Value or range that means "no data" in all bands, see `nodata`.
            tagged: Numbers of the bands that the file tags as alpha.
            alpha: Use of the tagged bands.
            stored: Dataset that `dataset` was resampled from, None where it was not.
            choice: Bands chosen for a model, where none were asked for.

        Raises:
            InputError: If a band does not exist, none is left besides alpha, the bands differ in
                type or are complex, or the transform gives pixels no size.
        """
        from rasterio.enums import MaskFlags

        # each property of a dataset walks over all bands, so none is read in a loop over them
        types, flags = dataset.dtypes, dataset.mask_flag_enums
        masks = [band for band in alpha_bands(dataset) if alpha == "mask" or band not in tagged]
        self.path, self.choice = path, choice or BandChoice()
        self.bands = tuple(bands or self.choice.bands or spectral_bands(dataset, tagged, alpha))
        require_bands(dataset, path, self.bands)
        self.dtype = common_type(path, {types[band - 1] for band in self.bands})
        require_pixel_size(path, dataset.transform)
        stored = stored or dataset
        self.declared_orientation = _declared_orientation(stored, path)
        is_placed = not stored.transform.is_identity or bool(stored.gcps[0])
        self.orientation = UPRIGHT if is_placed else self.declared_orientation
        crs, self.projection_note = dataset.crs, None
        if stored.crs is None and not stored.transform.is_identity:
            found, self.projection_note = read_projection(path)
            crs = found or crs
        size = self.orientation.size(dataset.height, dataset.width)
        super().__init__(*size, crs, dataset.transform)
        self.nodata = self.compared_nodata = nodata
        self.dataset = dataset
        self.alpha_bands = [band for band in masks[:1] if band not in self.bands]
        self.alpha, self.alpha_note = alpha, describe_use(alpha, tagged, self.bands, bool(bands))
        # an alpha band is read along with the bands, or masks nothing: its flag does not count here
        used = [flags[band - 1] for band in self.bands]
        self.is_masked = any(
            MaskFlags.all_valid not in found and MaskFlags.alpha not in found for found in used
        )

    @property
    def identity(self) -> list[Any]:
        """What distinguishes the raster from another one, or from its own state before a change.

        Files behind it (of a VRT or an archive, too) count by size and time of change; those that
        are not on this machine, by name only.
        """
        files = [[name, *file_stamp(name)] for name in files_behind(self.dataset)]
        georeference = [None if self.crs is None else self.crs.to_wkt(), *self.transform.to_gdal()]
        nodata = [repr(value) for value in (*self.dataset.nodatavals, self.nodata)]
        masks = [[flag.name for flag in flags] for flags in self.dataset.mask_flag_enums]
        turned = [f"orientation {self.orientation.number}"] if self.orientation != UPRIGHT else []
        alpha = [self.alpha] if self.alpha in ("band", "none") else []
        size = self.height, self.width
        return [
            self.path,
            files,
            *size,
            self.bands,
            self.dtype.name,
            georeference,
            nodata,
            masks,
            *turned,
            *alpha,
        ]

    @property
    def likeness(self) -> list[Any]:
        """What a copy on another machine has in common with the raster.

        This is `identity` without paths and times, and some of the content of its files.
        """
        _, files, *header = self.identity
        sizes = [size for _, *stamp in files for size in stamp[:1]]
        some = files[:: len(files) // 64 + 1]
        return [sizes, [sample_file(name) for name, *_ in some], *header]

    @property
    def block_bytes(self) -> int:
        """Bytes to decode at once to read a pixel."""
        pixels: int = max(height * width for height, width in self.dataset.block_shapes)
        return pixels * len(self.dataset.indexes) * self.dtype.itemsize

    @property
    def references(self) -> list[str]:
        """Metadata domains by which GDAL opens other files in any format.

        These are overviews and positions of pixels (geolocation arrays).
        """
        names = self.dataset.tag_namespaces()
        return [name for name in names if name.upper() in ("OVERVIEWS", "GEOLOCATION")]

    @property
    def placed_by(self) -> str | None:
        """What alone gives the position, if maps do not adopt it; None for nothing of the kind."""
        if self.crs is not None:
            return None
        points, terms = bool(self.dataset.gcps[0]), self.dataset.rpcs is not None
        return "control points" if points else "an RPC" if terms else None

    @property
    def orientation_note(self) -> str | None:
        """What to report of the EXIF orientation, None for nothing."""
        number = self.declared_orientation.number
        if self.orientation.number != 1:
            return (
                f"The picture is turned upright by its EXIF orientation {number}, to a grid of"
                f" {self.width} x {self.height}: programs that ignore EXIF see it turned."
            )
        return (
            f"The EXIF orientation {number} is ignored, as the picture has a georeference."
            if number != 1
            else None
        )

    @property
    def notes(self) -> list[str]:
        """What to report of how the raster is read.

        This concerns orientation, CRS, alpha, the choice of bands, and further images. The raster
        must be open.
        """
        others = further_pictures(self.path, self.dataset.subdatasets)
        first = (self.orientation_note, self.projection_note, self.alpha_note)
        return [note for note in (*first, *self.choice.notes, others) if note]

    def turned_by(self, orientation: Orientation) -> Self:
        """Returns the same raster with its stored pixels turned by another orientation.

        Args:
            orientation: How to turn the picture upright.

        Returns:
            The raster, open as long as this one.
        """
        other = copy(self)
        other.orientation = orientation
        other.height, other.width = orientation.size(self.dataset.height, self.dataset.width)
        return other

    @property
    def control_points(self) -> tuple[Any, ...]:
        """What places a raster without a transform: ground control points and the terms of an RPC.

        A point is (row, column, x, y, z). Empty for a raster with a transform.
        """
        if not self.transform.is_identity:
            return ()
        points = [(p.row, p.col, p.x, p.y, p.z) for p in self.dataset.gcps[0]]
        rpcs = self.dataset.rpcs
        return (*points, *([] if rpcs is None else sorted(rpcs.to_gdal().items())))

    @property
    def descriptions(self) -> tuple[str | None, ...]:
        """Names of all bands of the file, in its order; None for a band without a name."""
        return tuple(self.dataset.descriptions)

    @cached_property
    def ground(self) -> PixelGrid | None:
        """Position of the pixels on the ground, None where it is not known.

        It is given by the transform, or by ground control points that fit one to within a quarter
        of a pixel.
        """
        if not self.transform.is_identity:
            return self
        points, crs = self.dataset.gcps
        transform = fit_control_points(points)
        return None if transform is None else PixelGrid(self.height, self.width, crs, transform)

    @property
    def info(self) -> RasterInfo:
        """The header of the raster."""
        colors = tuple(c.name for c in self.dataset.colorinterp)
        size, place = (self.width, self.height, len(self.bands)), self.ground
        ground = place and PixelGrid(place.height, place.width, place.crs, place.transform)
        given = self.path, *size, self.dtype.name, colors, self.orientation, self.alpha
        return RasterInfo(*given, self.alpha_note, ground=ground)


def _declared_orientation(dataset: Any, path: str) -> Orientation:
    if os.path.isfile(path):
        return read_orientation(Path(path))
    # GDAL reports the tag for JPEGs that only GDAL can open
    found = dataset.tags().get("EXIF_Orientation", "")
    return Orientation(int(found)) if found in set("12345678") else UPRIGHT
