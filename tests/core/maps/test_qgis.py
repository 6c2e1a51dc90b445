from pathlib import Path
from xml.etree import ElementTree

import pytest

from segment.core.labels.classes import Class, ClassTable
from segment.core.maps.qgis import polygon_style, raster_style, style_name, write_style

ODD = 'roads & <"paved"> squares, Straße'


@pytest.fixture
def class_table() -> ClassTable:
    ignored = Class(name="unlabeled", color="#9B9B9B", value=255, ignore=True)
    return ClassTable(
        [
            Class(name="water", color="#0000FF", value=7),
            Class(name=ODD, color="#804000", value=3),
            ignored,
        ]
    )


def test_style_has_the_name_that_qgis_looks_for() -> None:
    assert style_name("town.north_classes.tif") == "town.north_classes.qml"


def test_raster_style_shows_names_and_colours(tmp_path: Path, class_table: ClassTable) -> None:
    write_style(tmp_path / "town.tif", raster_style(class_table))
    content = (tmp_path / "town.qml").read_text(encoding="utf-8")
    assert content == raster_style(class_table)
    assert content.startswith("<!DOCTYPE qgis ")
    root = ElementTree.fromstring(content)
    assert root.tag == "qgis"
    renderer = root.find("pipe/rasterrenderer")
    assert (renderer.get("type"), renderer.get("band")) == ("paletted", "1")
    entries = [dict(entry.attrib) for entry in renderer.findall("colorPalette/paletteEntry")]
    assert entries == [
        {"value": "7", "label": "water", "color": "#0000ff", "alpha": "255"},
        {"value": "3", "label": ODD, "color": "#804000", "alpha": "255"},
    ]


def test_polygon_style_fills_each_class_in_its_colour(class_table: ClassTable) -> None:
    renderer = ElementTree.fromstring(polygon_style(class_table)).find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "class")
    colors = {
        symbol.get("name"): symbol.find("layer/prop[@k='color']").get("v")
        for symbol in renderer.iter("symbol")
    }
    categories = renderer.findall("categories/category")
    assert [(c.get("value"), c.get("label"), colors[c.get("symbol")]) for c in categories] == [
        ("water", "water", "0,0,255,255"),
        (ODD, ODD, "128,64,0,255"),
    ]
