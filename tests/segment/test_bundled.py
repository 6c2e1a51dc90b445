"""The model that comes with segment holds what its card says, in every form, and is what commands
take by default.
"""

import numpy as np
import pytest

from segment.bundled import BUNDLED
from segment.cli import predict
from segment.config import ModelSettings
from segment.core.cli.command import run
from segment.core.errors import InputError
from segment.core.model.folder import load_keras_model, load_model_info
from segment.core.model.runtime import load_model
from segment.core.pixels.normalise import BandStatistics
from segment.mapping.predict import predict_scene
from segment.sample import write_sample
from segment.training.evaluation import evaluate
from segment.training.models import build_model
from tests.conftest import assert_fit_to_bundle, write_raster

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A scene that training never saw: it saw seeds from 1 to 96."""
    return write_sample(tmp_path_factory.mktemp("bundled") / "town", 1024, 1024, seed=1000)


def test_it_knows_what_it_was_trained_on(tmp_path, dubai):
    for tile, shares in (("Tile 2", (1, 0)), ("Tile 3", (0, 0)), ("Tile 4", (0, 0))):
        for kind in ("images", "masks"):
            (file,) = (dubai / tile / kind).glob("image_part_001.*")
            (tmp_path / tile / kind).mkdir(parents=True)
            (tmp_path / tile / kind / file.name).symlink_to(file)
        report = evaluate(tmp_path / tile).report
        assert (report["trained_on"]["share"], report["validated_on"]["share"]) == shares
    for seed, known in ((0, False), (3, True), (1001, False)):
        town = write_sample(tmp_path / str(seed), 300, 200, seed)
        report = predict_scene(
            town / "scene.tif", BUNDLED, tmp_path / "maps", truth=town / "truth.tif", overwrite=True
        ).report
        assert (report["trained_on"]["share"] == 1) == known and bool(
            report["trained_on"]["pixels"]
        ) == known


def test_it_is_small_and_says_what_it_is():
    info = load_model_info(BUNDLED)
    assert info.class_table.names == ["building", "land", "road", "vegetation", "water"]
    assert (info.task, info.bands, info.dtype) == ("segment", 3, "uint8")
    smallest, largest = info.ground_sampling_range
    assert smallest < 0.1 < info.ground_sampling_distance < 1.9 < largest
    assert_fit_to_bundle(BUNDLED)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["keras", "openvino"])
def test_it_maps_an_unseen_town(town, tmp_path, runtime):
    result = predict_scene(
        town / "scene.tif", load_model(BUNDLED, runtime), tmp_path, truth=town / "truth.tif"
    )
    assert result.report["mean_jaccard"] > 0.8


def test_commands_take_it_by_default(town, tmp_path, capsys):
    arguments = [
        str(town / "scene.tif"),
        "--truth",
        str(town / "truth.tif"),
        "--output",
        str(tmp_path),
        "--quiet",
    ]
    assert run(predict.__wrapped__, arguments) == 0
    assert (tmp_path / "scene_classes.tif").is_file()


def test_it_says_which_scenes_are_unlike_its_training(town, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    noise = write_raster(tmp_path / "noise.tif", pixels)
    report = predict_scene(noise, BUNDLED, tmp_path / "maps").report
    assert report["unfamiliar"] == 1 and any(
        "unlike everything" in note for note in report["notes"]
    )
    report = predict_scene(town / "scene.tif", BUNDLED, tmp_path / "maps").report
    assert report["unfamiliar"] <= 0.25 and not any(
        "unlike everything" in note for note in report["notes"]
    )


@pytest.mark.slow
def test_training_starts_from_it():
    values = np.full(3, 128.0)
    statistics = BandStatistics("uint8", 1, 0 * values, values, values, values)
    built = build_model(ModelSettings(weights="bundled"), 5, statistics, "auto", 256)
    assert not built.loaded.missing
    pixels = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    mine, theirs = (
        model.predict_on_batch(pixels) for model in (built.network, load_keras_model(BUNDLED))
    )
    np.testing.assert_allclose(mine, theirs, atol=1e-5)
    with pytest.raises(InputError, match="unet/efficientnet_lite0, model.backbone is resnet18"):
        build_model(
            ModelSettings(weights="bundled", backbone="resnet18"), 5, statistics, "auto", 256
        )
    other = build_model(ModelSettings(weights="bundled"), 3, statistics, "auto", 256)
    assert other.loaded.missing == ["final_conv"]
