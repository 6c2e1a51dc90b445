"""Virtual rasters (VRT): a dataset whose palette, alpha tags or nodata are read in another way."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import numpy as np

from segment.core.raster.nodata import Nodata, is_nodata

_INDICES = np.arange(256, dtype=np.uint8)


def without_alpha_tags(dataset: Any) -> str:
    """Describes a dataset as a VRT whose alpha bands are ordinary bands.

    They then mask nothing when the dataset is warped.

    Args:
        dataset: An open rasterio dataset.

    Returns:
        The VRT as XML.
    """
    root = _describe(dataset)
    for color in root.iter("ColorInterp"):
        if color.text == "Alpha":
            color.text = "Undefined"
    return tostring(root, encoding="unicode")


def has_palette(dataset: Any) -> bool:
    """Checks whether the only band of a dataset holds 8-bit indices into a palette.

    Args:
        dataset: An open rasterio dataset.

    Returns:
        Whether it does.
    """
    is_single = dataset.count == 1 and dataset.dtypes[0] == "uint8"
    return bool(is_single and dataset.colorinterp[0].name == "palette")


def with_colors_of_palette(dataset: Any, nodata: Nodata | None) -> str:
    """Describes a dataset of one band with a palette as a VRT of red, green and blue.

    Its mask band hides pixels whose index is nodata, or transparent in the palette.

    Args:
        dataset: An open rasterio dataset with one 8-bit band and a palette.
        nodata: Index, or range of indices, that means "no data" besides what the file declares.

    Returns:
        The VRT as XML.
    """
    colors = dataset.colormap(1)
    hidden = {index for index, color in colors.items() if color[3] == 0}
    for declared in (dataset.nodatavals[0], nodata):
        if declared is not None:
            hidden |= set(_INDICES[is_nodata(_INDICES[:, None], declared)].tolist())
    root = _describe(dataset)
    masked = root.find("MaskBand") is not None
    band = root.find("VRTRasterBand")
    assert band is not None
    root.remove(band)
    for number, color in enumerate(("Red", "Green", "Blue"), 1):
        made = SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        SubElement(made, "ColorInterp").text = color
        SubElement(_source_of(band, made), "ColorTableComponent").text = str(number)
    if hidden and not masked:
        mask = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        levels = ",".join(f"{index}:{0 if index in hidden else 255}" for index in range(256))
        SubElement(_source_of(band, mask), "LUT").text = levels
    return tostring(root, encoding="unicode")


def with_range_masked(dataset: Any, bands: Sequence[int], low: float, high: float) -> str | None:
    """Describes a dataset as a VRT that masks pixels whose values are within a range in all bands.

    When the dataset is warped, these pixels go into no mean.

    Args:
        dataset: An open rasterio dataset.
        bands: Numbers of the bands that count.
        low: Smallest value of the range.
        high: Largest value of the range.

    Returns:
        The VRT as XML; None for a dataset that has a mask band already.
    """
    root = _describe(dataset)
    if root.find("MaskBand") is not None:
        return None
    mask = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
    if len(set(bands)) > 1:  # GDAL takes no maximum of a single band
        mask.set("subClass", "VRTDerivedRasterBand")
        SubElement(mask, "PixelFunctionType").text = "max"
        SubElement(mask, "SourceTransferType").text = "Byte"
    below, above = float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf))
    for band in root.findall("VRTRasterBand"):
        if int(band.get("band", 0)) in bands:
            levels = f"{below!r}:255,{low!r}:0,{high!r}:0,{above!r}:255"
            SubElement(_source_of(band, mask), "LUT").text = levels
    return tostring(root, encoding="unicode")


def _describe(dataset: Any) -> Element:
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    with MemoryFile(ext=".vrt") as memory:
        copy(dataset, memory.name, driver="VRT")
        return fromstring(memory.read())


def _source_of(band: Element, parent: Element) -> Element:
    """Adds a copy of the source of a band to another band, as one that converts values."""
    found = band.find("SimpleSource")
    if found is None:
        found = band.find("ComplexSource")
    assert found is not None
    made = SubElement(parent, "ComplexSource")
    made.extend(deepcopy(child) for child in found)
    return made
