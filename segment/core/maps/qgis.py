"""QGIS styles for class rasters, confidence rasters and polygons.

The elements are those that QGIS 3 itself writes with "Save style"; what is not in them keeps the
defaults of QGIS.
"""

from collections.abc import Mapping
from pathlib import Path, PurePath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from segment.core.disk import writable
from segment.core.labels.classes import Class, ClassTable

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"

_PALETTED = {
    "type": "paletted",
    "band": "1",
    "alphaBand": "-1",
    "opacity": "1",
    "nodataColor": "",
}
_PSEUDOCOLOR = {
    "type": "singlebandpseudocolor",
    "band": "1",
    "classificationMin": "0",
    "classificationMax": "1",
    "alphaBand": "-1",
    "opacity": "1",
    "nodataColor": "",
}
_RAMP = {
    "colorRampType": "INTERPOLATED",
    "classificationMode": "1",
    "clip": "0",
    "minimumValue": "0",
    "maximumValue": "1",
}
# Matplotlib's viridis, which colour-blind readers can read
_PROBABILITIES = {
    0.0: "#440154",
    0.25: "#3b528b",
    0.5: "#21918c",
    0.75: "#5ec962",
    1.0: "#fde725",
}
_CATEGORIZED = {
    "type": "categorizedSymbol",
    "attr": "class",
    "symbollevels": "0",
    "forceraster": "0",
    "enableorderby": "0",
}

_OUTLINE = {
    "color": "255,255,255,0",
    "style": "no",
    "outline_color": "255,0,255,255",
    "outline_style": "solid",
    "outline_width": "0.8",
    "outline_width_unit": "MM",
}


def style_name(name: str) -> str:
    """Names the file in which QGIS looks for the style of a raster.

    Args:
        name: File name of the raster, e.g. scene_classes.tif.

    Returns:
        The file name of the style, e.g. scene_classes.qml.
    """
    return PurePath(name).with_suffix(".qml").name


def write_style(raster: Path, style: str) -> None:
    """Writes the style of a raster beside it, where QGIS looks for it.

    Args:
        raster: Path of the raster.
        style: The style as XML.

    Raises:
        InputError: If the file cannot be written.
    """
    path = raster.with_name(style_name(raster.name))
    with writable(path):
        path.write_text(style, encoding="utf-8")


def raster_style(class_table: ClassTable) -> str:
    """Makes the QGIS layer style of a class raster.

    Each value of band 1 has the colour and the name of its class; other values are transparent.

    Args:
        class_table: Class table of the raster.

    Returns:
        The style as XML.
    """
    root = _root()
    pipe = SubElement(root, "pipe")
    renderer = SubElement(pipe, "rasterrenderer", _PALETTED)
    entries = SubElement(renderer, "colorPalette")
    for c in class_table.mapped:
        SubElement(
            entries,
            "paletteEntry",
            value=str(c.value),
            label=c.name,
            color=c.map_color.lower(),
            alpha="255",
        )
    SubElement(pipe, "rasterresampler", maxOversampling="2")
    return _text(root)


def confidence_style() -> str:
    """Makes the QGIS layer style of a raster of probabilities, from dark (0) to bright (1).

    QGIS multiplies stored values by the scale of the band before it draws them.

    Returns:
        The style as XML.
    """
    root = _root()
    pipe = SubElement(root, "pipe")
    renderer = SubElement(pipe, "rasterrenderer", _PSEUDOCOLOR)
    ramp = SubElement(SubElement(renderer, "rastershader"), "colorrampshader", _RAMP)
    for value, color in _PROBABILITIES.items():
        SubElement(
            ramp, "item", value=f"{value:g}", label=f"{100 * value:g} %", color=color, alpha="255"
        )
    return _text(root)


def polygon_style(class_table: ClassTable, with_empty: bool = False) -> str:
    """Makes the QGIS layer style of polygons, filled with the colour of their field "class".

    Args:
        class_table: Class table of the polygons.
        with_empty: Whether the layer is to be labelled. Polygons without a class are then drawn as
            outlines, the others let the image below show, and forms offer the classes.

    Returns:
        The style as XML.
    """
    root = _root()
    if with_empty:
        root.set("styleCategories", "Symbology|Fields|Forms")
        _add_choices(root, class_table)
    renderer = SubElement(root, "renderer-v2", _CATEGORIZED)
    categories, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    for number, c in enumerate(class_table.classes):
        SubElement(
            categories, "category", value=c.name, label=c.name, symbol=str(number), render="true"
        )
        _add_fill(symbols, str(number), c)
    if with_empty:
        for symbol in symbols:
            symbol.set("alpha", "0.5")
        # an empty value is the category of all that have no other
        entry = {"value": "", "label": "to be labelled", "symbol": str(len(class_table))}
        SubElement(categories, "category", entry, render="true")
        _add_symbol(symbols, entry["symbol"], _OUTLINE)
    return _text(root)


def _root() -> Element:
    return Element("qgis", version="3.22", styleCategories="Symbology")


def _add_fill(symbols: Element, name: str, entry: Class) -> None:
    color = ",".join(str(part) for part in (*entry.rgb, 255))
    # without a hairline of the same colour, the background would show between neighbours
    properties = {
        "color": color,
        "style": "solid",
        "outline_color": color,
        "outline_style": "solid",
        "outline_width": "0",
    }
    _add_symbol(symbols, name, properties)


def _add_symbol(symbols: Element, name: str, properties: Mapping[str, str]) -> None:
    symbol = SubElement(
        symbols, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1", force_rhr="0"
    )
    fill = SubElement(
        symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"}
    )
    for key, value in properties.items():
        SubElement(fill, "prop", k=key, v=value)


def _add_choices(root: Element, class_table: ClassTable) -> None:
    """Makes forms offer the names of the classes for the field "class"."""
    field = SubElement(SubElement(root, "fieldConfiguration"), "field", name="class")
    config = SubElement(SubElement(field, "editWidget", type="ValueMap"), "config")
    choices = SubElement(SubElement(config, "Option", type="Map"), "Option", type="List")
    choices.set("name", "map")
    for c in class_table.classes:
        choice = SubElement(choices, "Option", type="Map")
        SubElement(choice, "Option", name=c.name, value=c.name, type="QString")


def _text(root: Element) -> str:
    indent(root)
    return _DOCTYPE + tostring(root, encoding="unicode") + "\n"
