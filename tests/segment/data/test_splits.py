"""Folders fix what is trained on and what is scored."""

import shutil

import numpy as np
import pytest
from rasterio.transform import from_origin

from segment.config import Config, DataSettings
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import save_class_table
from segment.core.splits import part_named, part_notes
from segment.data.patches import patch_boxes
from segment.data.splits import divide
from segment.data.splitting.block_split import near_tiles
from segment.data.tiles import find_pairs, part_folders
from segment.data.training_data import TrainingData
from segment.exploration.explore import explore
from tests.conftest import two_class_scene, write_raster
from tests.segment.data.test_mask_reading import Lines


def put(root, *folders):
    """An image and its mask in each folder, which names `images` where it matters where
    this lies.
    """
    for number, folder in enumerate(folders):
        image, mask = two_class_scene(32, 32, seed=number)
        path = folder if "images" in folder else f"{folder}/images"
        write_raster(root / path / f"{number}.png", image)
        write_raster(root / path.replace("images", "masks") / f"{number}.png", mask)
    return root


def split(root, seed=0, **settings):
    parts = divide(find_pairs(root), DataSettings(tile=32, **settings), seed).parts
    return {
        part: sorted(p.pair.image.relative_to(root).as_posix() for p in some)
        for part, some in parts.items()
        if some
    }


@pytest.mark.parametrize(
    "name, part",
    [
        ("train", "train"),
        ("Training", "train"),
        ("VAL", "val"),
        ("valid", "val"),
        ("Validation", "val"),
        ("DEV", "val"),
        ("TEST", "test"),
        ("testing", "test"),
        ("train_01", None),
        ("trainset", None),
        ("vale", None),
        ("", None),
        ("tests", None),
    ],
)
def test_names_of_parts(name, part):
    assert part_named(name) == part


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "names",
    [
        ("train", "valid", "test"),
        ("Train", "Val", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "dev", "TEST"),
    ],
)
@pytest.mark.parametrize(
    "layout", ["{}", "{}/town", "town/{}", "images/{}", "{}/images/deep", "city/images/{}"]
)
def test_folders_fix_the_split_whatever_their_names(tmp_path, names, layout, seed):
    root = put(tmp_path, *(layout.format(name) for name in names))
    found = split(root, seed)
    assert [len(some) for some in found.values()] == [1, 1, 1]
    for (part, (file,)), name in zip(found.items(), names, strict=True):
        assert name in file.split("/") and part == part_named(name)


@pytest.mark.heavy
def test_other_names_and_two_of_one_part_are_said(tmp_path, class_table):
    root = put(tmp_path, "train/a", "Train/b", "valid/c", "test/d")
    assert len(split(root)["train"]) == 2
    assert part_folders(root, find_pairs(root)) == [
        "folders Train, train are all read as train",
        "folder valid is read as val",
    ]
    save_class_table(class_table, root / "classes.yaml")
    lines = Lines()
    TrainingData.prepare(root, load_settings(Config, None, ["data.tile=32"]), lines)
    assert "note: folder valid is read as val" in lines.text
    lines = Lines()
    explore(root, tmp_path / "look", model=None, progress=lines)
    assert "note: folder valid is read as val" in lines.text


@pytest.mark.parametrize(
    "name",
    [
        *("train_01", "trainset", "Train2017", "test-2", "val_data", "eval"),
        *("tests", "1_train", "dubai-val", "images.test", "TrainImages", "trainval", "holdout"),
    ],
)
def test_names_that_are_nearly_those_of_parts_are_said(name):
    (note,) = part_notes([name, "town", "images"])
    assert name in note and "read as no part" in note


@pytest.mark.parametrize(
    "name",
    [
        *("town", "validated", "devon", "contest", "testament", "trainyard"),
        *("valley", "detest", "interval", "constrained", "Trainspotting"),
    ],
)
def test_other_names_are_not(name):
    assert part_notes([name]) == []


def test_tiles_that_are_all_for_test_name_the_cure(tmp_path):
    root = put(tmp_path, "test/a", "Testing/b")
    with pytest.raises(InputError, match=r"No tiles for train: .*all groups to test \(a, b\)"):
        split(root)


@pytest.mark.parametrize("seed", range(6))
def test_a_group_that_a_folder_fixes_is_never_drawn(tmp_path, seed):
    root = put(tmp_path, "Train/a", "Train/b", "Train/c", "d", "e", "TEST/f")
    found = split(root, seed, val_fraction=0.4)
    assert all(file.startswith(("d/", "e/")) for file in found["val"]) and found["test"] == [
        "TEST/f/images/5.png"
    ]
    assert {f"Train/{g}/images/{i}.png" for i, g in enumerate("abc")} <= set(found["train"])
    single = split(root, seed, split="patch", val_fraction=0.2)
    assert all(file.startswith(("d/", "e/")) for file in single["val"])


def test_the_rest_of_a_fixed_group_goes_with_it(tmp_path):
    root = put(tmp_path, "test/town", "town", "a", "b")
    for seed in range(4):
        assert split(root, seed)["test"] == ["test/town/images/0.png", "town/images/1.png"]
    notes = " ".join(part_folders(root, find_pairs(root)))
    assert "group town is partly in a folder for test" in notes


@pytest.mark.parametrize(
    "folders", [("train/a", "train/b", "test/c"), ("Training/a", "Training/b")]
)
def test_validation_is_not_drawn_from_a_folder_for_training(tmp_path, folders):
    root = put(tmp_path, *folders)
    with pytest.raises(InputError, match=r"folder val.*data\.val_groups.*data\.split=patch"):
        split(root)
    assert (
        split(root.rename(root.with_name("x")), split="patch", val_fraction=0.5)["val"]
        if folders[-1] == "Training/b"
        else True
    )


def test_groups_of_training_can_be_named_for_validation_and_others_not(tmp_path):
    root = put(tmp_path, "train/a", "train/b", "test/c")
    assert split(root, val_groups=["b"]) == {
        "train": ["train/a/images/0.png"],
        "val": ["train/b/images/1.png"],
        "test": ["test/c/images/2.png"],
    }
    with pytest.raises(InputError, match="'c' is in a folder for test"):
        split(root, val_groups=["c"])


def test_a_folder_for_a_part_can_be_named_as_one(tmp_path):
    root = put(tmp_path, "train/a", "valid/b", "Test/c")
    assert split(root, val_groups=["valid"], test_groups=["Test"]) == split(root)
    with pytest.raises(InputError, match="There is no group 'Test'"):
        split(root, val_groups=["Test"])


def test_folders_that_contradict_are_refused(tmp_path):
    with pytest.raises(InputError, match="several parts: train and Val"):
        find_pairs(put(tmp_path, "train/Val/town", "val/b"))


def test_folders_within_images_do_not_vanish(tmp_path):
    root = put(tmp_path, "images", "images/east", "images/west/far", "images/.hidden")
    pairs = find_pairs(root)
    assert [p.group for p in pairs] == [root.resolve().name, "east", "west/far"]
    shutil.rmtree(root / "masks" / "east")
    with pytest.raises(InputError, match=r"masks/east: folder is missing: `images` and `masks`"):
        find_pairs(root)
    write_raster(root / "masks" / "east" / "1.png", np.zeros((32, 32, 1), np.uint8))
    shutil.rmtree(root / "images" / "west")
    with pytest.raises(InputError, match=r"images/west/far: folder is missing"):
        find_pairs(root)


@pytest.mark.parametrize(
    "link, target",
    [
        ("valid", "all/a"),
        ("Train/a", "all/a"),
        ("test/images", "all/a/images"),
        ("all/a/images/dev", "all/b/images"),
    ],
)
def test_a_link_that_names_a_part_for_images_read_elsewhere_is_refused(tmp_path, link, target):
    put(tmp_path, "all/a", "all/b", "all/c")
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / target)
    with pytest.raises(
        InputError, match=rf"{link}: link names another part than \S*{target}, its target .* Put"
    ):
        find_pairs(tmp_path)


def test_links_from_outside_and_those_of_masks_fix_parts(tmp_path):
    root = put(tmp_path / "tiles", "train/a", "train/b")
    put(tmp_path / "elsewhere", "c")
    (root / "train" / "a" / "masks").rename(root / "labels")
    (root / "train" / "a" / "masks").symlink_to(root / "labels")
    (root / "valid").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(root / "train")  # names no part of its own
    assert split(root) == {
        "train": ["train/a/images/0.png", "train/b/images/1.png"],
        "val": ["valid/c/images/0.png"],
    }


def test_tiles_that_a_folder_fixes_keep_their_distance_to_squares_of_ground(tmp_path):
    for row in range(6):
        for column in range(6):
            group = tmp_path / ("train/strip" if column == 3 else "rest")
            grid = {"crs": "EPSG:32633", "transform": from_origin(64 * column, -64 * row, 1, 1)}
            for kind, bands in (("images", 3), ("masks", 1)):
                pixels = np.zeros((64, 64, bands), np.uint8)
                write_raster(group / kind / f"{row}_{column}.tif", pixels, **grid)
    settings = DataSettings(tile=64, split="block")
    found = divide(find_pairs(tmp_path), settings, seed=0)
    train, val = found.parts["train"], found.parts["val"]
    boxes = patch_boxes([*train, *val], 64)
    first, second = near_tiles(boxes, 32)
    assert not ((first < len(train)) & (second >= len(train))).any()
    assert val and len(train) + len(val) + len(found.margin) == 36
    assert any(patch.pair.part == "train" for patch in found.margin)


def test_a_group_named_for_validation_and_test_is_refused(tmp_path):
    root = put(tmp_path, "a", "b", "c", "d")
    for both in (["a"], ["c", "a"]):
        with pytest.raises(InputError, match="val_groups and test_groups both name 'a'. Leave it"):
            split(root, val_groups=["a", "b"], test_groups=both)
    assert split(root, val_groups=["a"], test_groups=["b"])["test"] == ["b/images/1.png"]


def prepared(root, class_table, *settings) -> tuple[TrainingData, str]:
    save_class_table(class_table, root / "classes.yaml")
    lines = Lines()
    config = load_settings(Config, None, ["data.tile=32", *settings])
    return TrainingData.prepare(root, config, lines), lines.text


@pytest.mark.parametrize("kind", ["auto", "group", "block", "run", "patch"])
def test_a_scene_that_folders_divide_is_reported_whatever_the_split(tmp_path, class_table, kind):
    root = put(tmp_path, "train/a", "val/a", "train/b")
    _, text = prepared(root, class_table, f"data.split={kind}")
    assert "warning: tiles of 'a' are both trained on and scored" in text
    assert "'b'" not in text


def test_a_scene_of_training_and_test_is_reported_where_runs_are_drawn(tmp_path, class_table):
    root = put(tmp_path, "train/a", "test/a", *["b"] * 4)
    _, text = prepared(root, class_table, "data.split=run")
    assert "warning: tiles of 'a' are both trained on and scored" in text
    assert "'b'" not in text, "runs divide it as they should"


def test_data_root_needs_paths_that_start_from_it():
    with pytest.raises(InputError, match=r"data.root is of data.collections or data.labels"):
        load_settings(Config, None, ["data.root=somewhere"])
    labels = "data.labels={path: mask.tif}"
    assert load_settings(Config, None, ["data.root=somewhere", labels]).data.root == "somewhere"


def test_a_run_is_resumed_on_the_same_labels_only(tmp_path, class_table):
    root = put(tmp_path, "a", "b", "c")
    begun = prepared(root, class_table)[0].fingerprint
    assert prepared(root, class_table, "training.epochs=9")[0].fingerprint == begun
    kept = (root / "c/masks/2.png").read_bytes()
    _, mask = two_class_scene(32, 32, seed=2)
    for changed in (1 - mask, mask[::-1]):  # the latter holds as many pixels of each class
        write_raster(root / "c/masks/2.png", np.ascontiguousarray(changed))
        found = prepared(root, class_table)[0].fingerprint
        assert found != begun and found[:64] == begun[:64]
    (root / "c/masks/2.png").write_bytes(kept)
    assert prepared(root, class_table)[0].fingerprint == begun


def test_a_run_is_resumed_on_the_same_images_only(tmp_path, class_table):
    root = put(tmp_path, "a", "b", "c", "d")
    data = prepared(root, class_table)[0]
    paths = {part: [patch.pair.image for patch in data.parts[part]] for part in ("train", "val")}
    first, second, held = *sorted(set(paths["train"]))[:2], paths["val"][0]
    contents = {path: path.read_bytes() for path in (first, second, held)}
    for change in (
        {first: contents[second], second: contents[first]},  # of the same mean
        {held: contents[first]},
    ):
        for path, content in change.items():
            path.write_bytes(content)
        assert prepared(root, class_table)[0].fingerprint != data.fingerprint
        for path in change:
            path.write_bytes(contents[path])
    assert prepared(root, class_table)[0].fingerprint == data.fingerprint
