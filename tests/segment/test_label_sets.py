"""Labels that admit several classes: what they say in losses and in scores, against plain loops."""

from typing import get_args

import numpy as np
import pytest
from keras import ops

from segment.config import LossName, LossSettings
from segment.core.labels.classes import IGNORED
from segment.core.model.calibration import fit_temperature
from segment.label_sets import LabelSets
from segment.scores import Confusion
from segment.training.losses import build_loss

pytestmark = pytest.mark.heavy


NAMES = ["building", "land", "road", "water"]
OTHER = frozenset({1, 2, 3})
PAVED = frozenset({1, 2})
LABELS = LabelSets(NAMES, (OTHER, PAVED))  # codes 4 and 5
WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0])


@pytest.fixture
def batch():
    random = np.random.default_rng(3)
    truth = random.choice([0, 1, 2, 4, 5, IGNORED], (2, 6, 7)).astype(np.uint8)
    p = random.dirichlet([1, 1, 1, 1], (2, 6, 7)).astype(np.float32) * 0.98 + 0.005
    return truth, p


def pixels(truth: np.ndarray, p: np.ndarray) -> list[tuple[frozenset, np.ndarray]]:
    sets = LABELS.sets
    return [
        (sets[code], one)
        for code, one in zip(truth.ravel(), p.reshape(-1, 4), strict=True)
        if code != IGNORED
    ]


def overlap(truth: np.ndarray, p: np.ndarray, c: int) -> tuple[float, float, float]:
    hits = true = predicted = 0.0
    for admitted, one in pixels(truth, p):
        if admitted == {c}:
            hits, true, predicted = hits + one[c], true + 1, predicted + one[c]
        elif c not in admitted:
            predicted += one[c]
    return hits, true, predicted


def test_codes_say_what_they_admit():
    assert (LABELS.count, LABELS.code({2, 1}), LABELS.code({3}), LABELS.code([])) == (
        6,
        5,
        3,
        IGNORED,
    )
    assert LABELS.labels == [
        "building",
        "land",
        "road",
        "water",
        "land or road or water",
        "land or road",
    ]
    assert LABELS.admitted()[4].tolist() == [0, 1, 1, 1] and LABELS.positive()[4].tolist() == [
        0,
        0,
        0,
        0,
    ]
    assert LABELS.certain()[4].tolist() == [1, 0, 0, 0] and LABELS.certain()[2].tolist() == [
        1,
        1,
        1,
        1,
    ]
    assert not LABELS.admitted()[IGNORED].any() and not LABELS.certain()[IGNORED].any()


def test_classes_that_labels_cannot_tell_apart_are_one_group():
    assert LABELS.of([0, 4]).groups.tolist() == [0, 1, 1, 1]
    assert LABELS.of([0, 1, 2, 3]).groups.tolist() == [0, 1, 2, 3]
    assert LABELS.of([5, 3]).groups.tolist() == [0, 1, 1, 2]
    assert LabelSets(NAMES, (frozenset({0, 3}), frozenset({3, 1}))).groups.tolist() == [0, 0, 1, 0]
    assert LABELS.of([0, 4]).named.tolist() == [True, False, False, False]


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_focal_loss_is_that_of_the_probability_of_the_set(batch, gamma):
    truth, p = batch
    found = []
    for admitted, one in pixels(truth, p):
        chosen = sum(one[c] for c in admitted)
        found.append(
            -np.mean([WEIGHTS[c] for c in admitted]) * (1 - chosen) ** gamma * np.log(chosen)
        )
    loss = build_loss(LossSettings(name="focal", gamma=gamma), WEIGHTS, LABELS)
    assert float(loss(truth, ops.convert_to_tensor(p))) == pytest.approx(np.mean(found), rel=1e-5)


@pytest.mark.parametrize("name", ["dice", "jaccard"])
def test_overlaps_count_where_membership_is_certain(batch, name):
    truth, p = batch
    total = norm = 0.0
    for c in (0, 1, 2):  # water is never true for certain
        hits, true, predicted = overlap(truth, p, c)
        value = (
            2 * hits / (true + predicted) if name == "dice" else hits / (true + predicted - hits)
        )
        total, norm = total + WEIGHTS[c] * (1 - value), norm + WEIGHTS[c]
    loss = build_loss(LossSettings(name=name), WEIGHTS, LABELS)
    assert float(loss(truth, ops.convert_to_tensor(p))) == pytest.approx(total / norm, rel=1e-5)


def test_a_collection_of_buildings_alone_teaches_where_there_are_none():
    """Else a network would learn from it that buildings are everywhere."""
    truth = np.array([[[0, 0, 4, 4]]], np.uint8)
    everywhere = np.full((1, 1, 4, 4), 0.01, np.float32)
    everywhere[..., 0] = 0.97
    right = everywhere.copy()
    right[..., 2:, :] = [0.01, 0.97, 0.01, 0.01]
    loss = build_loss(LossSettings(name="dice"), np.ones(4), LABELS)
    high, low = (float(loss(truth, ops.convert_to_tensor(p))) for p in (everywhere, right))
    assert low < 0.05 and high > 0.3


@pytest.mark.parametrize("name", get_args(LossName))
def test_single_classes_are_what_they_are_without_sets_bit_for_bit(name):
    random = np.random.default_rng(1)
    truth = random.choice([0, 1, 2, 3, IGNORED], (2, 8, 8)).astype(np.uint8)
    p = ops.convert_to_tensor(random.dirichlet([1] * 4, (2, 8, 8)).astype(np.float32))
    plain, with_sets = (
        build_loss(LossSettings(name=name), WEIGHTS, labels) for labels in (None, LABELS)
    )
    assert float(plain(truth, p)) == float(with_sets(truth, p))


def test_scores_against_loops(batch):
    truth, p = batch
    labels = LABELS.of([0, 1, 2, 4, 5])
    predicted = p.argmax(axis=-1).astype(np.uint8)
    confusion = Confusion(NAMES, labels)
    for half in (0, 1):
        confusion.add(truth[half], predicted[half], p[half])
    one_hot = np.eye(4)[predicted]
    for c in (0, 1, 2):
        hits, true, given = overlap(truth, one_hot, c)
        assert confusion.jaccard[c] == pytest.approx(hits / (true + given - hits))
        assert confusion.f1[c] == pytest.approx(2 * hits / (true + given))
    # no label names water alone
    assert np.isnan(confusion.jaccard[3]) and np.isnan(confusion.f1[3])
    assert confusion.mean_jaccard == pytest.approx(np.mean(confusion.jaccard[:3]))
    right = [int(one.argmax()) in admitted for admitted, one in pixels(truth, one_hot)]
    assert confusion.accuracy == pytest.approx(np.mean(right))
    report = confusion.report()
    assert np.shape(report["confusion"]) == (6, 4) and report["labels"] == LABELS.labels
    assert report["jaccard"]["water"] is None


def test_another_class_counts_as_an_error_where_only_one_class_is_labelled():
    confusion = Confusion(NAMES, LABELS.of([0, 4]))
    truth, predicted = (
        np.array([[0, 0, 0, 4, 4, 4]], np.uint8),
        np.array([[0, 3, 1, 1, 2, 0]], np.uint8),
    )
    confusion.add(truth, predicted)
    assert confusion.jaccard[0] == pytest.approx(1 / 4) and confusion.mean_jaccard == pytest.approx(
        1 / 4
    )
    assert confusion.accuracy == pytest.approx(3 / 6)


def test_calibration_counts_what_labels_tell_apart():
    """Land at 0.4, road at 0.3 and water at 0.3 are a sure answer where the labels know buildings
    alone.
    """
    confusion = Confusion(NAMES, LABELS.of([0, 4]))
    p = np.tile(np.float32([0.0, 0.4, 0.3, 0.3]), (1, 10, 1))
    confusion.add(np.full((1, 10), 4, np.uint8), p.argmax(-1).astype(np.uint8), p)
    assert confusion.reliability.error == pytest.approx(0, abs=1e-6)
    assert confusion.soft_jaccard == pytest.approx(1)


def test_state_is_kept_and_merged(batch):
    truth, p = batch
    predicted = p.argmax(axis=-1).astype(np.uint8)
    whole, first, second = (Confusion(NAMES, LABELS) for _ in range(3))
    whole.add(truth, predicted, p)
    first.add(truth[0], predicted[0], p[0])
    second.add(truth[1], predicted[1], p[1])
    first.merge(second.state())
    assert first.report() == whole.report()


def test_temperature_is_fitted_to_sets():
    random = np.random.default_rng(0)
    sharp = random.normal(0, 3, (4000, 4))
    p = np.exp(sharp) / np.exp(sharp).sum(1, keepdims=True)
    true = np.array(
        [random.choice(4, p=q) for q in np.exp(sharp / 2) / np.exp(sharp / 2).sum(1, keepdims=True)]
    )
    codes = np.where(np.isin(true, (1, 2)) & (random.random(4000) < 0.5), 5, true)
    assert fit_temperature(LABELS.admitted()[codes], p, multi_label=False) == pytest.approx(
        2, rel=0.1
    )
