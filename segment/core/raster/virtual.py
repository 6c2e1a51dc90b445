"""Virtual rasters (VRT): a dataset whose palette, alpha tags or nodata are read in another way."""

from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import numpy as np

from segment.core.quiet_warnings import without_warnings
from segment.core.raster.nodata import Nodata, is_nodata

_INDICES = np.arange(256, dtype=np.uint8)

_KEPT_OF_FILE = ("SRS", "GeoTransform", "GCPList", "Metadata", "VRTRasterBand", "MaskBand")
_KEPT_OF_BAND = (
    *("Description", "ColorInterp", "ColorTable", "NoDataValue"),
    *("Scale", "Offset", "UnitType", "Metadata"),
)


def files_behind(dataset: Any) -> list[str]:
    """Lists the files that the pixels of a dataset come from.

    GDAL names those of a VRT, but not those of the VRTs among them. Its sidecars `.aux.xml` are
    left out: programs that show a raster write statistics there. What else they may state, such as
    the georeference, nodata and the kinds of bands, is part of the header.

    Args:
        dataset: An open rasterio dataset.

    Returns:
        Their names, its own first.
    """
    import rasterio
    from rasterio.errors import RasterioError

    found = dict.fromkeys(dataset.files)
    virtual = [name for name in found if name.lower().endswith(".vrt") and name != dataset.name]
    for name in virtual:
        with suppress(RasterioError), without_warnings(), rasterio.open(name) as nested:
            for inner in nested.files:
                if inner not in found:
                    found[inner] = None
                    virtual += [inner] if inner.lower().endswith(".vrt") else []
    return [name for name in found if not name.lower().endswith(".aux.xml")]


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
    """Checks whether a dataset holds 8-bit indices into a palette, and alpha at most besides.

    Args:
        dataset: An open rasterio dataset.

    Returns:
        Whether it does.
    """
    colors = [color.name for color in dataset.colorinterp]
    is_palette = colors[:1] == ["palette"] and {*colors[1:]} <= {"alpha"}
    return is_palette and bool(dataset.dtypes[0] == "uint8")


def with_colors_of_palette(dataset: Any, nodata: Nodata | None) -> str:
    """Describes a dataset with a palette as a VRT of red, green and blue.

    Its mask band is that of the dataset or its alpha band. Where there is neither, it hides pixels
    whose index is nodata, or transparent in the palette.

    Args:
        dataset: An open rasterio dataset, see `has_palette`.
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
    band, *alpha = root.findall("VRTRasterBand")
    for one in (band, *alpha):
        root.remove(one)
    for number, color in enumerate(("Red", "Green", "Blue"), 1):
        made = SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        SubElement(made, "ColorInterp").text = color
        SubElement(_source_of(band, made), "ColorTableComponent").text = str(number)
    if (hidden or alpha) and not masked:
        mask = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        levels = ",".join(f"{index}:{0 if index in hidden else 255}" for index in range(256))
        SubElement(_source_of(band, mask), "LUT").text = levels
        for one in alpha[:1]:
            mask.set("subClass", "VRTDerivedRasterBand")
            SubElement(mask, "PixelFunctionType").text = "min"
            _source_of(one, mask)
    return tostring(root, encoding="unicode")


def with_nodata_masked(dataset: Any, bands: Sequence[int], nodata: Nodata) -> str | None:
    """Describes a dataset as a VRT with a mask band in place of nodata values.

    When the dataset is warped, pixels that are nodata in all bands go into no mean. GDAL itself
    takes one value for that, and no range.

    Args:
        dataset: An open rasterio dataset.
        bands: Numbers of the bands that count.
        nodata: Value or range that means "no data" besides what the file declares.

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
    for band in root.findall("VRTRasterBand"):
        if (declared := band.find("NoDataValue")) is not None:
            band.remove(declared)  # warping would heed it instead of the mask
        if (number := int(band.get("band", 0))) in bands:
            levels = _levels(nodata, dataset.nodatavals[number - 1])
            SubElement(_source_of(band, mask), "LUT").text = levels
    return tostring(root, encoding="unicode")


def _levels(nodata: Nodata, declared: float | None) -> str:
    """Table of GDAL that makes 0 of nodata, and 255 of other values."""
    ends = [nodata if isinstance(nodata, tuple) else (nodata, nodata)]
    if declared is not None and np.isfinite(declared) and not ends[0][0] <= declared <= ends[0][1]:
        ends.append((declared, declared))
    levels: dict[float, int] = {}
    for low, high in sorted(ends):
        below, above = float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf))
        levels |= {value: 255 for value in (below, above) if value not in levels}
        levels |= {low: 0, high: 0}
    return ",".join(f"{value!r}:{level}" for value, level in sorted(levels.items()))


def _describe(dataset: Any) -> Element:
    """Describes a dataset as a VRT of which each band has one source, the band itself."""
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    with MemoryFile(ext=".vrt") as memory:
        copy(dataset, memory.name, driver="VRT")
        root = fromstring(memory.read())
    if dataset.driver == "VRT" and not dataset.name.startswith("<"):
        _refer_to(dataset.name, root)
    return root


def _refer_to(path: str, root: Element) -> None:
    """Makes a copy of a VRT, which may be a mosaic, a VRT whose only source is the file."""
    root.attrib.pop("subClass", None)
    for part in [part for part in root if part.tag not in _KEPT_OF_FILE]:
        root.remove(part)
    for band in root.iter("VRTRasterBand"):
        band.attrib.pop("subClass", None)
        for part in [part for part in band if part.tag not in _KEPT_OF_BAND]:
            band.remove(part)
        source = SubElement(band, "SimpleSource")
        SubElement(source, "SourceFilename", relativeToVRT="0").text = path
        SubElement(source, "SourceBand").text = band.get("band", "mask,1")


def _source_of(band: Element, parent: Element) -> Element:
    """Adds a copy of the source of a band to another band, as one that converts values."""
    found = band.find("SimpleSource")
    if found is None:
        found = band.find("ComplexSource")
    assert found is not None
    made = SubElement(parent, "ComplexSource")
    made.extend(deepcopy(child) for child in found)
    return made
