"""Whole trainings of seconds: what a run folder holds, what it takes to go on with one, and what is
refused.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import rasterio
import yaml

import segment
from segment.config import Config, LossSettings
from segment.core.common_settings import PreprocessSettings, TrainingSettings
from segment.core.config import load_settings
from segment.core.errors import InputError, Interrupted
from segment.core.labels.classes import IGNORED, save_class_table
from segment.core.model.folder import RECORD_FILE, load_model_info, save_model_info
from segment.core.pixels.preprocessing import preprocess
from segment.core.progress import Silent
from segment.core.training.checkpoints import CHECKPOINT
from segment.core.training.optimizers import build_optimizer
from segment.data.dataset import Drawing, TileDataset
from segment.data.patches import Patch, grid_patches
from segment.data.pixels import TilePixels
from segment.data.tiles import find_pairs
from segment.scores import Confusion
from segment.training import train
from segment.training.losses import build_loss
from segment.training.report import choose_examples, choose_tiles
from segment.training.scoring import Evaluation
from segment.training.training_tiles import fit_novelty_detector
from tests.conftest import RUN_FILES, two_class_scene, write_raster
from tests.fakes import StopAfter
from tests.killed_training import train_and_kill
from tests.segment.data.test_mask_reading import Lines

pytestmark = pytest.mark.heavy


QUICK = ["model.backbone=resnet18", "data.tile=64", "training.batch_size=4"]


def config(*more: str) -> Config:
    return load_settings(Config, None, [*QUICK, *more])


def weights(folder: Path) -> list[np.ndarray]:
    return keras.saving.load_model(folder / "model.keras").get_weights()


@pytest.mark.slow
def test_a_run_folder_is_whole(tile_folder, tmp_path):
    root, output = tile_folder(groups=3, count=3), tmp_path / "runs" / "first"
    run = segment.train(
        root,
        output,
        config(
            "training.epochs=2",
            "data.test_groups=[scene1]",
            "data.val_groups=[scene2]",
            "scores.boundary_width=3",
        ),
    )
    assert {p.name for p in output.iterdir()} == RUN_FILES
    assert len(run.history) == 2 and "validation" in str(run) and "test" in str(run)
    report = json.loads((output / "report.json").read_text())
    assert report["mean_jaccard"] == pytest.approx(run.validation.confusion.mean_jaccard, abs=1e-6)
    assert report["pixels"] == report["test"]["pixels"] == 3 * 64 * 64
    assert report["boundary_width"] == report["test"]["boundary_width"] == 3
    assert report["boundary_jaccard"].keys() == {"land", "water"}
    # validation and test are other scenes, but of one kind
    assert (
        report["temperature"] != 1
        and report["calibration_error"] < report["calibration_error_before_temperature"]
    )
    info = yaml.safe_load((output / "model.yaml").read_text())
    assert (info["bands"], info["dtype"], info["tile"], info["training"]["groups"]["val"]) == (
        3,
        "uint8",
        64,
        ["scene2"],
    )
    page = (output / "report.html").read_text()
    assert page.count("data:image/png;base64") == 7 and "http" not in page
    model = segment.load_model(output)
    assert "land, water" in repr(model)
    assert model.predict(np.zeros((1, 64, 64, 3), np.uint8)).shape == (1, 64, 64, 2)
    evaluation = segment.evaluate(root, model, tmp_path / "scores")
    assert evaluation.report["pixels"] == 9 * 64 * 64
    scores = json.loads((tmp_path / "scores" / "report.json").read_text())
    assert scores == evaluation.report | {"runtime": model.runtime, "augment": False}
    with pytest.raises(InputError, match="--overwrite"):
        segment.train(root, output, config("training.epochs=1"))


@pytest.mark.slow
def test_the_same_seed_trains_the_same_model_and_a_break_changes_nothing(tile_folder, tmp_path):
    root = tile_folder()
    settings = config(
        "training.epochs=3", "data.crops=random", "augment.noise=0.05", "training.warmup_epochs=1"
    )
    whole = segment.train(root, tmp_path / "whole", settings)
    with pytest.raises(Interrupted, match="--resume"):
        segment.train(root, tmp_path / "broken", settings, progress=StopAfter(2))
    resumed = segment.train(root, tmp_path / "broken", settings, resume=True)
    assert resumed.history == whole.history
    for a, b in zip(weights(tmp_path / "whole"), weights(tmp_path / "broken"), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_killed_training_goes_on(tile_folder, tmp_path):
    root, output = tile_folder(), tmp_path / "run"
    # the process would measure which precision is faster
    same = ["training.schedule=constant", "training.precision=float32"]
    quick = [*QUICK, "training.epochs=40", *same]
    done = train_and_kill("segment", root, output, quick)
    settings = config(f"training.epochs={done + 1}", *same)
    run = segment.train(root, output, settings, resume=True)
    assert [row["epoch"] for row in run.history] == list(range(1, done + 2))
    unbroken = segment.train(root, tmp_path / "unbroken", settings)
    assert unbroken.history == run.history
    again = segment.train(root, tmp_path / "unbroken", settings, resume=True)
    for figure in ("temperature", "calibration_error", "calibration_error_before_temperature"):
        reported = [
            json.loads((folder / "report.json").read_text())[figure]
            for folder in (output, tmp_path / "unbroken")
        ]
        assert reported[0] == pytest.approx(reported[1], abs=1e-3), (
            "a run that had ended is not calibrated twice"
        )
    figures = [found.validation.report["accuracy"] for found in (again, unbroken)]
    # taking the temperature out and in rounds: a pixel may flip
    assert figures[0] == pytest.approx(figures[1], abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("crops", ["fixed", "random"])
def test_one_scene_trains_on_squares_of_ground(tmp_path, class_table, crops):
    image, mask = two_class_scene(512, 512)
    write_raster(tmp_path / "tiles" / "town" / "images" / "a.tif", image)
    write_raster(tmp_path / "tiles" / "town" / "masks" / "a.tif", mask)
    save_class_table(class_table, tmp_path / "tiles" / "classes.yaml")
    lines = Lines()
    settings = config(
        f"data.crops={crops}",
        "training.epochs=2",
        "training.steps_per_epoch=1",
    )
    run = segment.train(tmp_path / "tiles", tmp_path / "run", settings, progress=lines)
    assert "note: split by squares of ground of" in lines.text
    assert "are both trained on and scored" not in lines.text
    assert "Split</h2>" in (tmp_path / "run" / "report.html").read_text()
    assert 0 < run.validation.report["pixels"] < 512 * 512 / 2


@pytest.mark.slow
def test_resume_refuses_what_would_not_be_the_same_run(tile_folder, tmp_path):
    root, output = tile_folder(groups=4), tmp_path / "run"
    segment.train(root, output, config("training.epochs=1"))
    for change in (
        "training.seed=5",
        "training.optimizer=adamw",
        "loss.name=dice",
        "data.preprocess.denoise=3",
    ):
        with pytest.raises(InputError, match=change.split("=")[0]):
            segment.train(root, output, config("training.epochs=2", change), resume=True)
    record = (output / RECORD_FILE).read_bytes()
    shutil.rmtree(root / "scene3")
    with pytest.raises(InputError, match="data and split"):
        segment.train(root, output, config("training.epochs=2"), resume=True)
    assert (output / RECORD_FILE).read_bytes() == record
    whole = (output / CHECKPOINT).read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"junk"):
        (output / CHECKPOINT).write_bytes(broken)
        with pytest.raises(InputError, match="not a complete checkpoint"):
            segment.train(root, output, config("training.epochs=2"), resume=True)


@pytest.mark.slow
def test_preprocessing_goes_with_the_model(tile_folder, tmp_path):
    """A model that learned from denoised tiles maps and scores what is full of specks as if there
    were none.
    """
    root, output = tile_folder(), tmp_path / "run"
    run = segment.train(
        root, output, config("training.epochs=1", "data.preprocess={denoise: 3, clahe: 2}")
    )
    settings = load_model_info(output).preprocess
    assert (settings.denoise, settings.clahe, settings.sharpen) == (3, 2, 0)
    (group,) = load_model_info(output).training["groups"]["val"]
    assert segment.evaluate(root / group, output).report == run.validation.report
    clean, _ = two_class_scene(64, 64, seed=100)
    # specks alone are then what a median takes away
    clean = preprocess(clean, PreprocessSettings(denoise=5))
    speckled = clean.copy()
    speckled[4::8, 4::8] = 255
    maps = []
    for forget in (False, True):
        if forget:
            info = load_model_info(output)
            save_model_info(output, info.model_copy(update={"preprocess": PreprocessSettings()}))
        model = segment.load_model(output)
        for name, pixels in (("clean", clean), ("speckled", speckled)):
            scene = write_raster(tmp_path / f"{name}.tif", pixels)
            result = segment.predict_scene(
                scene, model, tmp_path / f"{name}{forget}", overlap=0, confidence=True
            )
            with rasterio.open(result.confidence) as file:
                maps.append(file.read(1).astype(int))
    assert np.abs(maps[0] - maps[1]).mean() < np.abs(maps[2] - maps[3]).mean() / 4
    assert (maps[0] != maps[2]).any()


def test_overwrite_spares_the_training_data(tile_folder):
    root = tile_folder()
    before = sorted(root.rglob("*"))
    with pytest.raises(InputError, match="not an earlier output"):
        segment.train(root, root, config("training.epochs=1"), overwrite=True)
    assert sorted(root.rglob("*")) == before


def test_ctrl_c_before_the_first_epoch_leaves_nothing(tile_folder, tmp_path, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "fit", stop)
    with pytest.raises(Interrupted, match="nothing was kept"):
        segment.train(tile_folder(), tmp_path / "run", config())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_early_stopping_ends_a_run_that_stands_still(tile_folder, tmp_path):
    settings = config(
        "training.epochs=30",
        "training.learning_rate=1e-12",
        "training.schedule=constant",
        "training.early_stopping=1",
    )
    run = segment.train(tile_folder(), tmp_path / "run", settings)
    assert len(run.history) < 30


@pytest.mark.parametrize(
    "schedule, first, middle, last",
    [("constant", 1, 1, 1), ("cosine", 1, 0.5, 0), ("one_cycle", 0, 0.7, 0)],
)
def test_schedules(schedule, first, middle, last):
    rate = build_optimizer(
        TrainingSettings(learning_rate=1, schedule=schedule, epochs=10), 100
    )._learning_rate
    assert float(rate(0)) == pytest.approx(first, abs=0.01)
    assert float(rate(500)) == pytest.approx(middle, abs=0.15)
    assert float(rate(999)) == pytest.approx(last, abs=0.01)


def test_warm_up_rises_linearly():
    rate = build_optimizer(
        TrainingSettings(learning_rate=1, warmup_epochs=2, epochs=10), 100
    )._learning_rate
    assert float(rate(99)) == pytest.approx(0.5) and float(rate(199)) == pytest.approx(1)


@pytest.mark.slow
def test_mixed_precision_trains_and_keeps_a_float32_model(tile_folder, tmp_path):
    segment.train(
        tile_folder(), tmp_path / "run", config("training.epochs=1", "training.precision=mixed")
    )
    kept = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert {layer.compute_dtype for layer in kept.layers} == {"float32"}


@pytest.mark.slow
def test_tensorboard_gets_the_scores_or_says_what_is_missing(tile_folder, tmp_path, monkeypatch):
    root, settings = tile_folder(), config("training.epochs=1", "training.tensorboard=true")
    segment.train(root, tmp_path / "run", settings)
    logs = b"".join(
        file.read_bytes() for file in (tmp_path / "run" / "tensorboard").rglob("events*")
    )
    assert b"epoch_loss" in logs and b"epoch_jaccard" in logs
    monkeypatch.setattr("segment.core.training.loop.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install"):
        segment.train(root, tmp_path / "other", settings)
    assert not (tmp_path / "other").exists()


def test_examples_are_best_median_and_worst():
    scores = [0.5, 0.9, float("nan"), 0.1, 0.7, 0.3]
    assert choose_examples(scores, each=1) == [("best", 1), ("median", 0), ("worst", 3)]
    assert choose_examples([0.2]) == [("best", 0)]
    assert choose_examples([float("nan")]) == []


def test_examples_are_scored_whole_where_such_tiles_are(tile_folder):
    whole = Patch(find_pairs(tile_folder())[0], 0, 0)
    half, small = replace(whole, row=4, seen_rows=28), replace(whole, column=40)
    evaluation = Evaluation(Confusion(["land"]), [half, whole, small], [0.9, 0.1, 0.8])
    assert choose_tiles(evaluation, tile=32) == [("best", 1)]
    unscored = replace(evaluation, patch_scores=[0.9, float("nan"), float("nan")])
    assert choose_tiles(unscored, tile=32) == [("best", 0)]
    assert choose_tiles(evaluation, tile=65, each=1) == [("best", 0), ("median", 2), ("worst", 1)]


@pytest.mark.parametrize(
    "settings, words",
    [
        (["loss.class_weights={sea: 2}"], ["'sea'", "land, water"]),
        (["data.classes=[{name: lava, color: '#FF0000', value: 9}]"], ["lava"]),
        (
            ["data.undeclared=refuse", "data.classes=[{name: land, color: '#804000'}]"],
            ["declared", "1 ("],
        ),
        (["data.val_groups=[nowhere]"], ["'nowhere'", "scene0"]),
        (["model.backbone=resnet"], ["'resnet'"]),
    ],
)
def test_what_does_not_fit_leaves_nothing_behind(tile_folder, tmp_path, settings, words):
    with pytest.raises(InputError) as error:
        segment.train(tile_folder(), tmp_path / "run", config(*settings))
    assert all(word in str(error.value) for word in words), error.value
    assert not (tmp_path / "run").exists()


def test_a_folder_without_class_table_is_refused(tile_folder, tmp_path):
    root = tile_folder()
    (root / "classes.yaml").unlink()
    with pytest.raises(InputError, match=r"classes\.yaml"):
        segment.train(root, tmp_path / "run", config())


def test_batches_without_a_labelled_pixel_leave_the_validation_loss_as_it_is(class_table):
    """Their loss would be 0, whatever the network answers."""
    random, names = np.random.default_rng(0), class_table.names
    labelled = random.integers(0, len(names), (3, 2, 8, 8)).astype(np.uint8)
    answers = random.dirichlet(np.ones(len(names)), (2, 8, 8)).astype(np.float32)
    data = SimpleNamespace(class_table=class_table, labels_of_collections={})
    network = SimpleNamespace(predict_on_batch=lambda images: answers)
    loss = build_loss(LossSettings(name="focal"), [1.0] * len(names))

    class Batches(list):
        patches = [SimpleNamespace(pair=SimpleNamespace(collection=""))] * 20

    def score(*references):
        batches = Batches((None, reference) for reference in references)
        return train._score_epoch(network, batches, loss, data, Silent())["val_loss"]

    nothing = np.full_like(labelled[0], IGNORED)
    partly = np.where(random.random(labelled[0].shape) < 0.1, labelled[0], IGNORED)
    each = [float(loss(one, answers)) for one in (*labelled, partly)]
    assert score(*labelled) == float(np.mean(each[:3]))
    assert score(nothing, *labelled, nothing) == float(np.mean(each[:3]))
    assert score(*labelled, partly) == float(np.mean(each))
    assert score(nothing) == 0


def test_resume_needs_a_run(tile_folder, tmp_path):
    with pytest.raises(InputError, match="checkpoint"):
        segment.train(tile_folder(), tmp_path / "run", config(), resume=True)


def test_unfamiliar_scenes_are_recognised_from_enough_tiles(tile_folder, class_table):
    pairs = find_pairs(tile_folder(groups=3, count=8))
    pixels, patches = TilePixels(class_table, "ignore", 1), grid_patches(pairs, 32)

    def dataset(count: int, **options: Any) -> TileDataset:
        return TileDataset(
            patches[-count:] if options else patches[:count],
            pixels,
            32,
            4,
            preprocessing=PreprocessSettings(),
            drawing=Drawing(**options),
        )

    augment = {"augment": lambda seed: lambda image, mask: (image, mask), "random_crops": True}
    detector = fit_novelty_detector(dataset(60, **augment), dataset(24), Silent())
    assert detector is not None
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert (
        detector.score(noise)
        > 1
        > np.median([detector.score(pixels.load(pair).image[:32, :32]) for pair in pairs[-5:]])
    )
    assert fit_novelty_detector(dataset(60, **augment), dataset(19), Silent()) is None
    assert fit_novelty_detector(dataset(49, **augment), dataset(24), Silent()) is None
