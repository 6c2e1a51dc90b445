"""Trainings on a scene as it is."""

import numpy as np
import pytest

import segment
from segment.config import Config
from segment.core.errors import InputError
from segment.core.progress import Silent
from segment.data.dataset import TileDataset
from segment.data.pixels import TilePixels
from segment.data.training_data import TrainingData
from segment.training.training_tiles import training_tiles
from tests.conftest import two_class_scene, write_raster

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("tiny_backbone")]

CLASSES = (
    '- {name: land, color: "#804000", value: 0}\n- {name: water, color: "#0000FF", value: 1}\n'
)


@pytest.fixture
def scene(tmp_path):
    image, mask = two_class_scene(200, 260, seed=3)
    write_raster(tmp_path / "town_mask.tif", mask)
    (tmp_path / "classes.yaml").write_text(CLASSES)
    return write_raster(tmp_path / "town.tif", image, tiled=True, blockxsize=64, blockysize=64)


def config(scene, epochs=1, **data):
    return Config.model_validate(
        {
            "data": {
                "labels": {"path": str(scene.with_name("town_mask.tif"))},
                "tile": 32,
                "crops": "random",
                "epoch_tiles": 12,
            }
            | data,
            "model": {"backbone": "tiny"},
            "training": {"epochs": epochs, "batch_size": 4},
        }
    )


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_crops_are_those_of_the_scene_read_whole(scene, sampling):
    settings = config(scene, sampling=sampling)
    data = TrainingData.prepare(scene, settings, Silent())
    pixels = TilePixels(data.class_table, "ignore", 1)

    class Whole(TilePixels):
        def load(self, pair):
            found = super().load(pair)
            return found.window(0, 0, *found.shape)

    whole = Whole(data.class_table, "ignore", 1)
    by_windows, at_once = (training_tiles(each, data, settings) for each in (pixels, whole))
    assert isinstance(by_windows, TileDataset) and len(by_windows) == 3
    for index in range(3):
        for ours, theirs in zip(by_windows[index], at_once[index], strict=True):
            assert np.array_equal(ours, theirs)


def test_a_scene_is_trained_on_and_resumed(scene, tmp_path, no_pictures):
    segment.train(scene, tmp_path / "once", config(scene, epochs=2))
    segment.train(scene, tmp_path / "again", config(scene, epochs=2))
    histories = [(tmp_path / run / "history.csv").read_text() for run in ("once", "again")]
    assert "val_jaccard" in histories[0]
    losses = [[line.split(",")[1] for line in text.splitlines()] for text in histories]
    assert losses[0] == losses[1]
    assert (tmp_path / "once" / "report.html").is_file()
    mask = np.zeros((200, 260, 1), np.uint8)
    mask[:, ::2] = 1
    write_raster(tmp_path / "town_mask.tif", mask)
    with pytest.raises(InputError):
        segment.train(scene, tmp_path / "once", config(scene, epochs=3), resume=True)
