"""Exploring a tile folder finds what would spoil a training."""

import json
from collections import Counter

import numpy as np
import pytest
import rasterio

import classify.bundled
from segment.bundled import BUNDLED
from segment.cli import explore as command
from segment.config import DataSettings
from segment.core.cli.command import run
from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable, save_class_table
from segment.core.model.runtime import load_model
from segment.core.progress import Silent
from segment.core.reports.page import Report
from segment.data.collections import open_tiles
from segment.data.masks.census import MaskCensus, take_census
from segment.data.tiles import find_pairs
from segment.exploration.class_tables import class_table_of
from segment.exploration.explore import explore
from tests.conftest import two_class_scene, write_raster
from tests.segment.exploration.test_neighbours import ground

LAND, WATER, BLANK = (0x80, 0x40, 0x00), (0x00, 0x00, 0xFF), (0, 0, 0)


def found(root, tmp_path, **options):
    return explore(root, tmp_path / "report", **options)


def reports(exploration, *words):
    """The finding that holds all the words."""
    some = [f for f in map(str, exploration.findings) if all(word in f for word in words)]
    assert len(some) == 1, (words, list(map(str, exploration.findings)))
    return some[0]


@pytest.fixture(autouse=True)
def _quick_pages(request, monkeypatch):
    """Pages without the pixels of their figures, which take longer than all else."""
    if request.node.get_closest_marker("heavy") is None:
        monkeypatch.setattr(Report, "figure", lambda *_, **__: None)


@pytest.fixture
def scenes(tmp_path):
    """Three scenes of four parts each, a seventh of them water; one mask holds a blank, one scene
    has masks with palettes.
    """
    root = tmp_path / "tiles"
    for number in range(3):
        scene = ground(number, 160, 200)
        for part, (r, c) in enumerate((r, c) for r in (0, 80) for c in (0, 100)):
            mask = np.full((80, 100, 3), LAND, np.uint8)
            mask[:, :14] = WATER
            if (number, part) == (1, 2):
                mask[:20, 50:] = BLANK
            folder = root / f"scene {number}"
            write_raster(folder / "images" / f"p{part}.png", scene[r : r + 80, c : c + 100])
            if number == 2:
                indices = (mask[..., 2] == 255).astype(np.uint8)
                write_palette(folder / "masks" / f"p{part}.png", indices)
            else:
                write_raster(folder / "masks" / f"p{part}.png", mask)
    return root


def write_palette(path, indices):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="PNG", height=80, width=100, count=1, dtype="uint8"
    ) as file:
        file.write(indices, 1)
        file.write_colormap(1, {0: (*LAND, 255), 1: (*WATER, 255)})


@pytest.mark.heavy
def test_what_spoils_a_training_is_reported(scenes, class_table, tmp_path):
    save_class_table(class_table, scenes / "classes.yaml")
    exploration = found(scenes, tmp_path)
    assert "17 borders" not in str(exploration)
    reports(
        exploration,
        "are neighbours cut from one scene",
        "3 of 3 groups",
        "continue each other at 4 borders",
        "Independent are the groups (3), not the images (12)",
    )
    reports(exploration, "#000000", "1,000 pixels", "p2.png", "class table does not name it")
    reports(exploration, "land has 8", "times those of water", "class_weights=balanced")
    reports(exploration, "pictures with a palette: 4 (scene 2)")
    reports(exploration, "Images smaller than a tile of 256 px: 12, such as")
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert figures["class_pixels"]["water"] == 12 * 14 * 80 and figures["undeclared"] == {
        "#000000": 1000
    }
    assert figures["ignored_pixels"] == 1000 and len(figures["neighbours"]) == 12
    page = (tmp_path / "report" / "report.html").read_text()
    assert (
        "scene 2" in page
        and page.count("<img") >= 5
        and "http" not in page.replace("http://www.w3.org", "")
    )


@pytest.mark.heavy
def test_tables_that_contradict_the_masks_are_reported(scenes, tmp_path):
    (scenes / "classes.json").write_text(
        json.dumps([{"name": "Land", "color": "#111111"}, {"name": "Water", "color": "#222222"}])
    )
    exploration = found(scenes, tmp_path)
    reports(
        exploration,
        "classes.json contradicts the masks",
        "#111111 (Land)",
        "#804000",
        "does not name",
    )
    reports(exploration, "No class table fits", "'#0000FF'")
    reports(exploration, "#000000", "few masks hold it")


@pytest.mark.heavy
def test_files_that_do_not_fit_are_listed_and_the_others_explored(scenes, class_table, tmp_path):
    save_class_table(class_table, scenes / "classes.yaml")
    (scenes / "scene 0" / "masks" / "p0.png").unlink()
    write_raster(scenes / "scene 0" / "masks" / "p1.png", np.zeros((10, 10, 3), np.uint8))
    broken = scenes / "scene 1" / "images" / "p0.png"
    broken.write_bytes(broken.read_bytes()[:2000])
    exploration = found(scenes, tmp_path)
    reports(exploration, "Files that cannot be used: 3", "2 more")
    assert exploration.figures["images"] == 9 and len(exploration.figures["problems"]) == 3


@pytest.mark.heavy
def test_divided_scenes_copies_and_missing_classes_are_reported(tmp_path):
    table = [
        Class(name="land", color="#804000"),
        Class(name="water", color="#0000FF"),
        Class(name="snow", color="#FFFFFF"),
    ]
    root = tmp_path / "tiles"
    for part, seeds in (("train", (1, 2, 3)), ("val", (4, 3))):
        for seed in seeds:
            write_raster(root / part / "town" / "images" / f"{seed}.tif", ground(seed, 96, 96))
            write_raster(
                root / part / "town" / "masks" / f"{seed}.tif",
                np.eye(96, dtype=np.uint8)[..., None],
            )
    save_class_table(ClassTable(table), root / "classes.yaml")
    exploration = found(root, tmp_path)
    reports(exploration, "divided between parts: town")
    reports(
        exploration,
        "Duplicate images in another part: 1,",
        "val/town/images/3.tif of train/town/images/3.tif",
    )
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Duplicate images" in page and "<td>equal</td>" in page
    reports(exploration, "No pixel is snow")
    assert exploration.figures["ground_sampling_distance"] == [0.3]


@pytest.mark.heavy
def test_groups_that_continue_each_other_are_reported(tmp_path, class_table):
    scene = ground(5, 96, 288)
    for number in range(3):
        write_raster(
            tmp_path / "t" / f"g{number}" / "images" / "a.png",
            scene[:, 96 * number : 96 * (number + 1)],
        )
        write_raster(
            tmp_path / "t" / f"g{number}" / "masks" / "a.png", np.eye(96, dtype=np.uint8)[..., None]
        )
    save_class_table(class_table, tmp_path / "t" / "classes.yaml")
    reports(
        found(tmp_path / "t", tmp_path),
        "Groups continue each other: g0 and g1 at 1 borders",
        "1 other pairs",
        "They may be parts of",
    )


@pytest.mark.heavy
def test_features_of_the_bundled_model_place_the_images(scenes, class_table, tmp_path):
    save_class_table(class_table, scenes / "classes.yaml")
    exploration = found(scenes, tmp_path, model=BUNDLED)
    shares = exploration.figures["explained_variance_of_features"]
    assert len(shares) == 12 and sum(shares) == pytest.approx(1, abs=1e-3)
    assert exploration.figures["without_features"] is None
    assert (
        "Principal components of the features of the model"
        in (tmp_path / "report" / "report.html").read_text()
    )


@pytest.mark.heavy
def test_images_that_the_model_cannot_see_go_without_its_features(tmp_path, class_table):
    for number in range(3):
        write_raster(
            tmp_path / "t" / "images" / f"{number}.tif", np.full((64, 64, 4), number, np.uint16)
        )
        write_raster(
            tmp_path / "t" / "masks" / f"{number}.tif", np.eye(64, dtype=np.uint8)[..., None]
        )
    save_class_table(class_table, tmp_path / "t" / "classes.yaml")
    exploration = found(tmp_path / "t", tmp_path, model=BUNDLED)
    assert "the images have 4 bands of uint16" in exploration.figures["without_features"]
    assert (
        "are left out: the model reads 3 bands of uint8"
        in (tmp_path / "report" / "report.html").read_text()
    )
    with pytest.raises(InputError, match="of task segment"):
        explore(tmp_path / "t", tmp_path / "new", model=classify.bundled.BUNDLED)


@pytest.mark.heavy
def test_both_runtimes_give_the_same_features():
    pixels = ground(1, 128, 128)[None]
    keras, openvino = (
        load_model(BUNDLED, runtime, features=True).predict(pixels)
        for runtime in ("keras", "openvino")
    )
    assert keras.shape == openvino.shape == (1, 4, 4, 320)
    assert np.corrcoef(keras.ravel(), openvino.ravel())[0, 1] > 0.98  # that of eight bits


@pytest.mark.heavy
def test_the_command(scenes, tmp_path, capsys):
    arguments = [str(scenes), "--output", str(tmp_path / "report"), "--features"]
    assert run(command.__wrapped__, arguments) == 0
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert len(figures["explained_variance_of_features"]) == 12
    assert "neighbours" in capsys.readouterr().out
    assert run(command.__wrapped__, arguments) == 2
    with pytest.raises(InputError, match="side by side"):
        found(tmp_path / "report", tmp_path / "x")


def write_pair(folder, name, image, mask=None):
    write_raster(folder / "images" / f"{name}.tif", image)
    write_raster(
        folder / "masks" / f"{name}.tif",
        np.eye(*image.shape[:2], dtype=np.uint8)[..., None] if mask is None else mask,
    )


def reports_nothing(exploration, *words):
    assert not [f for f in map(str, exploration.findings) if all(word in f for word in words)], (
        words
    )


@pytest.mark.heavy
def test_parts_without_scenes_are_not_divided_and_their_copies_are(tmp_path, class_table):
    root = tmp_path / "flat"
    for part, seeds in (("train", (1, 2, 3)), ("val", (4, 3))):
        for seed in seeds:
            write_pair(root / part, str(seed), ground(seed, 96, 96))
    save_class_table(class_table, root / "classes.yaml")
    exploration = found(root, tmp_path)
    reports_nothing(exploration, "divided between parts")
    reports(
        exploration,
        "Duplicate images in another part: 1,",
        "val/images/3.tif of train/images/3.tif",
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "folders, divided", [(("train", ""), False), (("val", "test"), False), (("", "val"), True)]
)
def test_scenes_are_divided_where_they_are_learned_and_scored(
    tmp_path, class_table, folders, divided
):
    for seed, part in enumerate(folders):
        write_pair(tmp_path / "t" / part / "town", str(seed), ground(seed, 64, 64))
    save_class_table(class_table, tmp_path / "t" / "classes.yaml")
    (reports if divided else reports_nothing)(
        found(tmp_path / "t", tmp_path), "divided between parts"
    )


@pytest.mark.heavy
def test_masks_of_too_many_colours_are_reported(tmp_path):
    mask = np.full((64, 64, 3), WATER, np.uint8)
    mask[:40] = LAND
    mask[0, :, 0] = np.arange(64)  # as JPEG blurs them
    write_raster(tmp_path / "tiles" / "images" / "a.png", ground(0, 64, 64))
    write_raster(tmp_path / "tiles" / "masks" / "a.png", mask)
    finding = reports(found(tmp_path / "tiles", tmp_path), "No class table")
    assert (
        "the 40 most frequent of 66 values or colours are each taken for a class" in finding
        and "JPEG" in finding
    )
    assert "'#804000'" in finding and "'#0000FF'" in finding


@pytest.mark.heavy
def test_values_that_no_class_can_have_are_reported(tmp_path):
    write_raster(tmp_path / "tiles" / "images" / "a.png", ground(0, 64, 64))
    instances = np.full((1, 64, 64), 1000, np.uint16)
    write_raster(tmp_path / "tiles" / "masks" / "a.tif", instances[0][..., None])
    with pytest.raises(InputError, match="a value from 0 to 254 for each class, not 1000"):
        found(tmp_path / "tiles", tmp_path)
    instances[0, 9:] = 3
    write_raster(tmp_path / "tiles" / "masks" / "a.tif", instances[0][..., None])
    reports(found(tmp_path / "tiles", tmp_path), "No class table", "value: 3")


@pytest.mark.heavy
def test_masks_of_colours_beside_masks_of_values_are_explored(tmp_path):
    values = np.arange(64 * 64).reshape(64, 64, 1).astype(np.uint8) % 2
    for number, mask in enumerate((values, np.where(values, LAND, WATER).astype(np.uint8))):
        write_raster(tmp_path / "tiles" / "images" / f"{number}.png", ground(number, 64, 64))
        write_raster(tmp_path / "tiles" / "masks" / f"{number}.png", mask)
    exploration = found(tmp_path / "tiles", tmp_path)
    reports(exploration, "No class table")
    assert exploration.figures["class_pixels"] == dict.fromkeys(
        ("0", "1", "#0000FF", "#804000"), 64 * 64 // 2
    )


def test_masks_of_which_none_can_be_read_are_reported_by_file(tmp_path):
    write_raster(tmp_path / "tiles" / "images" / "a.png", ground(0, 64, 64))
    write_raster(tmp_path / "tiles" / "masks" / "a.tif", np.zeros((64, 64, 2), np.uint8))
    with pytest.raises(InputError, match=r"a\.tif: mask has 2 bands of uint8\. Export it"):
        found(tmp_path / "tiles", tmp_path)


def test_colours_that_are_held_stand_for_no_value():
    class_table = class_table_of(MaskCensus(Counter({"0": 9, "#550040": 5}), {}, []))
    assert (
        class_table.names == ["0", "#550040"] and len({c.color for c in class_table.classes}) == 2
    )


@pytest.mark.heavy
def test_a_table_that_names_most_is_not_reported_to_ignore_most(tmp_path):
    table = [
        Class(name="land", color="#804000"),
        Class(name="water", color="#0000FF"),
        Class(name="snow", color="#FFFFFF"),
    ]
    mask = np.full((64, 64, 3), LAND, np.uint8)
    mask[20:] = WATER
    mask[:2] = BLANK
    write_pair(tmp_path / "t" / "town", "a", ground(1, 64, 64), mask)
    save_class_table(ClassTable(table), tmp_path / "t" / "classes.yaml")
    exploration = found(tmp_path / "t", tmp_path)
    reports_nothing(exploration, "contradicts")
    reports(exploration, "#000000", "3.1% of all", "town/masks/a.tif")
    (tmp_path / "t" / "other.json").write_text(
        json.dumps(
            [
                {"name": n, "color": c}
                for n, c in (("Land", "#804000"), ("Water", "#0000FF"), ("Ice", "#AAAAAA"))
            ]
        )
    )
    reports(
        explore(tmp_path / "t", tmp_path / "again"),
        "other.json contradicts",
        "3.1% of the pixels would be ignored",
    )


@pytest.mark.heavy
def test_class_tables_that_are_broken_or_disagree_are_reported(tmp_path, class_table):
    for number in range(2):
        write_pair(tmp_path / "t" / f"g{number}", "a", ground(number, 64, 64))
        save_class_table(
            ClassTable([*class_table.classes][: number + 1]),
            tmp_path / "t" / f"g{number}" / "classes.yaml",
        )
    reports(found(tmp_path / "t", tmp_path), "Files that cannot be used", "class table differs")
    (tmp_path / "t" / "classes.yaml").write_text("land: [")
    reports(
        explore(tmp_path / "t", tmp_path / "again"),
        "Files that cannot be used",
        "classes.yaml",
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "edge, cure", [(100, "data.tile=96,"), (40, "data.tile=32,"), (20, "Cut larger images")]
)
def test_the_advised_tile_fits_the_smallest_image(tmp_path, class_table, edge, cure):
    write_pair(tmp_path / "t" / "town", "a", ground(1, 200, 200))
    write_pair(tmp_path / "t" / "town", "b", ground(2, edge, edge + 7))
    save_class_table(class_table, tmp_path / "t" / "classes.yaml")
    reports(
        found(tmp_path / "t", tmp_path, settings=DataSettings(tile=128)),
        "Images smaller than a tile of 128 px: 1,",
        cure,
    )


@pytest.mark.heavy
def test_of_masks_of_many_colours_the_leading_ones_are_kept(tmp_path, class_table):
    mask = np.full((64, 64, 3), WATER, np.uint8)
    mask[:30] = np.random.default_rng(0).integers(0, 256, (30, 64, 3))
    write_pair(tmp_path / "t" / "town", "a", ground(1, 64, 64), mask)
    save_class_table(class_table, tmp_path / "t" / "classes.yaml")
    masks, _ = take_census(find_pairs(tmp_path / "t"), Silent(), shares=True)
    (held,) = masks.of_mask.values()
    assert (
        len(held) == 40
        and held["#0000FF"] == pytest.approx(34 / 64)
        and masks.held.total() == 64 * 64
    )
    exploration = found(tmp_path / "t", tmp_path)
    assert len(exploration.figures["undeclared"]) == 100


@pytest.mark.heavy
def test_groups_of_any_name_are_explored(tmp_path, class_table):
    for number in range(3):
        write_pair(tmp_path / "t" / f"g$x_${number}", "p$_$", ground(number, 64, 64))
    save_class_table(class_table, tmp_path / "t" / "classes.yaml")
    assert found(tmp_path / "t", tmp_path).figures["images"] == 3


@pytest.mark.heavy
@pytest.mark.parametrize("value", [-np.finfo(np.float32).max, -9999.0, np.inf])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_values_that_look_like_nodata_are_reported(tmp_path, class_table, value):
    for number in range(4):
        image = ground(number, 64, 64, "float32")
        image[:5] = value
        write_pair(tmp_path / "t" / "town", str(number), image)
    save_class_table(class_table, tmp_path / "t" / "classes.yaml")
    exploration = found(tmp_path / "t", tmp_path)
    (reports if np.isfinite(value) else reports_nothing)(
        exploration, "looks like nodata", f"{value:g}", "band 1, band 2, band 3"
    )


@pytest.mark.heavy
def test_one_scene_gets_the_advice_of_training(tmp_path, class_table):
    image, mask = two_class_scene(320, 320)
    write_raster(tmp_path / "town" / "images" / "a.png", image)
    write_raster(tmp_path / "town" / "masks" / "a.png", mask)
    save_class_table(class_table, tmp_path / "town" / "classes.yaml")
    settings = DataSettings(tile=32)
    found = explore(tmp_path / "town", tmp_path / "out", settings)
    division = open_tiles(tmp_path / "town", settings, 0).division
    (advice,) = [f for f in found.findings if "Squares of ground" in f.what]
    counts = [len(division.parts[part]) for part in ("train", "val")]
    assert f"{counts[0]} tiles train, {counts[1]} are for validation" in advice.meaning
    assert "Squares of ground of" in (tmp_path / "out" / "report.html").read_text()
    assert not any("data.split=group" in str(f) for f in found.findings)
    # where training refuses the folder, so does the advice
    tight = explore(tmp_path / "town", tmp_path / "tight", DataSettings(tile=256))
    (refused,) = [f for f in tight.findings if "needs more ground" in f.what]
    with pytest.raises(InputError) as error:
        open_tiles(tmp_path / "town", DataSettings(tile=256), 0)
    assert str(error.value) == f"{refused.what} {refused.cure}"
