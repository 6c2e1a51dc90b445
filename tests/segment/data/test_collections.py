"""Several tile folders that each label something else, learned from together."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

import segment
from segment import cli
from segment.config import Config
from segment.core.cli.command import run
from segment.core.config import describe_settings, load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED
from segment.core.model.folder import load_model_info
from segment.core.progress import Silent
from segment.core.reports.page import Report
from segment.core.training.class_weights import resolve_class_weights
from segment.data.collections import open_collections
from segment.data.dataset import Drawing, TileDataset
from segment.data.pixels import TilePixels
from segment.data.training_data import TrainingData
from segment.exploration.explore import explore_collections
from segment.label_sets import LabelSets
from segment.scores import Confusion
from segment.training.report import add_scores
from segment.training.scoring import Evaluation, score_patches
from tests.conftest import two_class_scene, write_raster

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("tiny_backbone")]


CLASSES = """
- {name: land, color: "#804000"}
- {name: water, color: "#0000FF"}
- {name: road, color: "#808080"}
"""


def folder(
    root: Path,
    table: str,
    count: int = 6,
    values: tuple[int, int] = (0, 1),
    size: int = 64,
    groups: int = 1,
) -> Path:
    """A tile folder of blue and brown scenes, whose masks hold one value for each."""
    for group in range(groups):
        place = root / f"g{group}" if groups > 1 else root
        for number in range(count):
            image, mask = two_class_scene(size, size, seed=number + 50 * group)
            write_raster(place / "images" / f"t{number}.png", image)
            write_raster(
                place / "masks" / f"t{number}.png", np.choose(mask, values).astype(np.uint8)
            )
    (root / "classes.yaml").write_text(table)
    return root


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """One collection that names land and water, and one that names water alone."""
    folder(tmp_path / "both", CLASSES)
    folder(
        tmp_path / "ponds",
        '- {name: other, value: 3, color: "#000000"}\n- {name: pond, value: 7, color: "#FFFFFF"}\n',
        values=(3, 7),
    )
    (tmp_path / "config.yaml").write_text(f"""
data:
  classes: {CLASSES.replace(chr(10), chr(10) + "    ")}
  root: {tmp_path}
  collections:
    - {{path: both, gsd: 0.5}}
    - path: ponds
      gsd: 1.0
      weight: 3
      pixel_size: [0.5, 2]
      classes: {{pond: water, other: [land, road]}}
  split: run
  tile: 32
  crops: random
  epoch_tiles: 20
augment: {{pixel_size: [1, 1.5]}}
model: {{backbone: tiny}}
training: {{epochs: 1, batch_size: 4}}
""")
    return tmp_path


def settings(root: Path, *changes: str) -> Config:
    return load_settings(Config, root / "config.yaml", changes)


def test_masks_hold_what_their_collection_says(two):
    config = settings(two)
    data = TrainingData.prepare(None, config, Silent())
    both, ponds = data.collections
    assert data.labels.unions == (frozenset({0, 2}),)
    pixels = TilePixels(data.class_table, "ignore", 1, tables=data.tables)
    held = [set(np.unique(pixels.load(one.pairs[0]).mask)) for one in (both, ponds)]
    assert held == [{0, 1}, {3, 1}]  # 3: land or road
    assert data.survey.class_pixels["train"][2] == 0 and data.survey.class_pixels["train"][3] > 0
    assert ponds.labels.named.tolist() == [False, True, False]
    assert (both.gsd, ponds.gsd) == (0.5, 1.0)
    assert data.ground_sampling_range(config.augment) == (0.5, 2.0)


def test_runs_of_neighbours_are_held_out(tmp_path, two):
    folder(tmp_path / "long", CLASSES, count=24)
    config = settings(two, "data.collections=[{path: long}]", "data.val_fraction=0.25")
    (one,) = open_collections(config.data, seed=4)
    held = sorted(
        int(p.pair.image.stem[1:]) for p in one.parts["val"] if not p.row and not p.column
    )
    assert len(held) == 6 and {
        (b - a) % 24 for a, b in zip(held, held[1:] + held[:1], strict=True)
    } == {1, 19}
    assert not {p.pair.image for p in one.parts["train"]} & {p.pair.image for p in one.parts["val"]}


def test_a_collection_may_only_train_and_groups_may_only_test(tmp_path, two):
    folder(tmp_path / "grouped", CLASSES, count=2, groups=3)
    listed = "[{path: both}, {path: grouped, val_fraction: 0, test_groups: [g1]}]"
    _, grouped = open_collections(settings(two, f"data.collections={listed}").data, seed=0)
    found = {
        part: sorted({p.pair.group for p in patches}) for part, patches in grouped.parts.items()
    }
    assert found == {"train": ["grouped/g0", "grouped/g2"], "val": [], "test": ["grouped/g1"]}


def test_a_collection_without_weight_is_a_test_alone(two):
    listed = "[{path: both}, {path: ponds, weight: 0, classes: {pond: water, other: [land, road]}}]"
    both, ponds = open_collections(settings(two, f"data.collections={listed}").data, seed=0)
    assert both.parts["train"] and both.parts["val"] and not both.parts["test"]
    assert not ponds.parts["train"] and not ponds.parts["val"] and len(ponds.parts["test"]) == 6 * 4


def test_tiles_are_drawn_by_weight_and_at_sizes_of_pixels(two):
    config = settings(two)
    data = TrainingData.prepare(None, config, Silent())
    dataset = TileDataset(
        data.parts["train"],
        TilePixels(data.class_table, "ignore", 1, tables=data.tables),
        32,
        4,
        preprocessing=config.data.preprocess,
        drawing=Drawing(
            augment=lambda seed: lambda image, mask: (image, mask),
            random_crops=True,
            pixel_sizes={"both": (1.0, 1.5), "ponds": (0.5, 8.0)},
            weights={"both": 1, "ponds": 3},
            tiles=400,
        ),
    )
    assert len(dataset) == 100
    drawn = [dataset.patches[i].pair.collection for i in dataset._order()]
    assert 250 < drawn.count("ponds") < 350
    for index in range(8):  # 8 times as large: four images of 64 px, reflected
        images, masks = dataset[index]
        assert images.shape == (4, 32, 32, 3) and masks.shape == (4, 32, 32)
        blue = images[..., 2].astype(int) > images[..., 0]
        known = masks != IGNORED
        # labels move with what they label
        assert known.all() and (blue == (masks == 1)).mean() > 0.9


def test_training_reports_each_collection(two, tmp_path):
    run = segment.train(None, tmp_path / "run", settings(two))
    report = json.loads((run.folder / "report.json").read_text())
    assert list(report["collections"]) == ["both", "ponds"]
    assert report["collections"]["ponds"]["jaccard"]["land"] is None
    scores = [one["mean_jaccard"] for one in report["collections"].values()]
    assert report["mean_of_collections"]["mean_jaccard"] == pytest.approx(np.mean(scores), abs=1e-5)
    info = load_model_info(run.folder)
    assert info.ground_sampling_range == (0.5, 2.0) and info.training["data"] == "both, ponds"
    page = (run.folder / "report.html").read_text()
    assert "ponds" in page and "land or road" not in page.split("<img")[0]
    again = segment.train(None, tmp_path / "run", settings(two, "training.epochs=2"), resume=True)
    assert len(again.history) == 2


@pytest.mark.parametrize(
    "changes, words",
    [
        (["data.collections=[{path: nowhere}]"], ["nowhere", "no such folder"]),
        (["data.collections=[{path: both}, {path: both}]"], ["'both'", "name"]),
        (["data.collections=[{path: ponds}]"], ["ponds", "'other'", "null"]),
        (
            ["data.collections=[{path: ponds, classes: {pont: water, other: land}}]"],
            ["'pont'", "'pond'"],
        ),
        (
            ["data.collections=[{path: ponds, classes: {pond: watr, other: land}}]"],
            ["'watr'", "'water'"],
        ),
        (["data.collections=[{path: both, val_fraction: 0}]"], ["no tiles for val"]),
        (["data.collections=[{path: both, pixel_size: [2, 1]}]"], ["smaller first"]),
        (
            ["data.collections=[{path: both}, {path: both, name: again}]"],
            ["'both'", "'again'", "once"],
        ),
        (["data.collections=[{path: both, name: ../away}]"], ["'../away'", "slashes"]),
        (["data.collections=[{path: both, name: ..}]"], ["'..'", "name"]),
        (
            ["data.collections=[{path: both}, {path: ponds, classes: {pond: null, other: []}}]"],
            ["ponds", "nothing can be learned"],
        ),
        (
            ["data.collections=[{path: ponds, classes: {pond: water, Pond: land, other: land}}]"],
            ["twice", "Pond"],
        ),
        (
            [
                "data.collections=[{path: ponds, classes: {pond: [water, land], other: land},"
                " val_groups: [pons]}]"
            ],
            ["ponds/pons"],
        ),
        (
            [
                "data.collections=[{path: ponds, classes: {pond: [water, land], other: [land,"
                " road]}}]"
            ],
            ["nothing can be scored"],
        ),
        (["data.collections=[{path: both}, {path: both, name: Both}]"], ["2 collections"]),
        (
            ["data.split=group", "data.collections=[{path: both}]"],
            ["data.collections: both:", "two groups"],
        ),
        (
            [
                "data.collections=[{path: both}, {path: both/., name: b, weight: 0, val_groups:"
                " [x]}]"
            ],
            ["once"],
        ),
        (
            ["data.collections=[{path: both, weight: 0, val_groups: [x]}]"],
            ["weight 0", "all are test", "val_groups"],
        ),
        (
            ["data.collections=[{path: both, weight: 0, test_groups: [x]}]"],
            ["weight 0", "all are test", "Leave test_groups out"],
        ),
        (["data.val_groups=[nowhere]"], ["data.val_groups", "each collection"]),
        (["data.test_groups=[both]"], ["data.test_groups", "each collection"]),
        (["data.crops=fixed"], ["pixel_size", "data.crops=random"]),
        (
            ["data.crops=fixed", "data.collections=[{path: both}]"],
            ["augment.pixel_size", "data.crops=random"],
        ),
        (["data.classes=null"], ["data.classes"]),
        (["data.collections=null", 'data.root=""'], ["tile folder", "data.collections"]),
        (["data.collections=null"], ["data.root", "data.collections"]),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(two, tmp_path, changes, words):
    with pytest.raises(InputError) as error:
        segment.train(None, tmp_path / "run", settings(two, *changes))
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_tiles_and_collections_exclude_each_other(two, tmp_path):
    with pytest.raises(InputError, match=r"data\.collections"):
        segment.train(two / "both", tmp_path / "run", settings(two))


def test_images_of_all_collections_are_alike(two, tmp_path):
    image, mask = two_class_scene(64, 64)
    for number in range(2):
        write_raster(
            tmp_path / "four" / "images" / f"{number}.tif",
            np.dstack([image, image[..., :1]]),
            photometric="minisblack",
        )
        write_raster(tmp_path / "four" / "masks" / f"{number}.tif", mask)
    (tmp_path / "four" / "classes.yaml").write_text(CLASSES)
    with pytest.raises(InputError, match="4 bands"):
        segment.train(
            None, tmp_path / "run", settings(two, "data.collections=[{path: both}, {path: four}]")
        )


@pytest.mark.slow
def test_reports_show_the_collections_of_a_part(two, tmp_path):
    listed = "[{path: both}, {path: ponds, weight: 0, classes: {pond: water, other: [land, road]}}]"
    run = segment.train(None, tmp_path / "run", settings(two, f"data.collections={listed}"))
    assert list(run.validation.collections) == ["both"] and list(run.test.collections) == ["ponds"]
    assert "nan" not in str(run)


@pytest.mark.slow
def test_exploring_takes_the_same_config(two, tmp_path):
    found = explore_collections(tmp_path / "look", settings(two).data, model=None)
    assert list(found) == ["both", "ponds"]
    for name in found:
        assert (tmp_path / "look" / name / "report.html").is_file()
    page = (tmp_path / "look" / "ponds" / "report.html").read_text()
    assert "pond" in page and "other" in page and found["ponds"].figures["findings"] is not None


def test_collections_do_not_lie_within_each_other(two):
    folder(two / "outer", CLASSES, count=2, groups=2)
    (two / "link").symlink_to(two / "both")
    (two / "outer" / "g1" / "classes.yaml").write_text(CLASSES)
    (two / "outer" / "g0" / "classes.yaml").write_text(CLASSES)
    for listed in ("{path: outer}, {path: outer/g1}", "{path: both}, {path: link, name: other}"):
        with pytest.raises(InputError, match="inside another"):
            open_collections(settings(two, f"data.collections=[{listed}]").data, seed=0)


def test_what_may_be_anything_is_ignored_and_noted(two):
    listed = (
        "[{path: both}, {path: ponds, gsd: 1, classes: {pond: [Water, land, road], other: land}}]"
    )
    _, ponds = open_collections(settings(two, f"data.collections={listed}").data, seed=0)
    assert ponds.codes[:2].tolist() == [0, IGNORED] and ponds.notes == [
        "pond may be any class: ignored, as if null"
    ]


def test_the_only_group_of_a_collection_goes_by_its_name(two):
    listed = (
        "[{path: both}, {path: ponds, classes: {pond: water, other: land}, val_fraction: 0,"
        " val_groups: [ponds]}]"
    )
    with pytest.raises(InputError, match=r"data\.collections: ponds: .*No tiles for train"):
        open_collections(settings(two, f"data.collections={listed}").data, seed=0)


def test_a_collection_is_called_as_its_folder_below_the_root(two):
    (one,) = open_collections(
        settings(two, f"data.root={two}/both", "data.collections=[{path: .}]").data, seed=0
    )
    assert one.name == "both"


def test_a_class_that_a_table_ignores_is_no_class_of_the_model(two):
    (two / "both" / "classes.yaml").write_text(
        CLASSES + '- {name: rest, color: "#123456", value: 9, ignore: true}\n'
    )
    with pytest.raises(InputError, match="ignores 'rest'"):
        open_collections(
            settings(two, "data.collections=[{path: both, classes: {rest: land}}]").data, seed=0
        )
    assert open_collections(
        settings(two, "data.collections=[{path: both, classes: {rest: null}}]").data, seed=0
    )


def test_pixel_sizes_that_are_unknown_or_contradict_are_noted(two):
    georeferenced = Affine(0.3, 0, 500_000, 0, -0.3, 5_000_000)
    for number in range(6):
        image, mask = two_class_scene(64, 64, seed=number)
        kept = {"crs": "EPSG:32640", "transform": georeferenced}
        write_raster(two / "placed" / "images" / f"{number}.tif", image, **kept)
        write_raster(two / "placed" / "masks" / f"{number}.tif", mask, **kept)
    (two / "placed" / "classes.yaml").write_text(CLASSES)
    listed = "[{path: both}, {path: placed, gsd: 3}]"
    both, placed = open_collections(settings(two, f"data.collections={listed}").data, seed=0)
    assert "unknown" in both.notes[-1] and "0.3 m per pixel, `gsd` is 3" in placed.notes[-1]
    assert placed.gsd == pytest.approx(0.3, rel=0.01)
    (close,) = open_collections(
        settings(two, "data.collections=[{path: placed, gsd: 0.3}]").data, seed=0
    )
    assert not close.notes


def test_runs_take_names_whose_digits_are_no_numbers(two):
    for number, stem in enumerate(["²", "m²", "1²3", "٣a"]):
        image, mask = two_class_scene(64, 64, seed=number)
        write_raster(two / "odd" / "images" / f"{stem}.png", image)
        write_raster(two / "odd" / "masks" / f"{stem}.png", mask)
    (two / "odd" / "classes.yaml").write_text(CLASSES)
    (one,) = open_collections(settings(two, "data.collections=[{path: odd}]").data, seed=0)
    assert len({patch.pair.image for patch in one.parts["val"]}) == 1


def test_a_model_file_names_no_folders_of_the_machine(two):
    config = settings(two, f"data.collections=[{{path: {two}/both}}]")
    assert str(two) not in json.dumps(describe_settings(config))


def test_weights_by_shares_of_sets_alone_are_one():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve_class_weights("balanced", ["land", "water"], [0, 0]) == [1, 1]


def test_colours_of_deep_images_are_refused_before_anything_is_written(two, tmp_path):
    for number in range(6):
        image, mask = two_class_scene(64, 64, seed=number)
        write_raster(two / "deep" / "images" / f"{number}.tif", image.astype(np.uint16) * 200)
        write_raster(two / "deep" / "masks" / f"{number}.tif", mask)
    (two / "deep" / "classes.yaml").write_text(CLASSES)
    for quality in ("hue=5", "grey=0.5", "jpeg=0.5", "saturation=9"):
        with pytest.raises(InputError, match=quality.split("=")[0]):
            segment.train(
                None,
                tmp_path / "run",
                settings(two, "data.collections=[{path: deep}]", f"augment.{quality}"),
            )
        assert not (tmp_path / "run").exists()


def test_exploring_refuses_what_exists_before_anything_is_written(two, tmp_path):
    (tmp_path / "look" / "ponds").mkdir(parents=True)
    (tmp_path / "look" / "ponds" / "report.html").touch()
    with pytest.raises(InputError, match="ponds"):
        explore_collections(tmp_path / "look", settings(two).data, model=None)
    assert not (tmp_path / "look" / "both").exists()


def test_tuning_says_that_it_takes_one_tile_folder(two, tmp_path, capsys):
    pytest.importorskip("optuna")
    arguments = [two / "both", "--output", tmp_path / "out", "--config", two / "config.yaml"]
    assert run(cli.tune.__wrapped__, [*map(str, arguments)]) == 2
    assert "data.collections" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_page_of_a_part_that_only_sets_label_has_no_nan(two):
    listed = (
        "[{path: both}, {path: ponds, weight: 0, classes: {pond: [water, land], other: [land,"
        " road]}}]"
    )
    data = TrainingData.prepare(None, settings(two, f"data.collections={listed}"), Silent())
    dataset = TileDataset(
        data.parts["test"],
        TilePixels(data.class_table, "ignore", 1, tables=data.tables),
        32,
        4,
        preprocessing=settings(two).data.preprocess,
    )

    def predict(images):
        return np.full((*images.shape[:3], 3), 1 / 3, np.float32)

    found = score_patches(
        predict, dataset, data.class_table.names, Silent(), labels=data.labels_of_collections
    )
    page = Report("ponds")
    add_scores(page, "Scores", found, dataset, predict, data.class_table)
    page.write(two / "page.html")
    written = (two / "page.html").read_text()
    assert "Mean Jaccard -," in written and ">nan<" not in written and "nan" not in str(found)


def test_a_part_that_only_sets_label_has_no_score_in_reports(two):
    labels = LabelSets(["land", "water"], (frozenset({0, 1}),), used=frozenset({2}))
    confusion = Confusion(labels.names, labels)
    confusion.add(
        np.full((2, 2), 2, np.uint8),
        np.zeros((2, 2), np.uint8),
        np.full((2, 2, 2), 0.5, np.float32),
    )
    report = Evaluation(confusion, [], [], {"ponds": confusion}).report
    assert (
        report["mean_of_collections"]["mean_jaccard"] is None
        and report["mean_of_collections"]["accuracy"] == 1
    )
    assert "nan" not in str(Evaluation(confusion, [], [], {"ponds": confusion}))


@pytest.mark.slow
def test_a_run_goes_on_where_its_collections_were_moved_to(two, tmp_path, no_pictures):
    segment.train(None, tmp_path / "run", settings(two, "data.collections=[{path: both}]"))
    (two / "elsewhere").mkdir()
    (two / "both").rename(two / "elsewhere" / "both")
    moved = settings(
        two, "data.collections=[{path: both}]", f"data.root={two}/elsewhere", "training.epochs=2"
    )
    assert len(segment.train(None, tmp_path / "run", moved, resume=True).history) == 2
