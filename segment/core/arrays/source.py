"""Images in memory as sources: all that reads files reads them, with the same result."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.arrays.data_array import data_array_pixels, is_data_array
from segment.core.arrays.georeference import parse_crs, parse_transform
from segment.core.arrays.pixels import ImagePixels, image_pixels
from segment.core.errors import InputError, MisfitError, quoted
from segment.core.model.info import ModelInfo
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.nodata import Nodata, check_nodata
from segment.core.raster.sources import Source

_AT_A_TIME = 256  # rows
_Mask = Callable[[int, int], NDArray[np.bool_]]


@contextmanager
def image_source(
    image: Any,
    info: ModelInfo,
    *,
    bands: Sequence[int] | None = None,
    nodata: Nodata | NDArray[np.bool_] | None = None,
    crs: Any = None,
    transform: Any = None,
    name: str = "image",
) -> Iterator[tuple[Source, list[str]]]:
    """Makes a source of an image in memory.

    The pixels are copied once, into an uncompressed GeoTIFF in memory.

    Args:
        image: Array (rows, columns, bands), PIL image or DataArray, see `image_pixels`. The fourth
            band of four of 8 bits is tagged as alpha, as in files.
        info: Description of the model that reads it.
        bands: Bands to read, see `open_raster`.
        nodata: Value or range that means "no data" in all bands, or a mask (rows, columns) that is
            True where there are none.
        crs: CRS of the image, in place of its own.
        transform: Affine transform of the image, in place of its own.
        name: Name of the image in messages.

    Yields:
        The source, and notes on how the image is read.

    Raises:
        InputError: If the image, or what is given with it, cannot be used; also in place of an
            error that the body raises on it, in the words of Python.
    """
    from rasterio.io import MemoryFile

    read = data_array_pixels if is_data_array(image) else image_pixels
    pixels = read(image, name, info.bands)
    if crs is not None and transform is None and pixels.transform is None:
        raise InputError(f"{name}: crs without a transform gives pixels no size. Give both.")
    georeference = {"crs": parse_crs(crs, name), "transform": parse_transform(transform, name)}
    pixels = replace(pixels, **{key: value for key, value in georeference.items() if value})
    value, masks = _split_nodata(nodata, pixels, name)
    if masks and pixels.nodata is not None:  # GDAL passes over nodata where a file has a mask
        value, pixels = pixels.nodata, replace(pixels, nodata=None)
    with MemoryFile(ext=".tif") as memory:
        _write(pixels, masks, memory)
        chosen = None if bands is None else tuple(bands)
        source = Source(memory.name, chosen, value, alpha=None if chosen is None else "none")
        try:
            yield source, _notes(pixels, source, info)
        except MisfitError as error:
            raise InputError(_describe_misfit(pixels, info, bands, name)) from error
        except InputError as error:
            raise InputError(str(error).replace(memory.name, name)) from error


def _split_nodata(nodata: Any, pixels: ImagePixels, name: str) -> tuple[Nodata | None, list[_Mask]]:
    """Returns the value that means "no data", and all masks of the image."""
    masks = [] if pixels.masked is None else [pixels.masked]
    if nodata is None:
        return None, masks
    if isinstance(nodata, tuple):
        return check_nodata(nodata), masks
    given = np.asarray(nodata)
    if given.ndim == 0 and given.dtype.kind in "iuf":
        return given.item(), masks
    if given.ndim == 3 and given.shape[2] == 1:
        given = given[..., 0]
    if given.ndim == 0 or given.dtype != bool:
        cure = "Give a value, a range (lowest, highest), or a boolean mask, such as mask == 0."
        raise InputError(f"{name}: nodata is {quoted(nodata, 60)} ({given.dtype}). {cure}")
    if given.shape != pixels.shape[:2]:
        raise InputError(
            f"{name}: nodata has the shape {given.shape}, the image {pixels.shape[:2]}. Give a mask"
            " of the same rows and columns."
        )
    return None, [*masks, lambda top, bottom: given[top:bottom]]


def _write(pixels: ImagePixels, masks: Sequence[_Mask], memory: Any) -> None:
    import rasterio
    from rasterio.windows import Window

    height, width, count = pixels.shape
    options = {"crs": pixels.crs, "transform": pixels.transform, "nodata": pixels.nodata}
    if pixels.is_alpha:
        options |= {"alpha": "YES", "photometric": "RGB" if count == 4 else "MINISBLACK"}
    elif count > 3:
        options["photometric"] = "MINISBLACK"
    tiff = {"driver": "GTiff", "interleave": "pixel", "bigtiff": "IF_SAFER"}
    size = {"height": height, "width": width, "count": count, "dtype": pixels.dtype.name}
    with (
        without_warnings(),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        memory.open(**tiff, **size, **options) as file,
    ):
        for band, label in enumerate(pixels.names, 1):
            file.set_band_description(band, label)
        for top in range(0, height, _AT_A_TIME):
            bottom = min(top + _AT_A_TIME, height)
            window = Window(0, top, width, bottom - top)
            file.write(pixels.read(top, bottom).transpose(2, 0, 1), window=window)
            if masks:
                hidden = np.any([mask(top, bottom) for mask in masks], axis=0)
                file.write_mask(~hidden, window=window)


def _notes(pixels: ImagePixels, source: Source, info: ModelInfo) -> list[str]:
    if not pixels.is_alpha or pixels.notes:
        return pixels.notes
    with source.open(info.bands) as raster:
        if raster.alpha != "mask":
            return []
    return ["The last band is taken for alpha: pixels where it is 0 have no data."]


def _describe_misfit(
    pixels: ImagePixels, info: ModelInfo, bands: Sequence[int] | None, name: str
) -> str:
    """Says what a model reads, what it received, and what to do about it in Python."""
    stored = pixels.shape[2]
    count = stored if bands is None else len(bands)
    if pixels.is_alpha and bands is None and count == info.bands and pixels.dtype == info.dtype:
        return (
            f"{name}: the model reads {_bands(count)}. Received {_bands(count - 1)} and one that is"
            f" taken for alpha by its values. If it is a spectral band, choose all:"
            f" bands={list(range(1, count + 1))}."
        )
    cures, values, range_read = [], "", " to ".join(f"{value:g}" for value in info.range)
    if count > info.bands:
        cures.append(f"choose bands: bands={list(range(1, info.bands + 1))}")
    elif count == 1 and bands is None:
        cures.append(f"read the band several times: bands={[1] * info.bands}")
    elif count < info.bands:
        cures.append(f"give an image of {info.bands} bands, or train a model on {count}")
    if pixels.dtype != info.dtype:
        low, high = _range(pixels)
        values = f" with values of {low:g} to {high:g}" if low <= high else ""
        if low >= 0 and high <= 1 and pixels.dtype.kind == "f" and info.dtype == "uint8":
            cures.append("convert it: (image * 255).round().astype(np.uint8)")
        elif info.range[0] <= low and high <= info.range[1]:
            cures.append(f"convert it: image.astype(np.{info.dtype})")
        else:
            cures.append(f"scale it as in training, to {range_read}, and to the type {info.dtype}")
    cure = " and ".join(cures) or "give another image"
    return (
        f"{name}: the model reads {_bands(info.bands)} of {info.dtype} ({range_read}). Received"
        f" {_bands(count)} of {pixels.dtype}{values}. {cure[0].upper()}{cure[1:]}."
    )


def _range(pixels: ImagePixels) -> tuple[float, float]:
    """Smallest and largest finite value."""
    low, high, height = math.inf, -math.inf, pixels.shape[0]
    for top in range(0, height, _AT_A_TIME):
        strip = pixels.read(top, min(top + _AT_A_TIME, height))
        if len(finite := strip[np.isfinite(strip)]):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return low, high


def _bands(count: int) -> str:
    return f"{count} band{'' if count == 1 else 's'}"
