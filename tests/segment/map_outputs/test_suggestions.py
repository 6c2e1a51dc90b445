"""Windows to label next: uncertain, unlike each other, spread over the scene."""

import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.transform import from_origin

from segment.annotations.vector_labels import VectorLabels
from segment.core.errors import InputError
from segment.core.raster.grid import PixelGrid
from segment.data.cutting import cut_scene
from segment.map_outputs.suggestions import (
    WINDOW,
    WindowStatistics,
    check_count,
    choose_windows,
    write_suggestions,
)
from segment.mapping.predict import predict_scene
from tests.conftest import write_raster
from tests.fakes import PlaceModel

TABLE = PlaceModel(classes=3).info.class_table
PLACE = from_origin(500_000, 2_700_000, 0.3, 0.3)


def statistics(
    folder: Path, labels: np.ndarray, confidence: np.ndarray
) -> tuple[WindowStatistics, PixelGrid]:
    """Windows of a map with class indices (255 for nodata) and probabilities."""
    (folder / "classes").write_bytes(np.where(labels == 255, 255, 10 * labels).astype(np.uint8))
    (folder / "sure").write_bytes(np.round(confidence * 254).astype(np.uint8))
    grid = PixelGrid(*labels.shape, CRS.from_epsg(32640), PLACE)
    return WindowStatistics.of(folder / "classes", folder / "sure", 254, grid, TABLE), grid


def layer(path: Path) -> tuple[dict, np.ndarray]:
    meta, _, wkb, values = pyogrio.raw.read(path, layer="suggestions")
    return dict(zip(meta["fields"], values, strict=True)), shapely.from_wkb(wkb)


@pytest.mark.parametrize("shape", [(512, 768), (600, 900), (300, 200), (100, 40), (256, 1)])
def test_statistics_count_the_pixels_of_windows_that_do_not_overlap(tmp_path, shape):
    random = np.random.default_rng(0)
    labels = random.choice([0, 1, 2, 255], shape)
    confidence = random.integers(0, 255, shape) / 254
    found, _ = statistics(tmp_path, labels, confidence)
    seen = np.zeros(shape, int)
    for (top, left), pixels, doubt in zip(found.places, found.pixels, found.doubt, strict=True):
        part = np.s_[top : top + found.height, left : left + found.width]
        assert labels[part].shape == (min(WINDOW, shape[0]), min(WINDOW, shape[1]))
        seen[part] += 1
        for k in range(3):
            chosen = labels[part] == k
            assert pixels[k] == chosen.sum()
            assert doubt[k] == pytest.approx((1 - confidence[part])[chosen].sum())
    assert seen.max() == 1
    counts = [max(side // WINDOW, 1) for side in shape]
    assert len(found.places) == np.prod(counts)
    # what is left over is divided between both ends
    rows = np.flatnonzero(seen.any(axis=1))
    assert abs(rows[0] - (shape[0] - 1 - rows[-1])) <= 1


def test_the_most_uncertain_comes_first_and_its_copies_last():
    places = np.array([[0, 0], [0, 256], [0, 512], [2560, 2560]])
    features = np.array([[1.0, 0], [1, 0], [0, 1], [1, 0]])
    worth = np.array([0.5, 0.49, 0.3, 0.3])
    assert choose_windows(worth, features, places, 4).tolist() == [0, 2, 3, 1]
    assert choose_windows(worth, features, places, 1).tolist() == [0]
    assert choose_windows(np.zeros(4), features, places, 2).tolist() == []


def test_chosen_windows_are_spread_over_the_scene():
    random = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(40), np.arange(40)), axis=2).reshape(-1, 2) * WINDOW
    worth = random.uniform(0.3, 0.4, 1600)
    worth[:100] = 0.41  # the most uncertain are side by side
    chosen = choose_windows(worth, np.ones((1600, 2)), places, 20)
    assert len(set(chosen.tolist())) == 20
    assert np.ptp(places[chosen], axis=0).min() > 25 * WINDOW
    assert np.ptp(places[np.argsort(-worth)[:20]], axis=0).min() < 10 * WINDOW


def test_suggestions_are_windows_with_an_empty_class_and_a_reason(tmp_path):
    labels, confidence = np.zeros((600, 800), int), np.full((600, 800), 1.0)
    labels[44:300, 272:528], confidence[44:144, 300:400] = 1, 0.4  # the second window
    labels[300:556, 16:272], confidence[300:556, 16:272] = 255, 0.2  # nodata
    confidence[300:556, 528:784] = 0.9
    found, grid = statistics(tmp_path, labels, confidence)
    assert write_suggestions(found, tmp_path / "s.gpkg", grid, TABLE, 5) == 2
    fields, shapes = layer(tmp_path / "s.gpkg")
    assert fields["class"].tolist() == [None, None] and fields["rank"].tolist() == [1, 2]
    names = TABLE.names
    assert sorted(fields["reason"].tolist()) == sorted(
        f"mean confidence {sure}; 100% of the uncertainty where mapped as {name}"
        for sure, name in (("91%", names[1]), ("90%", names[0]))
    )
    tops = [(44, 272), (300, 528)]
    expected = [[PLACE @ (x, y + 256), PLACE @ (x + 256, y)] for y, x in tops]
    bounds = shapely.bounds(shapes).reshape(2, 2, 2)
    assert sorted(bounds.tolist()) == pytest.approx(np.array(sorted(np.array(expected).tolist())))
    assert pyogrio.read_info(tmp_path / "s.gpkg", layer="suggestions")["crs"] == "EPSG:32640"


def test_a_map_without_uncertain_pixels_gives_an_empty_layer(tmp_path):
    for labels in (np.full((300, 300), 255), np.zeros((300, 300), int)):
        found, grid = statistics(tmp_path, labels, np.ones((300, 300)))
        (tmp_path / "s.gpkg").unlink(missing_ok=True)
        assert write_suggestions(found, tmp_path / "s.gpkg", grid, TABLE, 3) == 0
        fields, shapes = layer(tmp_path / "s.gpkg")
        assert len(shapes) == 0 and "class" in fields


def test_the_style_shows_windows_without_a_class_and_offers_the_classes(tmp_path):
    found, grid = statistics(tmp_path, np.zeros((300, 300), int), np.full((300, 300), 0.5))
    write_suggestions(found, tmp_path / "s.gpkg", grid, TABLE, 1)
    with sqlite3.connect(tmp_path / "s.gpkg") as database:
        ((text, name),) = database.execute("SELECT styleQML, f_table_name FROM layer_styles")
    root = ElementTree.fromstring(text)
    assert name == "suggestions"
    categories = {c.get("value"): c.get("symbol") for c in root.iter("category")}
    assert list(categories) == [*TABLE.names, ""]
    symbols = {s.get("name"): s for s in root.iter("symbol")}
    empty = {p.get("k"): p.get("v") for p in symbols[categories[""]].iter("prop")}
    assert empty["style"] == "no" and float(empty["outline_width"]) > 0.5
    choices = [o.get("value") for o in root.iter("Option") if o.get("type") == "QString"]
    assert choices == TABLE.names


def test_counts_that_are_refused():
    for count in (-1, 1001, 2.5, True):
        with pytest.raises(InputError, match="--suggest: a number of windows"):
            check_count(count)


@pytest.mark.heavy
@pytest.mark.parametrize("place", [PLACE, Affine.identity()])
def test_suggested_windows_are_labelled_and_cut_to_tiles(tmp_path, place):
    """The round trip: polygons drawn in the windows are labels, the windows are labelled areas."""
    pixels = np.random.default_rng(0).integers(0, 255, (768, 1024, 3), np.uint8)
    options = {"transform": place, "crs": CRS.from_epsg(32640) if place == PLACE else None}
    scene = write_raster(tmp_path / "scene.tif", pixels, **options)
    result = predict_scene(scene, PlaceModel(bands=3), tmp_path / "out", suggest=4)
    assert result.suggestions == tmp_path / "out" / "scene_suggest.gpkg"
    assert "4 windows to label next" in repr(result)
    assert str(result.suggestions) in repr(result)
    assert result.report["suggestions"]["windows"] == 4 and result.confidence is None
    assert not (tmp_path / "out" / "scene_confidence.tif").exists()
    fields, windows = layer(result.suggestions)
    assert fields["rank"].tolist() == [1, 2, 3, 4]
    if place != PLACE:
        return  # vector labels need a georeference
    # a user fills in the class of two windows, and draws a smaller polygon in the first
    drawn = [*windows, windows[0].centroid.buffer(20)]
    classes = np.array(["land", "road", None, None, "building"], object)
    edited = tmp_path / "edited.gpkg"
    pyogrio.raw.write(
        edited, shapely.to_wkb(np.array(drawn)), [classes], ["class"],
        geometry_type="Polygon", crs="EPSG:32640", layer="suggestions",
    )  # fmt: skip
    labels = VectorLabels(path=edited, field="class", areas=result.suggestions)
    cut = cut_scene(scene, labels, tmp_path / "tiles")
    assert any("2 features without a value" in note for note in cut.notes)
    masks = [rasterio.open(file).read(1) for file in (tmp_path / "tiles").rglob("masks/*.tif")]
    labelled = sum(int((mask != 255).sum()) for mask in masks)
    assert labelled == 2 * WINDOW**2
    small = sorted(int((np.concatenate(masks) == value).sum()) for value in range(3))
    assert small[0] == pytest.approx(np.pi * (20 / 0.3) ** 2, rel=0.01)
    assert small[2] == WINDOW**2


def test_fewer_windows_than_asked_for_are_reported(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    scene = write_raster(tmp_path / "scene.tif", pixels)
    result = predict_scene(scene, PlaceModel(bands=3), tmp_path / "out", suggest=20)
    assert result.report["suggestions"] == {
        "file": "scene_suggest.gpkg", "windows": 1, "asked_for": 20,
    }  # fmt: skip
    fewer = "1 of 20 windows are suggested: the map has room for 1 of 256 x 256 px"
    assert any(note.startswith(fewer) for note in result.report["notes"])
