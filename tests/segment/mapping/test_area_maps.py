"""Maps of an area of interest: the pixels of the whole map, and no more work than they need."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize

from segment import cli
from segment.annotations.area_of_interest import open_area
from segment.cluster.assemble import plan_blocks
from segment.core.cli.command import run
from segment.core.errors import InputError, Interrupted
from segment.core.progress import Silent
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.mapping.model_view import ModelView
from segment.mapping.options import MapOptions
from segment.mapping.predict import predict_scene
from tests.conftest import write_raster
from tests.fakes import FakeModel, PlaceModel

NOISE = np.random.default_rng(0).integers(1, 255, (150, 180, 3), np.uint8)
NOISE[30:60, 40:120] = 0
OPTIONS = MapOptions(tile=32, overlap=0.25)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raster(tmp_path_factory.mktemp("scene") / "scene.tif", NOISE, nodata=0)


def on_ground(scene: Path, shape):
    with rasterio.open(scene) as file:
        place = file.transform
    return shapely.transform(shape, lambda xs, ys: place @ (xs, ys), interleaved=False)


def write(path: Path, shapes: list) -> Path:
    wkb = shapely.to_wkb(np.array(shapes, object))
    pyogrio.raw.write(path, wkb, [], [], geometry_type="Polygon", crs="EPSG:32640", layer="area")
    return path


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def mapped(scene: Path, model: FakeModel, factor: float, given: object) -> tuple:
    """Region of an area, its labels and confidences."""
    source = Source(scene)
    with source.open() as raster:
        area = open_area(given, raster)
        view = ModelView.of(source, raster, model.info, OPTIONS, factor, area)
        strips = [
            (s.labels(), s.confidence(254)) for s in view.map_region(raster, area.region, model)
        ]
    labels, confidences = (np.concatenate(pieces) for pieces in zip(*strips, strict=True))
    return area, labels, confidences


coordinates = st.integers(0, 300).map(lambda half: half / 2)
triangles = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=3).map(
    shapely.Polygon
)


@pytest.mark.heavy
@pytest.mark.parametrize("factor", [1.0, 0.6, 1.7])
def test_pixels_of_an_area_are_those_of_the_whole(scene, tmp_path_factory, factor):
    model = PlaceModel(bands=3)
    _, labels, confidences = mapped(scene, model, factor, None)
    most = model.tiles

    @settings(max_examples=15)
    @given(shapes=st.lists(triangles.filter(lambda p: p.area > 9), min_size=1, max_size=3))
    def check(shapes: list) -> None:
        drawn = [on_ground(scene, s) for s in [shapely.box(70, 71, 75, 74), *shapes]]
        file = write(tmp_path_factory.mktemp("area") / "a.gpkg", drawn)
        model.tiles = 0
        area, found, sure = mapped(scene, model, factor, file)
        with rasterio.open(scene) as raster:
            inside = rasterize([(s, 1) for s in drawn], (150, 180), transform=raster.transform) > 0
        window = slice(area.top, area.bottom), slice(area.left, area.right)
        assert inside.sum() == inside[window].sum()
        assert (found == np.where(inside, labels, 255)[window]).all()
        assert (sure == np.where(inside, confidences, 255)[window]).all()
        assert model.tiles <= most + 7  # the last batch is filled up

    check()


def test_tiles_outside_the_polygons_are_neither_read_nor_predicted(tmp_path, monkeypatch):
    pixels = np.random.default_rng(1).integers(1, 255, (2000, 200, 3), np.uint8)
    scene = write_raster(tmp_path / "tall.tif", pixels)
    corners = [shapely.box(0, 0, 20, 20), shapely.box(180, 1980, 200, 2000)]
    file = write(tmp_path / "a.gpkg", [on_ground(scene, c) for c in corners])
    read, rows = Raster.read, []

    def counted(raster, row=0, column=0, height=None, width=None):
        rows.append(height)
        return read(raster, row, column, height, width)

    monkeypatch.setattr(Raster, "read", counted)
    model = FakeModel(bands=3)
    area, labels, _ = mapped(scene, model, 1.0, file)
    assert area.region == (0, 2000, 0, 200) and (labels != 255).sum() == 800
    assert model.tiles <= 16 and sum(rows) < 700


@pytest.mark.heavy
def test_outputs_cover_the_window_of_the_area(scene, tmp_path):
    model = PlaceModel(bands=3)
    truth = write_raster(
        tmp_path / "truth.tif", (np.indices((150, 180)).sum(axis=0)[..., None] // 9 % 5 * 10)
        .astype(np.uint8),
    )  # fmt: skip
    kept = {"confidence": True, "polygons": True, "truth": truth, "tile": 32}
    whole = predict_scene(scene, model, tmp_path / "whole", **kept)
    shape = shapely.Polygon([(20, 10), (140, 70), (60, 130)])
    file = write(tmp_path / "a.gpkg", [on_ground(scene, shape)])
    found = predict_scene(scene, model, tmp_path / "area", aoi=file, **kept)
    with rasterio.open(scene) as raster:
        inside = rasterize([(on_ground(scene, shape), 1)], (150, 180), transform=raster.transform)
        place = raster.window_transform(((10, 130), (20, 140)))
    expected = np.where(inside, read(whole.classes), 255)[10:130, 20:140]
    assert (read(found.classes) == expected).all()
    assert (
        read(found.confidence) == np.where(inside, read(whole.confidence), 255)[10:130, 20:140]
    ).all()
    with rasterio.open(found.classes) as raster:
        assert raster.transform.almost_equals(place) and raster.crs.to_epsg() == 32640
    report = found.report
    assert (report["width"], report["height"]) == (120, 120)
    assert report["area_of_interest"] == {
        "given": file.name, "rows": [10, 130], "columns": [20, 140], "polygons": True,
    }  # fmt: skip
    pixels = sum(report["pixels_by_class"].values())
    assert pixels == (expected != 255).sum() == np.sum(report["confusion"])
    right = (expected == read(truth)[10:130, 20:140])[expected != 255].mean()
    assert report["accuracy"] == pytest.approx(right, abs=1e-4)
    assert sum(report["area_m2"].values()) == pytest.approx(0.09 * pixels, rel=1e-3)
    polygons = shapely.from_wkb(pyogrio.raw.read(found.polygons, layer="land_cover")[2])
    assert shapely.area(polygons).sum() == pytest.approx(0.09 * pixels, rel=1e-3)
    drawn = shapely.union_all(polygons).buffer(0.01)
    assert drawn.within(on_ground(scene, shape).buffer(0.5))
    with rasterio.open(found.overlay) as picture, rasterio.open(found.mask) as mask:
        assert picture.height > 120 and (mask.height, mask.width) == (120, 120)
        photograph = picture.read(1)[:120, :120]
        assert (photograph[:10, 80:] > 225).all()  # grey outside
        assert (mask.read(4) > 0).sum() == pixels


def test_a_box_of_pixels_where_nothing_is_georeferenced(tmp_path):
    scene = write_raster(tmp_path / "scene.png", NOISE)
    model = PlaceModel(bands=3)
    whole = predict_scene(scene, model, tmp_path / "whole", tile=32)
    found = predict_scene(scene, model, tmp_path / "area", tile=32, aoi=(20, 40, 120, 90))
    assert (read(found.classes) == read(whole.classes)[40:90, 20:120]).all()
    notes = " ".join(found.report["notes"])
    assert "taken for its pixels" in notes and "rows 40 to 90, columns 20 to 120" in notes
    assert found.report["area_of_interest"]["given"] == "20,40,120,90"
    assert "area_of_interest" not in whole.report


class Stops(Silent):
    def __init__(self) -> None:
        self.calls = 0

    def advance(self, name: str, done: int, total: int) -> None:
        self.calls += 1
        if self.calls == 5:
            raise KeyboardInterrupt


def test_a_stopped_map_of_an_area_goes_on_and_is_the_same(scene, tmp_path):
    file = write(tmp_path / "a.gpkg", [on_ground(scene, shapely.Point(90, 80).buffer(60))])
    kept = {"aoi": file, "tile": 32, "batch_size": 2, "suggest": 2}
    once = predict_scene(scene, PlaceModel(bands=3), tmp_path / "once", **kept)
    with pytest.raises(Interrupted, match="of 120 rows are kept"):
        predict_scene(scene, PlaceModel(bands=3), tmp_path / "twice", progress=Stops(), **kept)
    model = PlaceModel(bands=3)
    twice = predict_scene(scene, model, tmp_path / "twice", **kept)
    assert model.tiles > 0
    for name in ("classes", "mask", "overlay"):
        assert getattr(once, name).read_bytes() == getattr(twice, name).read_bytes()
    assert once.report["pixels_by_class"] == twice.report["pixels_by_class"]
    # finished: nothing is mapped again; another area is another map
    again = predict_scene(scene, model, tmp_path / "twice", **kept)
    assert "The files existed already; nothing was computed." in again.report["notes"]
    with pytest.raises(InputError, match="exists"):
        predict_scene(scene, model, tmp_path / "twice", **kept | {"aoi": None})
    assert json.loads(twice.report_file.read_text())["area_of_interest"]["rows"] == [20, 140]


def test_blocks_of_a_cluster_cover_the_area_alone(scene, tmp_path):
    ring = shapely.Point(90, 75).buffer(70) - shapely.Point(90, 75).buffer(60)
    file = write(tmp_path / "a.gpkg", [on_ground(scene, ring)])
    source, info = Source(scene), FakeModel(bands=3).info
    with source.open() as raster:
        area = open_area(file, raster)
        view = ModelView.of(source, raster, info, OPTIONS, 1.0, area)
        blocks = plan_blocks(view, raster, 24)
        whole = plan_blocks(replace(view, area=None), raster, 24)
    count = np.zeros((150, 180), int)
    for block in blocks:
        count[block.top : block.bottom, block.left : block.right] += 1
    covered = area.covers(0, 150, 0, 180)
    assert (count[covered] == 1).all() and count.max() == 1
    assert len(blocks) == len(list(blocks)) < len(whole)
    assert blocks.rows[0] == area.top and blocks.columns[-1] == area.right


def test_a_box_may_be_an_array(tmp_path):
    plain = write_raster(tmp_path / "plain.png", NOISE)
    box = (10, 20, 50, 60)
    made = predict_scene(plain, FakeModel(bands=3), tmp_path, aoi=np.array(box, float))
    assert made.report["area_of_interest"]["given"] == "10,20,50,60"
    assert (made.report["width"], made.report["height"]) == (40, 40)


def test_an_area_that_cannot_be_used_leaves_nothing_behind(scene, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="does not overlap"):
        predict_scene(scene, FakeModel(bands=3), out, aoi="100,100,200,200")
    with pytest.raises(InputError, match="neither a box"):
        predict_scene(scene, FakeModel(bands=3), out, aoi="nowhere.gpkg")
    assert not out.exists()


def test_the_command_refuses_areas_and_counts_before_a_model_is_loaded(scene, tmp_path, capsys):
    wrong = {
        ("--aoi", "nowhere.gpkg"): "neither a box LEFT,BOTTOM,RIGHT,TOP nor a file",
        ("--aoi", "-4.1,50,-4.3,51"): "LEFT must be less than RIGHT",
        ("--aoi", "-4.1,50,51"): "not the four numbers of a box",
        ("--suggest", "1001"): "--suggest",
        ("--suggest", "-1"): "--suggest",
    }
    for options, words in wrong.items():
        arguments = [str(scene), "--output", str(tmp_path / "out"), *options]
        assert run(cli.predict.__wrapped__, arguments) == 2
        shown = capsys.readouterr().err
        assert words in shown and shown.count("\n") == 1
    assert not (tmp_path / "out").exists()
