"""A training on tiles of 16 bits for a model of 8 bits."""

import json
from pathlib import Path

import numpy as np
import pytest

import segment
from segment.config import Config
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.model.folder import load_model_info
from segment.core.raster.sources import Source
from tests.conftest import two_class_scene, write_raster
from tests.segment.data.test_tile_scales import write_tiles

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("tiny_backbone")]


def test_the_scale_of_a_training_is_that_of_its_predictions(
    tmp_path: Path, class_table: ClassTable, no_pictures: None
) -> None:
    tiles, run = write_tiles(tmp_path / "tiles", class_table, 40, "uint16"), tmp_path / "run"
    settings = ["model.backbone=tiny", "data.tile=64", "training.batch_size=4"]
    settings += ["training.epochs=1", "data.scale=auto"]
    segment.train(tiles, run, load_settings(Config, None, settings))
    info = load_model_info(run)
    assert info.dtype == "uint8" and info.scale and info.scale.dtype == "uint16"
    scale = info.pixels.scale
    assert scale and scale.high[0] < 255 * 40
    image, _ = two_class_scene(64, 96, seed=9)
    scene = write_raster(tmp_path / "scene.tif", image.astype(np.uint16) * 20)
    model = segment.load_model(run)
    result = segment.predict_scene(scene, model, tmp_path)
    assert result.report["scale"]["low"] == list(scale.low)
    assert result.report["scale"]["high"] == list(scale.high)
    seen = write_raster(tmp_path / "seen.tif", scale.apply(image.astype(np.uint16) * 20))
    plain = segment.predict_scene(seen, model, tmp_path)
    assert plain.report["scale"] is None
    with Source(result.classes).open() as a, Source(plain.classes).open() as b:
        np.testing.assert_array_equal(a.read()[0], b.read()[0])
    own = segment.predict_scene(scene, model, tmp_path / "own", scale="1%,99%")
    assert own.report["scale"]["high"] != list(scale.high)
    evaluation = segment.evaluate(tiles, model, tmp_path / "scores")
    assert evaluation.report["pixels"] == 3 * 64 * 64
    familiar = json.loads((tmp_path / "scores" / "report.json").read_text())["trained_on"]
    assert familiar["pixels"]  # its own tiles are recognised
    floats = write_tiles(tmp_path / "floats", class_table, 0.1, "float32")
    with pytest.raises(InputError, match="Export the images so"):
        segment.evaluate(floats, model, scale="never")
