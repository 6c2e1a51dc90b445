"""Limits of unsure answers, chosen on validation."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify.labelling.arrays import predict_array
from classify.labelling.predict import predict_images
from classify.training.evaluation import evaluate
from classify.training.train import train
from classify.training.unsure import KEPT, choose_limits
from segment.core.model.bundle import bundle_model
from segment.core.model.folder import NOVELTY_FILE, load_model_info
from tests.classify.conftest import config
from tests.conftest import write_raster

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("count", [20, 137, 2000])
def test_limits_keep_as_many_right_answers_as_they_should(count: int) -> None:
    random = np.random.default_rng(count)
    probability, distance = random.beta(5, 1, count), random.gamma(4, 1, count)
    threshold, limit = choose_limits(probability, distance)
    kept = (probability >= threshold) & (distance <= limit)
    assert KEPT <= kept.mean() <= KEPT + max(0.02, 2 / count)  # either limit is at an image
    # either turns some away
    if count > 100:
        assert (probability < threshold).any() and (distance > limit).any()


def test_equal_answers_are_all_kept() -> None:
    threshold, limit = choose_limits(np.full(30, 0.7), np.full(30, 2.0))
    assert threshold <= 0.7 and limit == 2.0


@pytest.mark.slow
def test_training_finds_when_answers_are_unsure(
    tmp_path: Path, class_folders: Callable[..., Path], no_pictures: None
) -> None:
    data = class_folders(90)
    run = train([data], tmp_path / "run", config("training.epochs=4"))
    info = load_model_info(tmp_path / "run")
    assert info.labels is not None and info.labels.unsure is not None
    assert (tmp_path / "run" / NOVELTY_FILE).is_file()
    shares = run.validation.report["unsure"]
    assert shares["right"] <= 1 - KEPT + 0.001
    stripes = np.zeros((36, 36, 3), np.uint8)
    stripes[::4] = (255, 0, 255)
    odd = write_raster(tmp_path / "odd.png", stripes)
    known = next((data / "field").glob("*.png"))
    found = list(predict_images([known, odd], tmp_path / "run", runtime="keras"))
    assert [one.unsure for one in found] == [False, True]
    assert found[1].given == ["unsure"] and found[1].labels
    alone = predict_array(stripes, tmp_path / "run", runtime="keras")
    assert alone.unsure and alone.labels == found[1].labels
    scores = evaluate([data], tmp_path / "run", runtime="keras", part="val").report
    assert scores["unsure"] == shares
    bundle_model(tmp_path / "run", tmp_path / "packed")
    assert predict_array(stripes, tmp_path / "packed", runtime="keras").unsure
    # a later training with too few images takes it back
    again = train([class_folders(8, "few")], tmp_path / "run", config(), overwrite=True)
    assert not (tmp_path / "run" / NOVELTY_FILE).exists()
    assert "unsure" not in again.validation.report
