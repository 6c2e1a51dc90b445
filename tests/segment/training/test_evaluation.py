"""Scores of a tile folder by models whose answers are known."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import segment
from segment.boundaries import Boundaries
from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable, rgb_of, save_class_table
from segment.core.progress import Silent
from tests.conftest import write_raster
from tests.fakes import COLORS, FakeModel


class LopsidedModel(FakeModel):
    """Right and sure in the lower half of a tile, wrong by little in the upper one."""

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        right = super().answer(pixels)
        sureness = np.where(np.arange(pixels.shape[1]) < pixels.shape[1] // 2, 0.4, 0.9)[
            None, :, None, None
        ]
        return (right * sureness + (1 - right) * (1 - sureness)).astype(np.float32)


@pytest.mark.heavy
def test_flips_and_turns_are_averaged_on_request(tmp_path):
    indices = np.random.default_rng(0).integers(0, 2, (32, 32, 1), np.uint8)
    write_raster(tmp_path / "tiles" / "images" / "a.png", indices)
    write_raster(tmp_path / "tiles" / "masks" / "a.png", 10 * indices)
    model = LopsidedModel(classes=2)
    alone = segment.evaluate(tmp_path / "tiles", model)
    assert alone.confusion.accuracy == 0.5
    averaged = segment.evaluate(tmp_path / "tiles", model, tmp_path / "scores", augment=True)
    assert averaged.confusion.accuracy == averaged.patch_scores[0] == 1
    assert model.tiles == 1 + 8 + 8  # the last ones for the report's picture
    reported = json.loads((tmp_path / "scores" / "report.json").read_text())
    assert reported == averaged.report | {"runtime": "fake", "augment": True}
    assert (
        "fake (fake, flips and turns averaged) on tiles"
        in (tmp_path / "scores" / "report.html").read_text()
    )


@pytest.mark.heavy
def test_boundaries_are_scored_in_each_tile_by_itself(tmp_path):
    random = np.random.default_rng(0)
    found = Boundaries(["building", "land"], width=2)
    for name in "abcde":
        indices = np.kron(random.integers(0, 2, (4, 4)), np.ones((8, 8), int)).astype(np.uint8)
        true = np.where(random.random(indices.shape) < 0.1, 1 - indices, indices)
        true = np.where(random.random(indices.shape) < 0.02, 255, true).astype(np.uint8)
        write_raster(tmp_path / "tiles" / "images" / f"{name}.png", indices[..., None])
        mask = np.where(true == 255, 255, 10 * true).astype(np.uint8)
        write_raster(tmp_path / "tiles" / "masks" / f"{name}.png", mask[..., None])
        found.add(true, indices)
    model = FakeModel(classes=2)
    scored = segment.evaluate(tmp_path / "tiles", model, tmp_path / "out", boundary_width=2)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {key: report[key] for key in found.report()} == found.report()
    assert 0 < scored.mean_boundary_jaccard < scored.mean_jaccard
    assert f"boundary Jaccard {scored.mean_boundary_jaccard:.3f}" in str(scored)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Boundary Jaccard" in page and "within 2 pixels of boundaries" in page
    with pytest.raises(InputError, match="from 1 to 100. Received 0"):
        segment.evaluate(tmp_path / "tiles", model, boundary_width=0)


def test_a_scene_in_place_of_tiles_is_refused(tmp_path):
    scene = write_raster(tmp_path / "scene.tif", np.zeros((8, 20, 1), np.uint8))
    with pytest.raises(InputError, match="segment-predict SCENE --truth MASK"):
        segment.evaluate(scene, FakeModel())


def test_small_images_are_shown_as_they_are(tmp_path, monkeypatch):
    """Without what fills them up to a tile."""
    write_raster(tmp_path / "tiles" / "images" / "a.png", np.zeros((8, 20, 1), np.uint8))
    write_raster(tmp_path / "tiles" / "masks" / "a.png", np.zeros((8, 20, 1), np.uint8))
    shown = []
    monkeypatch.setattr(
        "matplotlib.axes.Axes.imshow", lambda axes, picture, **_: shown.append(picture.shape[:2])
    )
    segment.evaluate(tmp_path / "tiles", FakeModel(), tmp_path / "scores")
    assert shown[-3:] == [(8, 20)] * 3
    assert "scored whole" not in (tmp_path / "scores" / "report.html").read_text()


def test_an_output_below_a_file_is_reported_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    model = FakeModel()
    with pytest.raises(InputError, match=r"/file is a file"):
        segment.evaluate(tmp_path, model, tmp_path / "file" / "scores" / "first")
    assert model.tiles == 0


@pytest.mark.slow
@pytest.mark.heavy
def test_the_command_prints_scores_and_no_more(tile_folder):
    """Where Keras starts, to look for a GPU, what TensorFlow prints is not shown."""
    environment = {
        name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"
    }
    command = [
        sys.executable,
        "-c",
        "import segment.cli; segment.cli.evaluate()",
        str(tile_folder(groups=1, count=1)),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert shown.returncode == 0 and shown.stdout.startswith("mean Jaccard") and not shown.stderr, (
        shown
    )
    looking = [
        sys.executable,
        "-c",
        "from segment.core.model.runtime import has_gpu; has_gpu()",
    ]  # as where a driver is installed
    shown = subprocess.run(looking, capture_output=True, text=True, env=environment)
    assert shown.returncode == 0 and not shown.stderr, shown


def test_infrared_tagged_as_alpha_is_a_band_of_all_tiles(tmp_path):
    """One tile is a lake, infrared 0 throughout: by itself it would be transparent."""
    random = np.random.default_rng(0)
    for name in ("a", "b", "lake"):
        image = np.repeat(random.integers(0, 2, (32, 32, 1)), 4, axis=2).astype(np.uint8)
        write_raster(tmp_path / "tiles" / "masks" / f"{name}.png", 10 * image[..., :1])
        image[..., 3] = 0 if name == "lake" else random.integers(10, 200, (32, 32))
        write_raster(tmp_path / "tiles" / "images" / f"{name}.png", image)
    for bands, said in ((4, "it is read as one"), (3, "left out: 3 bands")):
        lines = Lines()
        scores = segment.evaluate(
            tmp_path / "tiles", ModelOfAnyOrder(bands=bands, classes=2), progress=lines
        )
        assert scores.confusion.accuracy == 1 and scores.confusion.matrix.sum() == 3 * 32 * 32
        assert said in lines.said[0]
    with pytest.raises(InputError, match=r"4 bands .* model reads 2 bands"):
        segment.evaluate(tmp_path / "tiles", FakeModel(bands=2, classes=2))


class ModelOfAnyOrder(FakeModel):
    def predict(self, pixels: np.ndarray) -> np.ndarray:
        return super().predict(np.ascontiguousarray(pixels))


class Lines(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


def test_tiles_of_more_than_8_bits_are_scaled_as_scenes_are(tmp_path):
    indices = np.random.default_rng(0).integers(0, 2, (32, 32, 1))
    write_raster(tmp_path / "tiles" / "images" / "a.tif", (1000 + 2000 * indices).astype(np.uint16))
    write_raster(tmp_path / "tiles" / "masks" / "a.tif", (10 * indices).astype(np.uint8))
    said = []
    progress = Silent()
    progress.say = said.append
    model = FakeModel(classes=2)
    for scale in ("auto", "1000,3000", "0%,100%"):
        found = segment.evaluate(tmp_path / "tiles", model, scale=scale, progress=progress)
        assert found.confusion.accuracy == 1, scale
    assert sum("8 bits" in line for line in said) == 3, said
    with pytest.raises(InputError, match="1 band of uint16, but the model reads 1 band of uint8"):
        segment.evaluate(tmp_path / "tiles", model, scale="never")
    with pytest.raises(InputError, match="--scale: the first must be below the second"):
        segment.evaluate(tmp_path / "tiles", model, scale="9,3")


@pytest.mark.parametrize("kind", ["values", "colours"])
def test_classes_that_the_model_does_not_have_are_reported(tmp_path, kind):
    indices = np.random.default_rng(0).integers(0, 4, (32, 32, 1), np.uint8)
    names = ["BUILDING", "land", "forest", "rock"]
    table = ClassTable(
        [
            Class(name=n, color=c, value=10 * i)
            for i, (n, c) in enumerate(zip(names, COLORS, strict=False))
        ]
    )
    colors = np.array([rgb_of(c.color) for c in table.classes], np.uint8)
    root = tmp_path / "tiles"
    write_raster(root / "images" / "a.png", np.minimum(indices, 1))
    mask = 10 * indices if kind == "values" else colors[indices[..., 0]]
    write_raster(root / "masks" / "a.png", mask)
    save_class_table(table, root / "classes.yaml")
    lines = Lines()
    scored = segment.evaluate(root, FakeModel(classes=2), progress=lines)
    assert scored.report["pixels"] == (indices < 2).sum() and scored.accuracy == 1
    forest, rock = ((indices == k).mean() for k in (2, 3))
    wanted = sorted([(forest, "forest"), (rock, "rock")], reverse=True)
    listed = ", ".join(f"{name} ({share:.1%})" for share, name in wanted)
    assert f"warning: classes that the model does not have are not scored: {listed}." in " ".join(
        lines.said
    )
    save_class_table(ClassTable(table.table[:2]), root / "classes.yaml")
    two = np.minimum(indices, 1)
    write_raster(root / "masks" / "a.png", 10 * two if kind == "values" else colors[two[..., 0]])
    known = Lines()
    segment.evaluate(root, FakeModel(classes=2), progress=known)
    assert "does not have" not in " ".join(known.said)
