"""Scores against scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from segment.core.labels.classes import IGNORED
from segment.core.model.calibration import Reliability
from segment.scores import Confusion

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def maps():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, (40, 50)).astype(np.uint8)  # d occurs in neither
    predicted = np.where(
        random.random((40, 50)) < 0.6, truth, random.integers(0, 3, (40, 50))
    ).astype(np.uint8)
    truth[:3] = IGNORED
    predicted[:, :2] = IGNORED
    return truth, predicted


def test_against_scikit_learn_in_pieces(maps):
    truth, predicted = maps
    confusion = Confusion(NAMES)
    for row in range(0, 40, 7):
        confusion.add(truth[row : row + 7], predicted[row : row + 7])
    both = (truth != IGNORED) & (predicted != IGNORED)
    t, p = truth[both], predicted[both]
    report = confusion.report()
    assert report["pixels"] == both.sum()
    np.testing.assert_array_equal(report["confusion"], confusion_matrix(t, p, labels=range(4)))
    assert report["accuracy"] == pytest.approx(accuracy_score(t, p), abs=1e-6)
    np.testing.assert_allclose(
        list(report["jaccard"].values())[:3], jaccard_score(t, p, average=None), atol=1e-6
    )
    np.testing.assert_allclose(
        list(report["f1"].values())[:3], f1_score(t, p, average=None), atol=1e-6
    )
    assert report["mean_jaccard"] == pytest.approx(jaccard_score(t, p, average="macro"), abs=1e-6)
    assert report["jaccard"]["d"] is None and report["soft_jaccard"] is None


def test_soft_jaccard_is_the_tutorials(maps):
    truth, predicted = maps
    p = np.random.default_rng(1).dirichlet(np.ones(4), truth.shape).astype(np.float32)
    confusion = Confusion(NAMES)
    confusion.add(truth, predicted, p)
    both = (truth != IGNORED) & (predicted != IGNORED)
    one_hot = np.eye(4)[truth[both]]
    hits = (one_hot * p[both]).sum()
    assert confusion.soft_jaccard == pytest.approx(
        hits / (one_hot.sum() + p[both].sum() - hits), rel=1e-6
    )


def test_calibration_error_is_that_of_the_given_class_and_is_restored(maps):
    truth, predicted = maps
    p = np.random.default_rng(1).dirichlet(np.ones(4), truth.shape).astype(np.float32)
    first, second = Confusion(NAMES), Confusion(NAMES)
    first.add(truth[:20], predicted[:20], p[:20])
    second.merge(json.loads(json.dumps(first.state())))
    second.add(truth[20:], predicted[20:], p[20:])
    both = (truth != IGNORED) & (predicted != IGNORED)
    given = np.take_along_axis(p[both], predicted[both][:, None].astype(int), axis=1)[:, 0]
    expected = Reliability().add(given, predicted[both] == truth[both]).error
    assert second.report()["calibration_error"] == pytest.approx(expected, abs=1e-6)


def test_soft_jaccard_of_hard_labels_is_accuracy_in_disguise(maps):
    truth, predicted = maps
    confusion = Confusion(NAMES)
    confusion.add(
        truth, predicted, np.eye(4, dtype=np.float32)[np.where(predicted == IGNORED, 0, predicted)]
    )
    assert confusion.soft_jaccard == pytest.approx(confusion.accuracy / (2 - confusion.accuracy))


def test_nothing_scored_gives_no_numbers():
    confusion = Confusion(NAMES)
    confusion.add(np.full((2, 2), IGNORED, np.uint8), np.zeros((2, 2), np.uint8))
    report = confusion.report()
    assert (report["accuracy"], report["mean_jaccard"], report["pixels"]) == (None, None, 0)
