"""Scores of a tile folder by models whose answers are known."""

import json
import os
import subprocess
import sys

import numpy as np

import segment

from ..conftest import write_raster
from ..fakes import FakeModel


class LopsidedModel(FakeModel):
    """Right and sure in the lower half of a tile, wrong by little in the upper one."""

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        right = super().answer(pixels)
        sureness = np.where(np.arange(pixels.shape[1]) < pixels.shape[1] // 2, 0.4, 0.9)[None, :, None, None]
        return (right * sureness + (1 - right) * (1 - sureness)).astype(np.float32)


def test_flips_and_turns_are_averaged_on_request(tmp_path):
    indices = np.random.default_rng(0).integers(0, 2, (32, 32, 1), np.uint8)
    write_raster(tmp_path / "tiles" / "images" / "a.png", indices)
    write_raster(tmp_path / "tiles" / "masks" / "a.png", 10 * indices)
    model = LopsidedModel(classes=2)
    alone = segment.evaluate(tmp_path / "tiles", model)
    assert alone.confusion.accuracy == 0.5
    averaged = segment.evaluate(tmp_path / "tiles", model, tmp_path / "scores", augment=True)
    assert averaged.confusion.accuracy == averaged.patch_scores[0] == 1
    assert json.loads((tmp_path / "scores" / "report.json").read_text()) == averaged.report


def test_the_command_prints_scores_and_no_more(tile_folder):
    """The bundled model needs no Keras here, but the data sets do: TensorFlow starts, and must not be heard."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", "import segment.cli; segment.cli.evaluate()", str(tile_folder(groups=1, count=1))]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert shown.returncode == 0 and shown.stdout.startswith("mean Jaccard") and not shown.stderr, shown
