"""Exploring a scene with its labels, as training reads it."""

import json

import numpy as np
import pytest

from segment.cli import explore as command
from segment.config import Config, DataSettings
from segment.core.cli.command import run
from segment.core.errors import InputError
from segment.core.labels.classes import save_class_table
from segment.core.splits import PARTS
from segment.data.collections import open_collections, open_tiles
from segment.exploration.explore import explore, explore_collections
from tests.conftest import write_raster
from tests.segment.exploration.test_neighbours import ground

TILE = 32


@pytest.fixture
def scene(tmp_path, class_table):
    """A scene of 10 x 8 windows, of which the last row is not labelled."""
    height, width = 8 * TILE, 10 * TILE
    mask = np.zeros((height, width, 1), np.uint8)
    mask[:, :, 0] = (np.arange(width) // 20) % 2
    mask[-TILE:] = 255
    write_raster(tmp_path / "in" / "town.tif", ground(0, height, width))
    write_raster(tmp_path / "in" / "town_mask.tif", mask)
    save_class_table(class_table, tmp_path / "in" / "classes.yaml")
    return tmp_path / "in" / "town.tif"


@pytest.fixture
def settings(scene):
    labels = {"path": str(scene.with_name("town_mask.tif"))}
    return DataSettings(labels=[labels], tile=TILE, split_seed=5)


@pytest.mark.heavy
def test_windows_are_explored_and_divided_as_in_training(scene, settings, tmp_path):
    found = explore(scene, tmp_path / "report", settings)
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert figures["images"] == 70 and figures["groups"] == {"town": 70}
    assert figures["class_pixels"] == {"land": 70 * TILE**2 // 2, "water": 70 * TILE**2 // 2}
    assert figures["ignored_pixels"] == 0 and figures["ground_sampling_distance"] == [0.3]
    division = open_tiles(scene, settings, 5).division
    (advice,) = [str(one) for one in found.findings if "Squares of ground" in str(one)]
    for part in (division.parts["train"], division.parts["val"], division.margin):
        assert str(len(part)) in advice
    assert f"of {division.edge} px" in advice
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Split" in page and "Windows of scenes" in page
    assert not figures["neighbours"], "windows of one scene are known to be neighbours"


@pytest.mark.heavy
def test_a_scene_that_training_cannot_divide_is_reported(scene, settings, tmp_path):
    settings = settings.model_copy(update={"tile": 256})
    found = explore(scene, tmp_path / "report", settings)
    with pytest.raises(InputError) as refused:
        open_tiles(scene, settings, 5)
    assert str(refused.value).split(". ")[0] in str(found)
    assert "Training refuses" in str(found)


def test_labels_that_do_not_fit_are_refused_before_anything_is_written(scene, settings, tmp_path):
    write_raster(scene.with_name("town_mask.tif"), np.full((256, 320, 1), 255, np.uint8))
    with pytest.raises(InputError, match="none of 80 windows of 32 px holds enough labels"):
        explore(scene, tmp_path / "report", settings)
    scene.with_name("town_mask.tif").unlink()
    with pytest.raises(InputError, match="no such file"):
        explore(scene, tmp_path / "report", settings)
    assert not (tmp_path / "report").exists()


@pytest.mark.heavy
def test_overlapping_windows_count_each_pixel_once(tmp_path, class_table):
    write_raster(tmp_path / "a.tif", ground(1, 70, 70))
    write_raster(tmp_path / "a_mask.tif", np.zeros((70, 70, 1), np.uint8))
    save_class_table(class_table, tmp_path / "classes.yaml")
    labels = {"path": str(tmp_path / "a_mask.tif")}
    explored = explore(
        tmp_path / "a.tif", tmp_path / "report", DataSettings(labels=[labels], tile=TILE)
    )
    assert explored.figures["class_pixels"]["land"] == 70 * 70
    assert explored.figures["images"] == 9 and explored.figures["ignored_pixels"] == 0


@pytest.mark.heavy
def test_a_collection_of_scenes_is_divided_by_its_own_settings(scene, tmp_path):
    one = {
        "path": "in/town.tif",
        "name": "town",
        "labels": {"path": "in/town_mask.tif"},
        "split": "block",
        "val_fraction": 0.4,
    }
    classes = [
        {"name": name, "color": color}
        for name, color in (("land", "#804000"), ("water", "#0000FF"))
    ]
    data = {"collections": [one], "classes": classes, "root": str(tmp_path), "tile": TILE}
    settings = Config.model_validate({"data": data}).data
    found = explore_collections(tmp_path / "reports", settings)
    (opened,) = open_collections(settings, 0)
    val = len(opened.parts["val"])
    assert f"{val} are for validation" in str(found["town"])
    assert sum(len(opened.parts[part]) for part in PARTS[:2]) < 70
    assert (tmp_path / "reports" / "town" / "report.html").is_file()


@pytest.mark.heavy
def test_the_command_takes_labels_as_training_does(scene, tmp_path, capsys):
    labels = ["--labels", str(scene.with_name("town_mask.tif"))]
    arguments = [str(scene), "--output", str(tmp_path / "r"), "--set", f"data.tile={TILE}"]
    assert run(command.__wrapped__, [*arguments, *labels]) == 0
    assert "Squares of ground" in capsys.readouterr().out
    assert run(command.__wrapped__, [*arguments, "--field", "class"]) == 2
    assert "names a field of --labels, which is missing" in capsys.readouterr().err
