"""Opening of rasters, resampled if asked for."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Compression, MaskFlags, Resampling
from rasterio.vrt import WarpedVRT

from segment.core.errors import InputError, is_utf8, printable
from segment.core.pixels.band_scale import BandScale
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.alpha import AlphaUse, alpha_bands, choose_use, spectral_bands
from segment.core.raster.bands import BandChoice, WantedBands, choose_bands, listed
from segment.core.raster.grid import PixelGrid
from segment.core.raster.info import MOST_BANDS, RasterInfo, level_notes
from segment.core.raster.nodata import Nodata
from segment.core.raster.reader import Raster, readable
from segment.core.raster.virtual import (
    has_palette,
    with_colors_of_palette,
    with_nodata_masked,
    without_alpha_tags,
)

_HALF = 127
"""Level up to which an alpha band in JPEG hides: values ring around its edges, up to 16 pixels."""


@contextmanager
def open_raster(
    path: Path | str,
    bands: Sequence[int] | None = None,
    nodata: Nodata | None = None,
    factor: float = 1.0,
    driver: str | None = None,
    alpha: AlphaUse | None = None,
    expected: int | WantedBands | None = None,
    scale: BandScale | None = None,
) -> Iterator[Raster]:
    """Opens a raster for reading.

    Args:
        path: File, or what GDAL resolves by itself (a string).
        bands: Numbers, from 1, of the bands to read, in the order wanted; by default all but alpha.
            A palette has the bands 1 to 3, its colours, where more than band 1 is asked for.
        nodata: Value, or range of values, that means "no data" in all bands, in addition to what
            the file declares. Of a palette, it is an index.
        factor: Number of pixels to read in place of one along each axis. Below 1, pixels are means;
            above 1, they are interpolated. The raster then has `resampled_size`.
        driver: GDAL's name of the one format that the file may have, by default any. A file from an
            untrusted source may otherwise have a format that leads to other files, or to the
            network.
        alpha: Use of the alpha band, if there is one; by default it is decided from an overview,
            see `segment.core.raster.alpha`.
        expected: Bands that a model reads, see `choose_bands`; or their number alone, by which an
            alpha band that is no mask is left out where it would be one too many.
        scale: Scale that brings its pixels to 8 bits, None to leave them as they are.

    Yields:
        The open raster.

    Raises:
        InputError: If it cannot be opened, lacks a band, or has bands or a transform that cannot be
            used.
    """
    if not is_utf8(path):
        raise InputError(f"{printable(path)}: path is not UTF-8. Rename the file or folder.")
    # without a list of its folder, a file of thousands opens as fast as a single one
    listing = {"GDAL_DISABLE_READDIR_ON_OPEN": "TRUE"} if isinstance(path, Path) else {}
    with rasterio.Env(**_GDAL_OPTIONS, **listing), ExitStack() as stack:
        # Path.is_file raises for some names
        if isinstance(path, Path) and not os.path.isfile(path):
            problem = "is a folder, not a raster" if os.path.isdir(path) else "no such file"
            raise InputError(f"{path}: {problem}. Check the path.")
        with readable(path), without_warnings():
            dataset = stored = stack.enter_context(rasterio.open(path, driver=driver))
            if dataset.count > MOST_BANDS:
                raise InputError(
                    f"{path}: file declares {dataset.count:,} bands, at most {MOST_BANDS:,} are"
                    " read. Extract those to use: gdal_translate -b 1 -b 2 -b 3 IN OUT"
                )
            if dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION", "").startswith("SGILOG"):
                raise InputError(
                    f"{path}: stores logarithms of colours (LogLuv, as cv2.imwrite writes float32),"
                    " which are read as if they were the colours. Save it as a float TIFF with LZW"
                    " compression: cv2.imwrite(FILE, IMAGE, [cv2.IMWRITE_TIFF_COMPRESSION, 5])"
                )
            bands, choice, tagged, use = _choose(dataset, str(path), bands, alpha, expected)
            chosen = bands or choice.bands or spectral_bands(dataset, tagged, use)
            if isinstance(expected, WantedBands) and dataset.count:
                notes = level_notes(dataset, chosen, scale is not None)
                choice = replace(choice, notes=(*choice.notes, *notes))
            compared = nodata
            if max(chosen, default=1) in (2, 3) and has_palette(dataset):
                colors = with_colors_of_palette(dataset, nodata)
                dataset, compared = stack.enter_context(rasterio.open(colors)), None
            if factor != 1:
                if use in ("band", "none"):  # warping would use it as a mask
                    dataset = stack.enter_context(rasterio.open(without_alpha_tags(dataset)))
                declared = {*dataset.nodatavals} - {None, compared}
                if use != "mask" and (
                    isinstance(compared, tuple) or (compared is not None and declared)
                ):
                    masked = with_nodata_masked(dataset, chosen, compared)
                    if masked is not None:
                        dataset, compared = stack.enter_context(rasterio.open(masked)), None
                value = None if isinstance(compared, tuple) else compared
                dataset = stack.enter_context(_resample(dataset, factor, value))
        raster = Raster(dataset, str(path), bands, nodata, tagged, use, stored, choice)
        raster.compared_nodata = compared
        if stored.compression == Compression.jpeg:
            raster.transparent = _HALF
        yield raster if scale is None else raster.scaled(scale)


def _choose(
    dataset: Any,
    path: str,
    bands: Sequence[int] | None,
    alpha: AlphaUse | None,
    expected: int | WantedBands | None,
) -> tuple[Sequence[int] | None, BandChoice, list[int], AlphaUse | None]:
    """Chooses bands: those that are asked for, those chosen for a model, alpha bands, their use."""
    wanted = expected if isinstance(expected, WantedBands) else None
    notes: tuple[str, ...] = ()
    if wanted and wanted.if_present and bands and max(bands) > dataset.count:
        notes = (
            f"Warning: --bands {listed(bands)} does not apply, as the file has"
            f" {dataset.count} band{'' if dataset.count == 1 else 's'}: they are chosen by what the"
            " file states.",
        )
        bands = alpha = None
    tagged = alpha_bands(dataset)
    use = None
    if tagged:
        count = wanted.count if wanted else expected
        use = alpha or choose_use(dataset, path, tagged, bands, count)  # type: ignore[arg-type]
    choice = BandChoice()
    if wanted and not bands:
        choice = choose_bands(dataset, spectral_bands(dataset, tagged, use), wanted)
    return bands, BandChoice(choice.bands, (*notes, *choice.notes)), tagged, use


def _resample(dataset: Any, factor: float, nodata: float | None) -> Any:
    height, width = resampled_size(dataset.height, dataset.width, factor)
    # GDAL warps only georeferenced rasters; from a CRS to itself, any CRS gives the same pixels
    crs = dataset.crs or CRS.from_wkt('LOCAL_CS["pixels",UNIT["metre",1]]')
    place = Affine.scale(1, -1) if dataset.transform.is_identity else dataset.transform
    transform = place @ Affine.scale(dataset.width / width, dataset.height / height)
    resampling = Resampling.average if factor < 1 else Resampling.bilinear
    if nodata is None and dataset.nodata is None and dataset.dtypes[0].startswith("float"):
        nodata = math.nan  # else NaN would spread to pixels interpolated or averaged with it
    missing: dict[str, Any] = {} if nodata is None else {"src_nodata": nodata, "nodata": nodata}
    if (
        MaskFlags.per_dataset in dataset.mask_flag_enums[0]
        and ColorInterp.alpha not in dataset.colorinterp
    ):
        missing["add_alpha"] = True  # warping does not keep a mask band
    return WarpedVRT(
        dataset,
        src_crs=crs,
        src_transform=place,
        crs=crs,
        transform=transform,
        width=width,
        height=height,
        resampling=resampling,
        **missing,
    )


def resampled_size(height: int, width: int, factor: float) -> tuple[int, int]:
    """Computes the size of a raster that is opened with a factor.

    Args:
        height: Rows of the file.
        width: Columns of the file.
        factor: Factor of `open_raster`.

    Returns:
        Height and width, at least one pixel each.
    """
    return max(round(height * factor), 1), max(round(width * factor), 1)


def read_info(path: Path) -> RasterInfo:
    """Reads the header of a raster.

    Args:
        path: File of the raster.

    Returns:
        The header.

    Raises:
        InputError: If the raster cannot be opened.
    """
    with open_raster(path) as raster:
        return raster.info


def read_grid(path: Path) -> PixelGrid:
    """Reads the size and georeference of a raster.

    Args:
        path: File of the raster.

    Returns:
        Grid of the raster.

    Raises:
        InputError: If the raster cannot be opened.
    """
    with open_raster(path) as raster:
        return PixelGrid(raster.height, raster.width, raster.crs, raster.transform)


_GDAL_OPTIONS = {
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE",  # a truncated JPEG is an error, not grey rows
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",  # a truncated PNG is an error, not random memory
    # megabytes, a row of blocks of a wide scene; GDAL's default grows with the machine's memory
    "GDAL_CACHEMAX": 64,
}
