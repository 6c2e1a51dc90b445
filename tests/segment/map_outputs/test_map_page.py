import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from segment.core.labels.classes import Class, ClassTable
from segment.core.reports.map_pictures import PREVIEW
from segment.map_outputs.map_page import write_map_page
from segment.mapping.predict import predict_scene
from tests.conftest import write_raster
from tests.fakes import COLORS, NAMES, FakeModel

ODD = "<road> & 'track'"
LARGEST = 300_000  # bytes


class Outline(HTMLParser):
    """Elements of a page with their attributes, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., tuple[str, Outline, dict[str, Any]]]:
    """Function that maps a scene of noise, and returns its page and its report."""

    def page(
        size: int = 60, suffix: str = ".tif", truth: bool = False, bands: int = 1, **options: Any
    ) -> tuple[str, Outline, dict[str, Any]]:
        random = np.random.default_rng(0)
        indices = random.integers(0, 5, (size, size, 1), np.uint8)
        scene = write_raster(tmp_path / f"town{suffix}", np.repeat(indices, bands, axis=2))
        model = FakeModel(bands=bands)
        model.info = model.info.model_copy(
            update={
                "classes": [
                    c.model_copy(update={"name": ODD}) if c.name == "road" else c
                    for c in model.info.classes
                ]
            }
        )
        if truth:
            options["truth"] = write_raster(tmp_path / "truth.tif", indices * 10)
        result = predict_scene(scene, model, tmp_path / "out", **options)
        text = result.page.read_text(encoding="utf-8")
        return text, Outline(text), result.report

    return page


def test_a_page_needs_nothing_but_itself(make: Callable[..., Any]) -> None:
    text, outline, _ = make()
    tags = {tag for tag, _ in outline.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form"}
    assert not re.search(r"https?:|url\(|@import|\son\w+=", text)
    assert all(
        image["src"].startswith("data:image/jpeg;base64,") for image in outline.attributes("img")
    )
    assert "<road>" not in text  # names are escaped


def test_a_page_can_be_read_without_seeing_it(make: Callable[..., Any]) -> None:
    _, outline, report = make(truth=True)
    assert [tag for tag, _ in outline.elements if re.fullmatch(r"h\d", tag)] == ["h1"] + ["h2"] * 6
    assert outline.attributes("html") == [{"lang": "en"}]
    (image,) = outline.attributes("img")
    assert all(name in image["alt"] for name in report["classes"])
    assert all(cell["scope"] in ("col", "row") for cell in outline.attributes("th"))
    assert len(outline.attributes("main")) == 1


def test_a_page_has_what_the_report_has(make: Callable[..., Any]) -> None:
    _, outline, report = make(truth=True, confidence=True, polygons=True, augment=True)
    for name in (ODD, *NAMES[:2], *NAMES[3:]):
        assert name in outline.text
    wanted = ["EPSG:32640", "0.3 m", "accuracy 1.000", "truth.tif", "flips and quarter turns"]
    wanted += ["town_classes.tif", "town.gpkg", "town_confidence.tif", report["version"], "fake"]
    wanted += [report["created"][:10], "the model saw the pixels as they are", "100.0"]
    assert [what for what in wanted if what not in outline.text] == []


def test_a_page_without_a_georeference_has_no_areas(make: Callable[..., Any]) -> None:
    _, outline, report = make(suffix=".png", nodata=3)
    assert report["area_m2"] is None
    assert "m²" not in outline.text
    assert "Scores" not in outline.text
    assert re.search(r"\d\d\.\d % of the scene; nodata is 3", outline.text)


def test_a_page_of_an_area_does_not_give_its_size_as_that_of_the_scene(
    make: Callable[..., Any],
) -> None:
    _, outline, report = make(suffix=".png", aoi=(0, 10, 30, 50), nodata=3)
    assert (report["width"], report["height"]) == (30, 40)
    assert "town.png, an area of 30 x 40 pixels" in outline.text
    assert re.search(r"\d\d\.\d % of the map; nodata is 3", outline.text)


def test_an_empty_map_has_a_page(make: Callable[..., Any]) -> None:
    _, outline, report = make(size=1, nodata=1)
    assert sum(report["pixels_by_class"].values()) == 0
    assert "No pixel of the scene is valid" in outline.text
    assert "100.0 % of the scene" in outline.text


def test_a_stated_pixel_size_is_named(make: Callable[..., Any]) -> None:
    _, outline, _ = make(suffix=".png", gsd=0.05)
    assert "5 cm, as stated by --gsd; the scene is 3 m x 3 m" in outline.text


def test_warnings_come_first_and_other_settings_are_shown(
    tmp_path: Path, make: Callable[..., Any]
) -> None:
    _, _, report = make()
    table = ClassTable(
        [Class(name=name, color=c) for name, c in zip(report["classes"], COLORS, strict=True)]
    )
    changed = {
        "notes": ["It rained.", "Warning: it rained hard."],
        "holes": [[0, 5, 0, 5]],
        "settings": report["settings"] | {"factor": 0.5, "some_scale": [[0, 0.25]], "other": None},
    }
    file = tmp_path / "page.html"
    write_map_page(file, report | changed, table, np.zeros((5, 5, 3), np.uint8), ["town.gpkg"])
    text = Outline(file.read_text(encoding="utf-8")).text
    places = [
        text.index(what)
        for what in ("Warning: it rained hard.", "1 block of the map", "Classes", "It rained.")
    ]
    assert places == sorted(places)
    assert text.count("it rained hard") == 1
    assert "pixels of 0.6 m" in text
    assert re.search(r"Some scale\s+0, 0.25", text)
    assert "Other" not in text


@pytest.mark.heavy
def test_noise_in_full_size_stays_a_small_page(make: Callable[..., Any]) -> None:
    """The picture is the worst case: nothing of it can be compressed."""
    text, _, _ = make(size=1200, bands=3)
    assert len(text) < LARGEST
    encoded = re.search('base64,([^"]+)', text)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(encoded[1]), np.uint8), 1)
    assert picture.shape == (PREVIEW, PREVIEW, 3)


def test_the_file_of_an_area_is_named_without_its_folder(tmp_path):
    folder = tmp_path / "private"
    scene = write_raster(folder / "town.tif", np.full((60, 60, 1), 2, np.uint8))
    with rasterio.open(scene) as file:
        left, bottom, right, top = file.bounds
    wkb = shapely.to_wkb(np.array([shapely.box(left + 3, bottom + 3, right, top)], object))
    area = folder / "area.gpkg"
    pyogrio.raw.write(area, wkb, [], [], geometry_type="Polygon", crs="EPSG:32640", layer="fields")
    for given, name in (
        (area, "area.gpkg"),
        (f"{area}|layername=fields", f"{area.name}|layername=fields"),
    ):
        found = predict_scene(scene, FakeModel(), tmp_path / "out", aoi=given, overwrite=True)
        report = found.report
        assert report["settings"]["aoi"] == report["area_of_interest"]["given"] == name
        page = found.page.read_text()
        assert "private" not in page and name in page
        assert "private" not in found.report_file.read_text().replace(str(scene), "")
