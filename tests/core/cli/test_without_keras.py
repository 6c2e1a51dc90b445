"""Models that OpenVINO computes are scored without Keras, which takes seconds and memory."""

import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import two_class_scene, write_raster

pytestmark = pytest.mark.heavy

CHECK = """
import sys, segment.cli, classify.cli
from segment.core.cli.command import run
command = getattr({package}.cli, {name!r}).__wrapped__
status = run(command, sys.argv[1:])
loaded = [name for name in ("keras", "tensorflow", "jax", "torch") if name in sys.modules]
assert not loaded, loaded
sys.exit(status)
"""


def in_a_child(package, name, *arguments):
    code = CHECK.format(package=package, name=name)
    command = [sys.executable, "-c", code, *map(str, arguments), "--runtime", "openvino"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_evaluation_of_tiles(tmp_path):
    for number in range(3):
        image, _ = two_class_scene(96, 96, seed=number)
        mask = np.zeros((96, 96, 1), np.uint8)
        write_raster(tmp_path / "tiles" / "images" / f"{number}.png", image)
        write_raster(tmp_path / "tiles" / "masks" / f"{number}.png", mask)
    found = in_a_child("segment", "evaluate", tmp_path / "tiles", "--output", tmp_path / "scores")
    assert "mean Jaccard" in found and (tmp_path / "scores" / "report.html").is_file()


def test_evaluation_of_images(tmp_path):
    from classify.bundled import BUNDLED
    from segment.core.model.folder import load_model_info

    for name in load_model_info(BUNDLED).class_table.names[:2]:
        image, _ = two_class_scene(96, 96, seed=1)
        write_raster(tmp_path / "data" / name / "a.png", image)
    found = in_a_child("classify", "evaluate", tmp_path / "data", "--output", tmp_path / "scores")
    assert "accuracy" in found and (tmp_path / "scores" / "report.html").is_file()
