"""Cross-entropies and their gradients against plain numpy."""

import numpy as np
import pytest
from keras import ops

from classify.config import LossSettings
from classify.training.losses import build_loss
from tests.segment.training.test_losses import gradient

pytestmark = pytest.mark.heavy


WEIGHTS = [1.0, 2.0, 0.5]
SMOOTHINGS = [0.0, 0.3]


def reference(truth: np.ndarray, p: np.ndarray, smoothing: float, multi_label: bool) -> float:
    """Image by image, as one would write it on paper."""
    total = 0.0
    for t, q in zip(truth.astype(float), p.astype(float), strict=True):
        if multi_label:
            s = t * (1 - smoothing) + smoothing / 2
            total += float(np.mean(WEIGHTS * -(s * np.log(q) + (1 - s) * np.log(1 - q))))
        else:
            s = t * (1 - smoothing) + smoothing / 3
            total += float(np.dot(t, WEIGHTS) * -np.dot(s, np.log(q)))
    return total / len(truth)


@pytest.fixture
def probabilities() -> np.ndarray:
    return np.random.default_rng(0).dirichlet([1, 1, 1], 4).astype(np.float32) * 0.9 + np.float32(
        0.1 / 3
    )


TRUTHS = {
    "one label": (False, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]),
    "mixed": (False, [[0.7, 0.3, 0], [0, 1, 0], [0, 0.2, 0.8], [0.5, 0.5, 0]]),
    "multi_label": (True, [[1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 1, 1]]),
    "several, mixed": (True, [[0.7, 0.3, 0.3], [0, 0, 0], [0, 0, 1], [1, 0.5, 1]]),
}


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("kind", TRUTHS)
def test_value_and_gradient(kind, smoothing, probabilities):
    multi_label, truth = TRUTHS[kind][0], np.array(TRUTHS[kind][1], np.float32)
    loss = build_loss(LossSettings(label_smoothing=smoothing), WEIGHTS, multi_label)
    expected = reference(truth, probabilities, smoothing, multi_label)
    assert float(
        loss(ops.convert_to_tensor(truth), ops.convert_to_tensor(probabilities))
    ) == pytest.approx(expected, rel=1e-5)
    numeric = np.zeros(probabilities.shape)
    for index in np.ndindex(*probabilities.shape):
        high, low = probabilities.astype(float), probabilities.astype(float)
        high[index] += 1e-5
        low[index] -= 1e-5
        numeric[index] = (
            reference(truth, high, smoothing, multi_label)
            - reference(truth, low, smoothing, multi_label)
        ) / 2e-5
    np.testing.assert_allclose(gradient(loss, truth, probabilities), numeric, atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize("multi_label", [False, True])
def test_extremes_stay_finite(multi_label):
    loss = build_loss(LossSettings(), [1.0, 1.0], multi_label)
    truth = np.array([[1, 0], [1, 0]], np.float32)
    right, wrong = truth, 1 - truth
    assert float(loss(truth, ops.convert_to_tensor(right))) == pytest.approx(0, abs=1e-5)
    assert 10 < float(loss(truth, ops.convert_to_tensor(wrong))) < 20
    assert np.isfinite(gradient(loss, truth, wrong)).all()


def test_smoothing_costs_the_sure_and_spares_the_even():
    loss = build_loss(LossSettings(label_smoothing=0.2), [1.0] * 4, False)
    truth = np.eye(4, dtype=np.float32)
    sure, even = (
        ops.convert_to_tensor(truth * (1 - 4 * rest) + rest)
        for rest in (np.float32(1e-5), np.float32(0.05))
    )
    assert float(loss(truth, sure)) > float(loss(truth, even))


UNIONS = [(0, 1), (1, 2)]
"""Columns 3 and 4 of the reference."""


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_sets_of_classes_count_by_the_sum_of_their_probabilities(smoothing, probabilities):
    loss = build_loss(LossSettings(label_smoothing=smoothing), WEIGHTS, False, UNIONS)
    # the last is mixed of the two sets, which their classes alone would not tell apart
    truth = np.array(
        [[1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0.6, 0.4]], np.float32
    )
    weights, expected = [*WEIGHTS, 1.5, 1.25], 0.0
    for t, p in zip(truth.astype(float), probabilities.astype(float), strict=True):
        sums = np.array([*p, p[0] + p[1], p[1] + p[2]])
        marginal = -(1 - smoothing) * np.dot(t, np.log(sums)) - smoothing * np.log(p).mean()
        expected += float(np.dot(t, weights) * marginal) / len(truth)
    found = loss(ops.convert_to_tensor(truth), ops.convert_to_tensor(probabilities))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_without_sets_it_is_the_cross_entropy_of_before(probabilities):
    truth = ops.convert_to_tensor(np.eye(3, dtype=np.float32)[[0, 2, 1, 1]])
    with_columns = ops.pad(truth, [[0, 0], [0, 2]])
    settings, p = LossSettings(label_smoothing=0.1), ops.convert_to_tensor(probabilities)
    plain = float(build_loss(settings, WEIGHTS, False)(truth, p))
    assert float(build_loss(settings, WEIGHTS, False, UNIONS)(with_columns, p)) == pytest.approx(
        plain
    )
