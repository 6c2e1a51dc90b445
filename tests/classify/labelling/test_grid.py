import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from classify.data.pixels import prepare_seen
from classify.labelling import scene as scene_module
from classify.labelling.cells import Cells
from classify.labelling.inference import read_input
from classify.labelling.result import LABEL_ENDINGS, SceneLabels
from classify.labelling.scene import label_scene
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.inputs.named_scenes import find_sources
from segment.core.labels.classes import Class, ClassTable
from segment.core.model.folder import INFO_FILE, MODEL_FILE
from segment.core.model.info import LabelInfo
from segment.core.progress import Silent
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.core.reports import map_pictures
from segment.core.reports.map_pictures import overlay_classes
from tests.conftest import write_raster
from tests.fakes import COLORS, NAMES, FakeModel

pytestmark = pytest.mark.heavy


EDGE = 16
CLEARER = PreprocessSettings(denoise=3, clahe=4, clahe_cell=8, sharpen=0.5)
STEP = 40  # values of the first band between one class and the next
SIZES = [
    (32, 48),
    (33, 48),
    (32, 49),
    (37, 53),
    (31, 47),
    (16, 16),
    (10, 40),
    (40, 10),
    (9, 7),
    (1, 1),
]
ROTATED = Affine.translation(500_000, 2_700_000) @ Affine.rotation(30) @ Affine.scale(0.3, -0.3)
OUTPUTS = {
    "town_labels.tif",
    "town_labels.tif.aux.xml",
    "town_labels.qml",
    "town_labels.gpkg",
    "town_labels.json",
    "town_labels_overlay.jpg",
}


class FakeLabeller(FakeModel):
    """Knows an image's class by the mean of its first band: k times 40 is class k, and what is in
    between both neighbours.
    """

    def __init__(
        self,
        batches: tuple[int, int] = (8, 2),
        labels: dict[str, Any] | None = None,
        **options: Any,
    ):
        info = {"tile": EDGE, "multiple": 1} | options
        super().__init__(**info, labels=LabelInfo(**({"resize": 0} | (labels or {}))))
        self.info = self.info.model_copy(update={"task": "classify"})
        self._batches = batches

    def recommended_batches(self, tile: int) -> tuple[int, int]:
        return self._batches

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        place = pixels[..., 0].mean(axis=(1, 2), dtype=np.float64) / STEP
        near = (
            np.clip(1 - np.abs(place[:, None] - np.arange(len(self.info.classes))), 0, 1) * 0.8
            + 0.04
        )
        return (near / near.sum(axis=1, keepdims=True)).astype(np.float32)


def scene_of_cells(
    height: int, width: int, bands: int = 1, dtype: type = np.uint8
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (height, width, bands) and the classes of their cells; what cells at the edge lack is
    of their own class.
    """
    cells = Cells(height, width, EDGE)
    classes = np.random.default_rng(height * 100 + width).integers(
        0, 5, (cells.rows, cells.columns)
    )
    pixels = np.kron(classes * STEP, np.ones((EDGE, EDGE), int))[:height, :width].astype(dtype)
    return np.repeat(pixels[..., None], bands, axis=2), classes


def seen_classes(pixels: np.ndarray) -> np.ndarray:
    """The likeliest class of each window, from its plain mean."""
    cells = Cells(*pixels.shape[:2], EDGE)
    found = np.empty((cells.rows, cells.columns), int)
    for row, column in np.ndindex(found.shape):
        top, bottom, left, right = cells.window(row, column)
        window = pixels[top:bottom, left:right, :1][None]
        found[row, column] = FakeLabeller().answer(window)[0].argmax()
    return found


def read(result: SceneLabels) -> np.ndarray:
    with rasterio.open(result.labels) as file:
        return file.read(1)


def read_polygons(result: SceneLabels) -> tuple[np.ndarray, dict[str, Any]]:
    meta, _, geometry, fields = pyogrio.raw.read(result.polygons, layer="labels")
    return shapely.from_wkb(geometry), dict(zip(meta["fields"], fields, strict=True)) | {
        "crs": meta["crs"]
    }


@given(st.integers(1, 100), st.integers(1, 100), st.integers(8, 120))
def test_cells_cover_every_pixel_once_and_windows_their_cells(
    height: int, width: int, edge: int
) -> None:
    cells = Cells(height, width, edge)
    covered = np.zeros((height, width), int)
    rows, columns = cells.borders()
    for row, column in np.ndindex(cells.rows, cells.columns):
        covered[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] += 1
        top, bottom, left, right = cells.window(row, column)
        assert 0 <= top <= rows[row] < rows[row + 1] <= bottom <= height
        assert 0 <= left <= columns[column] < columns[column + 1] <= right <= width
        assert (bottom - top, right - left) == (min(edge, height), min(edge, width))
    assert (covered == 1).all()


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_every_cell_has_the_label_of_its_window(
    tmp_path: Path, height: int, width: int, suffix: str
) -> None:
    pixels, classes = scene_of_cells(height, width)
    scene = write_raster(tmp_path / f"town{suffix}", pixels)
    result = label_scene(scene, FakeLabeller(), tmp_path / "out", grid=EDGE)
    unshifted = np.s_[: height // EDGE or 1, : width // EDGE or 1]
    # values, not indices
    np.testing.assert_array_equal(read(result)[unshifted], classes[unshifted] * 10)
    if min(height, width) >= EDGE:
        np.testing.assert_array_equal(read(result), seen_classes(pixels) * 10)
    assert read(result).shape == classes.shape
    assert {path.name for path in (tmp_path / "out").iterdir()} == OUTPUTS
    polygons, fields = read_polygons(result)
    assert len(polygons) == classes.size
    assert shapely.area(polygons).sum() == pytest.approx(
        height * width * (0.09 if suffix == ".tif" else 1)
    )
    assert shapely.area(shapely.union_all(polygons)) == pytest.approx(shapely.area(polygons).sum())
    np.testing.assert_array_equal(fields["value"], read(result).ravel())
    assert result.report["cells"] == sum(result.report["cells_by_class"].values()) == classes.size


class Kept(FakeLabeller):
    """Keeps what it saw last."""

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        self.seen = pixels
        return super().answer(pixels)


@pytest.mark.parametrize(("height", "width"), [(9, 7), (12, 12), (10, 40), (20, 20)])
@pytest.mark.parametrize("resize", [0, 14])
@pytest.mark.parametrize("preprocess", [PreprocessSettings(), CLEARER])
def test_a_scene_smaller_than_a_cell_is_seen_as_any_image(
    tmp_path: Path, height: int, width: int, resize: int, preprocess: PreprocessSettings
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    scene = write_raster(tmp_path / "town.png", noise)
    model = Kept(bands=3, tile=12, labels={"resize": resize}, preprocess=preprocess)
    result = label_scene(scene, model, tmp_path, grid=64)
    assert read(result).shape == (1, 1)
    np.testing.assert_array_equal(model.seen[0], read_input(Source(scene), model.info))


def test_windows_are_preprocessed_one_by_one_without_their_nodata(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(40, 200, (80, 64, 3), np.uint8)
    pixels[:20, :20] = pixels[60:66, 40:50] = 0
    scene, valid = write_raster(tmp_path / "town.tif", pixels, nodata=0), pixels[..., 0] > 0
    model = Kept(batches=(6, 1), bands=3, tile=32, preprocess=CLEARER)
    label_scene(scene, model, tmp_path / "out", grid=32)
    cells = Cells(80, 64, 32)
    assert len(model.seen) == 6
    for seen, place in zip(model.seen, np.ndindex(cells.rows, cells.columns), strict=True):
        top, bottom, left, right = cells.window(*place)
        window = np.s_[top:bottom, left:right]
        np.testing.assert_array_equal(
            seen, prepare_seen(pixels[window], valid[window], 32, CLEARER)[0]
        )
        assert (seen[~valid[window]] == 0).all() and (seen != pixels[window]).any()


def test_cells_are_resized_whole(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (64, 64, 1), np.uint8)
    pixels[:32, :32] = 0
    pixels[0, :32] = 160  # on the rim, which a crop from the middle would leave out
    pixels[:32, 0] = 160
    scene = write_raster(tmp_path / "town.png", pixels)
    for tile in (8, 32, 64):
        model = FakeLabeller(tile=tile, labels={"resize": 256})
        polygons, fields = read_polygons(label_scene(scene, model, tmp_path / str(tile), grid=32))
        assert model.shapes == {(8, tile, tile, 1)}
        expected = FakeLabeller().answer(pixels[None, :32, :32])[0]
        assert fields["probability"][0] == pytest.approx(expected.max(), abs=0.02)
        assert fields["class"][0] == NAMES[expected.argmax()]
        assert len(polygons) == 4


def test_nodata_and_alpha_cells_have_no_label(tmp_path: Path) -> None:
    pixels, classes = scene_of_cells(37, 53)
    pixels += 1
    expected = classes * 10
    pixels[:8, :16] = 0  # half of a cell is enough
    pixels[16:32, 16:32] = 0
    pixels[16:23, 16:32] = STEP  # seven rows of sixteen are not
    pixels[32:, 48:] = 0  # the small cell in the corner, whose window holds more
    expected[1, 1] = expected[2, 3] = 255
    for name, options, missing in (("declared", {"nodata": 0}, None), ("given", {}, 0)):
        scene = write_raster(tmp_path / name / "town.tif", pixels, **options)
        model = FakeLabeller(batches=(1, 1))
        result = label_scene(scene, model, tmp_path / name, grid=EDGE, nodata=missing)
        found = read(result)
        np.testing.assert_array_equal(found == 255, expected == 255)
        np.testing.assert_array_equal(found[:2, 1:3], expected[:2, 1:3])
        assert model.tiles == classes.size - 2
        assert len(read_polygons(result)[0]) == classes.size - 2
        assert sum(result.report["cells_by_class"].values()) == classes.size - 2
    rgba = np.repeat(pixels, 4, axis=2)
    rgba[..., 3] = np.where(pixels[..., 0] == 0, 0, 255)
    for suffix, options in ((".tif", {"photometric": "RGB", "alpha": "yes"}), (".png", {})):
        scene = write_raster(tmp_path / suffix[1:] / f"town{suffix}", rgba, **options)
        result = label_scene(scene, FakeLabeller(bands=3), scene.parent, grid=EDGE)
        np.testing.assert_array_equal(read(result) == 255, expected == 255)


def test_a_scene_without_data_gives_an_empty_map(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "town.tif", np.zeros((40, 40, 1), np.uint8), nodata=0)
    model, seen = FakeLabeller(), []

    class Recorded(Silent):
        def advance(self, task: str, done: int, total: int, note: str = "") -> None:
            seen.append((done, total))

    result = label_scene(scene, model, tmp_path, grid=EDGE, progress=Recorded())
    assert model.tiles == 0
    assert seen == [(9, 9)]
    assert set(np.unique(read(result))) == {255}
    assert len(read_polygons(result)[0]) == 0
    assert result.report["mean_probability"] is None
    assert "No cell has a label" in repr(result)


def test_raster_lies_on_the_scene_and_speaks_for_itself(tmp_path: Path) -> None:
    pixels, classes = scene_of_cells(37, 53)
    scene = write_raster(tmp_path / "town.tif", pixels, transform=ROTATED)
    result = label_scene(scene, FakeLabeller(), tmp_path, grid=EDGE)
    assert cog_validate(result.labels, strict=True)[0]
    with rasterio.open(result.labels) as file:
        assert (file.height, file.width) == classes.shape
        assert file.dtypes == ("uint8",)
        assert file.nodata == 255
        assert file.crs.to_epsg() == 32640
        assert file.transform.almost_equals(ROTATED @ Affine.scale(EDGE))
        assert file.descriptions == ("scene label",)
        assert [file.colormap(1)[10 * k][:3] for k in range(5)] == [
            Class(name="n", color=c).rgb for c in COLORS
        ]
        assert [file.tags()[f"class_{10 * k}"] for k in range(5)] == NAMES
    polygons, fields = read_polygons(result)
    assert CRS.from_user_input(fields["crs"]).to_epsg() == 32640
    centre = ROTATED @ (2.5 * EDGE, 0.5 * EDGE)
    [found] = np.flatnonzero(shapely.contains_xy(polygons, *centre))
    assert fields["class"][found] == NAMES[classes[0, 2]]
    assert fields["color"][found] == COLORS[classes[0, 2]]
    with closing(sqlite3.connect(result.polygons)) as database:
        [row] = database.execute("SELECT f_table_name, styleName, useAsDefault FROM layer_styles")
    assert row == ("labels", "labels", 1)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_without_georeference_there_is_none(tmp_path: Path, suffix: str) -> None:
    pixels, _ = scene_of_cells(37, 53)
    options = {"crs": None, "transform": None} if suffix == ".tif" else {}
    result = label_scene(
        write_raster(tmp_path / f"town{suffix}", pixels, **options),
        FakeLabeller(),
        tmp_path,
        grid=EDGE,
    )
    with rasterio.open(result.labels) as file:
        assert file.crs is None
        assert file.transform.is_identity
    polygons, fields = read_polygons(result)
    assert fields["crs"] is None
    assert shapely.total_bounds(polygons).tolist() == [0, 0, 53, 37]
    assert (
        result.report["area_m2"]
        is result.report["ground_sampling_distance"]
        is result.report["crs"]
        is None
    )


@pytest.mark.parametrize(
    "place",
    [{}, {"crs": CRS.from_epsg(4326), "transform": from_origin(55, 25, 1e-3, 1e-3)}],
    ids=["utm", "degrees"],
)
def test_report_adds_up(tmp_path: Path, place: dict[str, Any]) -> None:
    pixels, _ = scene_of_cells(37, 53)
    scene = write_raster(tmp_path / "town.tif", pixels, **place)
    result = label_scene(scene, FakeLabeller(), tmp_path, grid=EDGE)
    report, (polygons, fields) = result.report, read_polygons(result)
    assert json.loads(result.report_file.read_text()) == report
    assert (report["scene"], report["model"], report["runtime"]) == ("town.tif", "fake", "fake")
    assert (report["width"], report["height"], report["grid"], report["cells"]) == (
        53,
        37,
        EDGE,
        12,
    )
    assert report["mean_probability"] == pytest.approx(fields["probability"].mean(), abs=1e-5)
    with Source(scene).open() as raster:
        to_degrees, geod = raster.geodetic()
        assert sum(report["area_m2"].values()) == pytest.approx(
            raster.row_pixel_areas(0, 37).sum() * 53, rel=1e-6
        )
    for index, name in enumerate(NAMES):
        chosen = fields["value"] == 10 * index
        assert report["cells_by_class"][name] == chosen.sum()
        rings = [shapely.get_coordinates(polygon).T for polygon in polygons[chosen]]
        area = sum(abs(geod.polygon_area_perimeter(*to_degrees(*ring))[0]) for ring in rings)
        assert report["area_m2"][name] == pytest.approx(area, rel=2e-3)
    table = repr(result)
    assert "town.tif: 53 x 37 px, 12 cells of 16 px" in table
    listed = re.split(r",\s+|\n\s+", table[table.index("-> ") + 3 :])
    assert listed[0] == str(result.labels)
    assert {Path(file).name for file in listed} == OUTPUTS


def test_legends_have_the_shares_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By area, as cells at the edge are cut off and degrees grow shorter to the north."""
    pixels, _ = scene_of_cells(33, 49)
    place = {"crs": CRS.from_epsg(4326), "transform": from_origin(5, 70, 0.2, 0.2)}
    scene = write_raster(tmp_path / "town.tif", pixels, **place)
    legends: list[dict[str, float]] = []
    draw = map_pictures.draw_legend
    monkeypatch.setattr(
        map_pictures,
        "draw_legend",
        lambda t, shares, w: legends.append(shares) or draw(t, shares, w),
    )
    result = label_scene(scene, FakeLabeller(), tmp_path, grid=EDGE)
    cells, shares = result.report["cells_by_class"], result.report["area_share"]
    assert legends == [pytest.approx(shares, abs=1e-6)]
    assert any(abs(shares[name] - count / 12) > 0.01 for name, count in cells.items())
    legend = [text.get_text() for text in result.plot().get_legend().get_texts()]
    assert sorted(legend) == sorted(
        f"{name}  {100 * share:.1f} %" for name, share in shares.items() if share
    )


def test_several_labels_count_from_their_thresholds_on(tmp_path: Path) -> None:
    places = np.array([[0.0, 0.5, 2.4, 3.0]])
    pixels = np.kron(places * STEP, np.ones((EDGE, EDGE)))[..., None].astype(np.uint8)
    model = FakeLabeller(labels={"multi_label": True, "thresholds": [0.3, 0.3, 0.3, 0.9, 0.5]})
    result = label_scene(write_raster(tmp_path / "town.tif", pixels), model, tmp_path, grid=EDGE)
    assert read(result).tolist() == [[0, 0, 20, 255]]
    polygons, fields = read_polygons(result)
    assert len(polygons) == 3
    assert fields["class"].tolist() == ["building", "building", "road"]
    assert fields["labels"].tolist() == ["building", "building;land", "road"]
    assert result.report["cells_by_class"] == {
        "building": 2,
        "land": 0,
        "road": 1,
        "vegetation": 0,
        "water": 0,
    }


def test_of_many_classes_those_without_a_cell_are_not_listed(tmp_path: Path) -> None:
    pixels, _ = scene_of_cells(3 * EDGE, 3 * EDGE)
    scene = write_raster(tmp_path / "town.tif", pixels)
    few, many = FakeLabeller(), FakeLabeller()
    more = [Class(name=f"rare {n}", color=f"#0000{n:02X}", value=100 + n) for n in range(12)]
    many.info = many.info.model_copy(update={"classes": [*many.info.classes, *more]})
    heights = []
    for model, name in ((few, "few"), (many, "many")):
        result = label_scene(scene, model, tmp_path / name, grid=EDGE)
        assert "rare" not in repr(result) and "rare" not in result._repr_html_()
        assert set(result.report["cells_by_class"]) == set(model.info.class_table.names)
        with rasterio.open(result.overlay) as file:
            heights.append(file.height)
    counts = result.report["cells_by_class"]
    missing = [name for name, count in counts.items() if not count]
    assert f"  without a cell: {len(missing)} of {len(counts)} classes\n" in repr(result)
    assert not any(f"  {name} " in repr(result) for name in missing)
    assert heights[0] >= heights[1]  # no lines of the legend for classes that are not there


@pytest.mark.parametrize("smooth", [False, True])
def test_unsure_cells_are_a_class_of_the_map(tmp_path: Path, smooth: bool) -> None:
    """A cell between two classes is unsure, unless its neighbours decide."""
    classes = np.zeros((3, 4))
    classes[1, 1], classes[:, 3] = 0.5, 2
    pixels = np.kron(classes * STEP, np.ones((EDGE, EDGE)))[:40, :, None].astype(np.uint8)
    scene = write_raster(tmp_path / "town.tif", pixels)
    model = FakeLabeller(labels={"unsure": 0.6})
    result = label_scene(scene, model, tmp_path, grid=EDGE, smooth=smooth)
    expected = (classes * 10).astype(int)
    expected[1, 1] = 0 if smooth else 1  # the smallest value that no class has
    assert read(result).tolist() == expected.tolist()
    report = result.report
    assert report["smooth"] is smooth and report["classes"] == [*NAMES, "unsure"]
    assert report["cells_by_class"]["unsure"] == (not smooth)
    assert sum(report["area_share"].values()) == pytest.approx(1)
    assert report["area_share"]["road"] == pytest.approx(0.25)  # the last row is half a cell
    _, fields = read_polygons(result)
    assert ("unsure" in fields["class"].tolist()) is not smooth
    with rasterio.open(result.labels) as file:
        assert file.tags()["class_1"] == "unsure"
    assert re.search(r"unsure +(0.0|10.0) %", repr(result))


def test_probabilities_have_the_temperature(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "town.tif", np.zeros((EDGE, EDGE, 1), np.uint8))
    logits = np.log(FakeLabeller().answer(np.zeros((1, EDGE, EDGE, 1)))[0].astype(float)) / 3
    result = label_scene(scene, FakeLabeller(labels={"temperature": 3}), tmp_path, grid=EDGE)
    [found] = read_polygons(result)[1]["probability"]
    assert found == pytest.approx((np.exp(logits) / np.exp(logits).sum()).max(), abs=1e-6)


def test_neither_batches_nor_threads_change_the_map(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (75, 101, 3), np.uint8)
    pixels[20:50, 10:60] = 0
    scene = write_raster(tmp_path / "town.tif", pixels, nodata=0)
    found = []
    for size, workers in ((1, 1), (3, 2), (8, 1), (64, 3)):
        model, folder = (
            FakeLabeller((size, workers), {"temperature": 1.7}, bands=3),
            tmp_path / str(size),
        )
        result = label_scene(scene, model, folder, grid=EDGE)
        assert model.shapes == {(size, EDGE, EDGE, 3)}
        _, fields = read_polygons(result)
        rasters = [
            (folder / name).read_bytes()
            for name in sorted(OUTPUTS)
            if name.endswith((".tif", ".xml", ".qml"))
        ]
        found.append(
            [
                *rasters,
                *(column.tolist() for column in fields.values() if isinstance(column, np.ndarray)),
            ]
        )
    assert all(other == found[0] for other in found[1:])


def test_scenes_are_read_forward_by_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_rows: list[tuple[int, int]] = []
    original = Raster.read

    def watched(
        self: Raster,
        row: int = 0,
        column: int = 0,
        height: int | None = None,
        width: int | None = None,
    ) -> Any:
        read_rows.append((row, self.height - row if height is None else height))
        return original(self, row, column, height, width)

    scene = write_raster(tmp_path / "town.png", scene_of_cells(75, 40)[0])
    monkeypatch.setattr(Raster, "read", watched)
    label_scene(scene, FakeLabeller(), tmp_path, grid=EDGE)
    overlay = (0, 75)  # up to 256 rows at once
    assert read_rows == [(0, 16), (16, 16), (32, 16), (48, 16), (64, 11), overlay]


def test_bands_of_the_training_are_read(tmp_path: Path) -> None:
    pixels, classes = scene_of_cells(32, 48, bands=4)
    pixels[..., [0, 1, 3]] = 7
    trained = {"read_bands": [3, 1], "file_bands": 4}
    profile = {"photometric": "MINISBLACK", "alpha": "no"}
    scene = write_raster(tmp_path / "town.tif", pixels, **profile)
    result = label_scene(scene, FakeLabeller(bands=2, labels=trained), tmp_path, grid=EDGE)
    np.testing.assert_array_equal(read(result), classes * 10)
    result = label_scene(
        scene, FakeLabeller(bands=2), tmp_path, grid=EDGE, bands=[3, 4], overwrite=True
    )
    np.testing.assert_array_equal(read(result), classes * 10)
    other = write_raster(tmp_path / "other.tif", pixels[..., :3], **profile)
    with pytest.raises(InputError, match="--bands 1,2"):
        label_scene(other, FakeLabeller(bands=2, labels=trained), tmp_path, grid=EDGE)


def test_other_types_of_pixels_are_labelled_as_they_are(tmp_path: Path) -> None:
    for dtype in (np.uint16, np.int16, np.float32):
        pixels, classes = scene_of_cells(32, 48, dtype=dtype)
        scene = write_raster(tmp_path / np.dtype(dtype).name / "town.tif", pixels)
        model = FakeLabeller(dtype=np.dtype(dtype).name, tile=24)
        np.testing.assert_array_equal(
            read(label_scene(scene, model, scene.parent, grid=EDGE)), classes * 10
        )


def test_notes_tell_of_pixels_the_model_never_saw(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "town.tif", scene_of_cells(64, 64)[0])  # pixels of 30 cm
    cases = [
        (0.3, 16, None),
        (0.3, 20, None),
        (0.3, 32, "pixels of 0.6 m, it learned from 0.3 m: label it with --grid 16"),
        (1.2, 16, "pixels of 0.3 m, it learned from 1.2 m: label it with --grid 64"),
        (None, 64, None),
    ]
    for learned, grid, expected in cases:
        model = FakeLabeller(ground_sampling_distance=learned)
        result = label_scene(scene, model, tmp_path, grid=grid, overwrite=True)
        notes = [note for note in result.report["notes"] if "--nodata" not in note]
        assert len(notes) == (expected is not None), notes
        assert expected is None or expected in notes[0]


def test_progress_ends_with_all_cells(tmp_path: Path) -> None:
    pixels, _ = scene_of_cells(37, 53)
    pixels[32:] = 255
    scene = write_raster(tmp_path / "town.tif", pixels, nodata=255)
    seen: list[tuple[int, int]] = []

    class Recorded(Silent):
        def advance(self, task: str, done: int, total: int, note: str = "") -> None:
            seen.append((done, total))

    label_scene(scene, FakeLabeller((1, 1)), tmp_path, grid=EDGE, progress=Recorded())
    assert seen[-1] == (12, 12)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_errors_name_the_cure_and_leave_nothing(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "town.tif", scene_of_cells(37, 53)[0])
    two = write_raster(tmp_path / "two.tif", np.zeros((40, 40, 2), np.uint8), alpha="no")
    grey16 = write_raster(tmp_path / "grey16.tif", np.zeros((40, 40, 1), np.uint16))
    palette = write_raster(
        tmp_path / "palette.tif", np.zeros((40, 40, 1), np.uint8), photometric="PALETTE"
    )
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    cut = write_raster(tmp_path / "cut.jpg", noise)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    # a network that cannot be read: whoever complains of anything else has not loaded it
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / MODEL_FILE).write_text("none")
    (folder / INFO_FILE).write_text(
        json.dumps(FakeLabeller(bands=3, versions={"keras": "3"}).info.model_dump(mode="json"))
    )
    one, rgb, out = FakeLabeller(), FakeLabeller(bands=3), tmp_path / "deep" / "out"
    unfed = FakeLabeller()
    unfed.info = unfed.info.model_copy(update={"labels": None})
    cases: list[tuple[str, Path, Any, dict[str, Any]]] = [
        ("at least 8 pixels", scene, one, {"grid": 7}),
        ("at least 8 pixels", scene, one, {"grid": -16}),
        ("one of task classify", scene, FakeModel(), {}),
        ("how images reach the network", scene, unfed, {}),
        ("--bands 1,2,2", two, rgb, {}),
        ("--bands 1,2,2", two, folder, {}),
        ("Choose another --scale", grey16, one, {"scale": "never"}),
        ("-expand rgb", palette, one, {}),
        ("Choose from 1 to 1", scene, one, {"bands": [2]}),
        ("no such file", tmp_path / "none.tif", one, {}),
        ("read as a raster", cut, rgb, {}),
        ("a model folder", scene, tmp_path, {}),
        ("as a Keras 3 model", scene, folder, {"bands": [1, 1, 1]}),
    ]
    for expected, path, model, options in cases:
        with pytest.raises(InputError, match=expected) as error:
            label_scene(path, model, out, **({"grid": EDGE} | options))
        assert "\n" not in str(error.value)
        assert ". " in str(error.value)  # the cure follows
        assert not (tmp_path / "deep").exists(), expected
    with pytest.raises(InputError, match="is a file, not a folder"):
        label_scene(scene, one, grey16, grid=EDGE)


def test_existing_outputs_are_kept_without_overwrite(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "town.tif", scene_of_cells(37, 53)[0])
    out = tmp_path / "out"
    first = label_scene(scene, FakeLabeller(), out, grid=EDGE)
    before = {path: path.read_bytes() for path in out.iterdir()}
    for path in before:
        others = [other for other in before if other != path]
        for other in others:
            other.unlink()
        model = FakeLabeller()
        with pytest.raises(InputError, match="exists. Add --overwrite"):
            label_scene(scene, model, out, grid=32)
        assert model.tiles == 0
        assert list(out.iterdir()) == [path]
        for other in others:
            other.write_bytes(before[other])
    again = label_scene(scene, FakeLabeller(), out, grid=32, overwrite=True)
    assert again.labels == first.labels
    assert read(again).shape == (2, 2)
    assert {path.name for path in out.iterdir()} == OUTPUTS
    again.labels.unlink()
    again.labels.hardlink_to(scene)
    with pytest.raises(InputError, match="input would be replaced by an output"):
        label_scene(scene, FakeLabeller(), out, grid=32, overwrite=True)


@pytest.mark.parametrize("stage", ["predict", "polygons"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_stop_leaves_nothing_and_restores_what_was(
    tmp_path: Path, stage: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = write_raster(tmp_path / "town.tif", scene_of_cells(160, 160)[0])
    label_scene(scene, FakeLabeller(), tmp_path / "earlier", grid=EDGE)
    before = {path: path.read_bytes() for path in (tmp_path / "earlier").iterdir()}
    model = FakeLabeller((1, 2))

    def stop(*args: object, **kwargs: object) -> Any:
        if stage == "polygons" or model.tiles > 40:
            raise error
        return FakeLabeller.answer(model, *args, **kwargs)

    if stage == "predict":
        model.answer = stop  # type: ignore[method-assign]
    else:
        monkeypatch.setattr(scene_module, "write_geopackage", stop)
    with pytest.raises(error):
        label_scene(scene, model, tmp_path / "new" / "folder", grid=EDGE)
    assert not (tmp_path / "new").exists()
    with pytest.raises(error):
        label_scene(scene, model, tmp_path / "earlier", grid=EDGE, overwrite=True)
    assert {path: path.read_bytes() for path in (tmp_path / "earlier").iterdir()} == before


@pytest.mark.parametrize("bands", [1, 5])
def test_the_overlay_shows_the_cells_over_the_scene(
    tmp_path: Path, bands: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_pictures, "LARGEST", 96)
    pixels, _ = scene_of_cells(6 * EDGE + 5, 4 * EDGE, bands)
    scene = write_raster(tmp_path / "town.tif", pixels)
    model = FakeLabeller(bands=bands, labels={"rgb": (3, 1, 0)} if bands == 5 else {})
    seen: list[np.ndarray] = []

    def watched(photograph: np.ndarray, indices: np.ndarray, table: ClassTable) -> np.ndarray:
        seen.extend((photograph, indices))
        return overlay_classes(photograph, indices, table)

    monkeypatch.setattr(map_pictures, "overlay_classes", watched)
    result = label_scene(scene, model, tmp_path, grid=EDGE)
    photograph, indices = seen
    height, width = indices.shape
    assert max(height, width) == 96 and photograph.shape == (height, width, 3)
    expected = read(result)[
        np.ix_(
            ((np.arange(height) + 0.5) / height * len(pixels) // EDGE).astype(int),
            ((np.arange(width) + 0.5) / width * pixels.shape[1] // EDGE).astype(int),
        )
    ]
    assert (indices * 10 == expected).all()
    with rasterio.open(result.overlay) as file:
        assert file.count == 3
        assert file.height > height  # the legend
    assert str(result.overlay) in repr(result)
    # a later call on the folder labels the scene alone
    assert [s.path for s in find_sources([str(tmp_path)], LABEL_ENDINGS)] == [scene]
