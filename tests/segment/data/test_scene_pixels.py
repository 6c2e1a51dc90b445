"""Scenes that are trained on as they are: found with their labels, divided, read by windows."""

import shutil
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from PIL import Image

from segment.config import Config
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED
from segment.core.progress import Silent
from segment.data.collections import Labelled, open_collections, open_tiles
from segment.data.pairs.decoded import Decoded
from segment.data.pairs.scene_pixels import ScenePixels, chunk_size
from segment.data.pixels import TilePixels
from segment.data.training_data import TrainingData
from tests.conftest import two_class_scene, write_raster

SIZE = 300
CLASSES = [
    {"name": "land", "color": "#804000", "value": 0},
    {"name": "water", "color": "#0000FF", "value": 1},
]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A tiled scene with a mask beside it, nodata in one corner, and a class table."""
    image, mask = two_class_scene(SIZE, SIZE + 40, seed=3)
    image[:20, :20] = 0
    tiled = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    write_raster(tmp_path / "town.tif", image, nodata=0, **tiled)
    write_raster(tmp_path / "town_mask.tif", mask, blockysize=1)
    (tmp_path / "classes.yaml").write_text(
        '- {name: land, color: "#804000", value: 0}\n- {name: water, color: "#0000FF", value: 1}\n'
    )
    return tmp_path / "town.tif"


def config(**data: object) -> Config:
    return Config.model_validate({"data": {"tile": 64, "crops": "random"} | data})


def parcels(
    scene: Path, boxes: dict[tuple[int, int, int, int], str | None], name: str = "parcels.gpkg"
) -> Path:
    """A vector file of boxes (left, top, right, bottom in pixels of the scene) and their class."""
    corners = np.array(list(boxes), float) * 0.3
    left, top, right, bottom = corners.T
    shapes = shapely.box(5e5 + left, 2.7e6 - bottom, 5e5 + right, 2.7e6 - top)
    return write_shapes(scene.with_name(name), shapes, list(boxes.values()))


def write_shapes(path: Path, shapes: np.ndarray, classes: list[str | None]) -> Path:
    path.unlink(missing_ok=True)
    pyogrio.raw.write(
        path,
        shapely.to_wkb(shapes),
        [np.array(classes, object)],
        ["class"],
        geometry_type="Polygon" if shapely.get_dimensions(shapes[0]) == 2 else "LineString",
        crs="EPSG:32640",
        driver="GPKG",
    )
    return path


def opened(scene: Path, **data: object) -> Labelled:
    return open_tiles(scene, config(**data).data, seed=0)


def both(one: Labelled, megabytes: int = 0) -> tuple[ScenePixels, Decoded]:
    """The scene read by windows, and the same read whole as a tile is."""
    pixels = TilePixels(one.class_table, "ignore", megabytes)
    found = pixels.load(one.pairs[0])
    assert isinstance(found, ScenePixels)
    return found, found.window(0, 0, *found.shape)


def test_windows_equal_the_scene_read_whole(scene):
    found, whole = both(opened(scene, labels={"path": str(scene.with_name("town_mask.tif"))}))
    assert found.shape == (SIZE, SIZE + 40) and not whole.valid[:20, :20].any()
    assert (whole.mask[:20, :20] == IGNORED).all() and set(np.unique(whole.mask)) == {0, 1, 255}
    image, mask = two_class_scene(SIZE, SIZE + 40, seed=3)
    assert np.array_equal(whole.image[20:], image[20:])
    assert np.array_equal(whole.mask[20:], mask[20:, :, 0])
    random = np.random.default_rng(0)
    for _ in range(60):
        row, column, edge = random.integers([0, 0, 1], [SIZE, SIZE + 40, 301])
        for ours, theirs in zip(
            found.cut(row, column, edge), whole.cut(row, column, edge), strict=True
        ):
            assert np.array_equal(ours, theirs)
        place = row - 150, column - 150, edge
        for ours, theirs in zip(found.around(*place), whole.around(*place), strict=True):
            assert np.array_equal(ours, theirs)
        assert np.array_equal(
            found.stored(row, column, edge), whole.image[row : row + edge, column : column + edge]
        )


def test_chunks_fit_how_a_file_is_stored():
    assert chunk_size((512, 512), (20_000, 30_000)) == (512, 512)
    assert chunk_size((64, 128), (20_000, 30_000)) == (256, 256)
    assert chunk_size((1, 30_000), (20_000, 30_000)) == (128, 30_000)
    assert chunk_size((48, 30_000), (20_000, 30_000)) == (144, 30_000)
    assert chunk_size((20_000, 30_000), (20_000, 30_000)) == (1024, 30_000)


def test_vector_labels_are_burned_by_windows(scene):
    path = parcels(scene, {(0, 0, 150, 300): "field", (200, 100, 340, 300): "wood"})
    one = opened(scene, labels={"path": str(path), "field": "class"}, split="block")
    assert one.class_table.names == ["field", "wood"] and one.of_scenes
    _, whole = both(one)
    assert (whole.mask[30:, 30:140] == 0).all() and (whole.mask[110:, 210:] == 1).all()
    assert (whole.mask[:, 155:195] == IGNORED).all()


def test_the_last_of_several_labels_is_on_top(scene):
    boxes: dict[tuple[int, int, int, int], str | None]
    boxes = {(0, 0, 150, 300): "field", (150, 0, 340, 300): "wood"}
    first = parcels(scene, boxes, "first.gpkg")
    second = parcels(scene, {(40, 100, 60, 120): "wood"})
    both_files = [{"path": str(path), "field": "class"} for path in (first, second)]
    _, whole = both(opened(scene, labels=both_files))
    assert (whole.mask[100:120, 40:60] == 1).all() and whole.mask[99, 50] == 0


def test_a_table_without_values_does_not_change_what_shapes_mean(scene):
    path = parcels(scene, {(0, 0, 100, 300): "land"})
    table = [{"name": "land", "color": "#804000"}, {"name": "water", "color": "#0000FF"}]
    labels = {"path": str(path), "field": "class"}
    data = TrainingData.prepare(scene, config(labels=labels, classes=table), Silent())
    assert data.survey.class_pixels["train"][1] == data.survey.class_pixels["val"][1] == 0


def test_crops_keep_to_the_ground_of_training(scene):
    one = opened(scene, labels={"path": str(scene.with_name("town_mask.tif"))}, tile=32)
    assert one.division.split == "block" and one.division.edge
    boxes = {
        part: np.array([(p.row, p.column) for p in one.parts[part]]) for part in ("train", "val")
    }
    gaps = np.abs(boxes["train"][:, None] - boxes["val"][None]).max(axis=2) - 32
    assert gaps.min() >= 16


def test_windows_without_labels_are_left_out(scene, tmp_path):
    path = parcels(scene, {(0, 0, 100, 100): "field", (0, 0, 90, 60): "wood"})
    image, _ = two_class_scene(SIZE, SIZE, seed=9)
    write_raster(tmp_path / "more" / "a.tif", image)
    write_raster(tmp_path / "more" / "b.tif", image)
    labels = {"path": str(path), "field": "class"}
    one = opened(tmp_path / "more", labels=labels, val_groups=["b"], min_labelled=0.5)
    places = {(p.row, p.column) for p in one.parts["train"]}
    assert places == {(0, 0), (0, 64), (64, 0)}
    assert any("without enough labels are left out" in note for note in one.notes)


@pytest.mark.parametrize("ending", [".gif", ".PNG", ".tif"])
def test_masks_in_a_folder_have_any_ending_that_tile_folders_take(scene, tmp_path, ending):
    _, mask = two_class_scene(SIZE, SIZE + 40, seed=3)
    (tmp_path / "masks").mkdir()
    image = Image.fromarray(mask[..., 0], "P")
    image.putpalette(bytes.fromhex("8040000000FF"))  # the colours of the classes
    image.save(tmp_path / "masks" / f"town{ending}")
    one = opened(scene, labels={"path": str(tmp_path / "masks")}, classes=CLASSES)
    assert {pair.mask.name for pair in one.pairs} == {f"town{ending}"}


def test_bands_and_nodata_as_in_maps(scene):
    labels = {"path": str(scene.with_name("town_mask.tif"))}
    one = opened(scene, labels=labels, bands=[3, 1], nodata=[0, 3])
    _, whole = both(one)
    image, _ = two_class_scene(SIZE, SIZE + 40, seed=3)
    image[:20, :20] = 0
    assert one.pairs[0].info.bands == 2
    hidden = (image[..., [2, 0]] <= 3).all(axis=2)
    assert np.array_equal(~whole.valid, hidden | (image == 0).all(axis=2))
    assert np.array_equal(whole.image[whole.valid], image[..., [2, 0]][whole.valid])


def test_scenes_are_groups_of_a_collection(scene, tmp_path):
    image, mask = two_class_scene(SIZE, SIZE, seed=5)
    for name in ("east", "west"):
        write_raster(tmp_path / "scenes" / f"{name}.tif", image)
        write_raster(tmp_path / "masks" / f"{name}.tif", mask)
    (tmp_path / "masks" / "classes.yaml").write_text((tmp_path / "classes.yaml").read_text())
    settings = config(
        classes=CLASSES,
        root=str(tmp_path),
        collections=[
            {"path": "scenes", "labels": {"path": "masks"}, "val_groups": ["west"]},
            {"path": "town.tif", "labels": {"path": "town_mask.tif"}, "weight": 2},
        ],
    )
    first, second = open_collections(settings.data, seed=0)
    assert (first.name, second.name) == ("scenes", "town")
    assert {p.pair.group for p in first.parts["val"]} == {"scenes/west"}
    assert {p.pair.group for p in second.parts["train"]} == {"town"}


def test_the_fingerprint_changes_with_the_labels_alone(scene):
    boxes: dict[tuple[int, int, int, int], str | None] = {
        (0, 0, 150, 300): "field",
        (150, 0, 340, 300): "wood",
    }
    labels = {"path": str(parcels(scene, boxes)), "field": "class"}
    first, again = (
        TrainingData.prepare(scene, config(labels=labels), Silent()).fingerprint for _ in range(2)
    )
    assert first == again
    parcels(scene, {(1, 0, 151, 300): "field", (151, 0, 340, 300): "wood"})
    assert TrainingData.prepare(scene, config(labels=labels), Silent()).fingerprint != first


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"labels": {"path": "missing.tif"}}, "missing.tif"),
        ({"labels": {"path": "parcels.gpkg"}}, "labels.field"),
        ({"labels": {"path": "parcels.gpkg", "field": "none"}}, "has no field 'none'"),
        ({"labels": {"path": "town_mask.tif"}, "bands": [7]}, "asked for are [7]"),
        ({"labels": {"path": "lines.gpkg", "field": "class"}}, "labels.width 3"),
    ],
)
def test_bad_labels_are_refused_in_one_line(scene, data, words):
    parcels(scene, {(0, 0, 150, 300): "field", (150, 0, 340, 300): "wood"})
    lines = shapely.linestrings([[[5e5 + 9, 2.7e6 - 9], [5e5 + 30, 2.7e6 - 30]]] * 2)
    write_shapes(scene.with_name("lines.gpkg"), lines, ["field", "wood"])
    with pytest.raises(InputError) as refused:
        opened(scene, root=str(scene.parent), **data)
    assert words in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"bands": [1]}, "bands is of scenes"),
        ({"labels": {"path": "a.tif", "width": 3}}, "width is for vector labels"),
        ({"labels": [{"path": "a.tif"}, {"path": "b.gpkg", "field": "c"}]}, "a.tif"),
        ({"labels": {"path": "a.tif"}, "nodata": [3, 0]}, "goes down"),
    ],
)
def test_settings_that_do_not_fit_are_refused(data, words):
    with pytest.raises(ValueError, match=words):
        config(**data)


def test_a_scene_is_in_one_collection(scene):
    settings = config(
        classes=CLASSES,
        root=str(scene.parent),
        collections=[
            {"path": "town.tif", "labels": {"path": "town_mask.tif"}},
            {"path": "./town.tif", "labels": {"path": "town_mask.tif"}, "name": "again"},
        ],
    )
    with pytest.raises(InputError, match="is in two collections"):
        open_collections(settings.data, seed=0)


def test_a_scene_without_labels_names_the_option(scene):
    with pytest.raises(InputError, match="--labels FILE"):
        opened(scene)


def test_class_table_is_needed_for_masks(scene):
    scene.with_name("classes.yaml").unlink()
    with pytest.raises(InputError, match="set data.classes"):
        opened(scene, labels={"path": str(scene.with_name("town_mask.tif"))})


def test_a_mask_without_a_georeference_is_of_one_scene(scene, tmp_path):
    folder = tmp_path / "scenes"
    for name in ("east", "west"):
        picture, mask = two_class_scene(SIZE, SIZE, seed=5)
        write_raster(folder / name / "town.png", picture)
    write_raster(tmp_path / "masks" / "town.png", mask)
    for labels in ("masks", "masks/town.png"):
        with pytest.raises(InputError, match=r"is the mask of .*east/town.png and of .*west"):
            opened(folder / "*" / "town.png", labels={"path": str(tmp_path / labels)})


def test_a_mask_with_a_georeference_may_cover_several_scenes(scene, tmp_path):
    for name in ("first", "second"):
        (tmp_path / "scenes").mkdir(exist_ok=True)
        shutil.copy(scene, tmp_path / "scenes" / f"{name}.tif")
    labels = {"path": str(scene.with_name("town_mask.tif"))}
    assert len(opened(tmp_path / "scenes", labels=labels).pairs) == 2
