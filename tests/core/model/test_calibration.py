"""Calibration of probabilities whose truth is known."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import log_loss

from segment.core.model.calibration import Reliability, apply_temperature, fit_temperature


def error(probability: np.ndarray, right: np.ndarray) -> float:
    return Reliability().add(probability, right).error


def test_error_by_hand():
    # 0.95, 0.95 and 1 share the last bin (mean 0.9667, two of three right); 0.5 has one of its own.
    found = error(np.array([0.95, 0.95, 1.0, 0.5]), np.array([1, 0, 1, 1]))
    assert found == pytest.approx(3 / 4 * (2.9 / 3 - 2 / 3) + 1 / 4 * 0.5)


def test_bins_hold_their_upper_edge():
    found = Reliability(bins=4).add(
        np.array([0.0, 0.25, 0.26, 0.5, 1.0]), np.array([0, 1, 0, 1, 1])
    )
    np.testing.assert_array_equal(found.counts, [2, 2, 0, 1])
    np.testing.assert_allclose(found.mean, [0.125, 0.38, np.nan, 1])
    np.testing.assert_allclose(found.share, [0.5, 0.5, np.nan, 1])


def test_piece_by_piece_and_restored_is_the_same_as_at_once():
    random = np.random.default_rng(0)
    probability, right = random.random((4, 50)), random.random((4, 50)) < 0.5
    whole, first, second = (
        Reliability().add(probability, right),
        Reliability().add(probability[:1], right[:1]),
        Reliability(),
    )
    second.merge(first.state())
    second.add(probability[1:], right[1:])
    assert (
        second.error == pytest.approx(whole.error)
        and second.counts.tolist() == whole.counts.tolist()
    )


@pytest.mark.parametrize("right, expected", [(True, 0.1), (False, 0.9)])
def test_all_right_and_all_wrong(right, expected):
    assert error(np.full(20, 0.9), np.full(20, right)) == pytest.approx(expected)


def test_calibrated_and_overconfident_answers():
    random = np.random.default_rng(0)
    probability = random.uniform(0.5, 1, 50_000)
    assert error(probability, random.random(50_000) < probability) < 0.01
    assert error(probability, random.random(50_000) < probability - 0.2) == pytest.approx(
        0.2, abs=0.01
    )


def test_nothing_answered_has_no_error():
    assert np.isnan(error(np.zeros(0), np.zeros(0, bool)))


def drawn(multi_label, factor, images=6000):
    """Truth drawn from logits, and the probabilities of these logits times the factor."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 1.5, (images, 4))
    if multi_label:
        return (random.random(logits.shape) < expit(logits)).astype(int), expit(factor * logits)
    truth = np.eye(4, dtype=int)[(logits + random.gumbel(size=logits.shape)).argmax(axis=1)]
    return truth, softmax(factor * logits, axis=1)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_temperature_finds_the_factor(multi_label, factor):
    truth, probabilities = drawn(multi_label, factor)
    temperature = fit_temperature(truth, probabilities.astype(np.float32), multi_label)
    assert temperature == pytest.approx(factor, rel=0.06)
    restored = apply_temperature(probabilities, temperature, multi_label)
    np.testing.assert_allclose(restored, drawn(multi_label, 1.0)[1], atol=0.03)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_temperature_never_worsens_the_likelihood(multi_label, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, 8)
    truth = np.eye(3, dtype=int)[labels]
    probabilities = random.dirichlet(np.full(3, 0.3), 8).astype(np.float32)

    def loss(p):
        if multi_label:
            return log_loss(truth.ravel(), p.ravel().astype(np.float64))
        return -log_softmax(np.log(p.astype(np.float64) + 1e-38), axis=1)[
            np.arange(8), labels
        ].mean()

    tempered = apply_temperature(
        probabilities, fit_temperature(truth, probabilities, multi_label), multi_label
    )
    assert loss(tempered) <= loss(probabilities) + 1e-6


@pytest.mark.parametrize("multi_label", [False, True])
def test_all_right_leaves_the_temperature(multi_label):
    truth = np.eye(2, dtype=int)
    assert fit_temperature(truth, np.array([[0.9, 0.1], [0.2, 0.8]]), multi_label) == 1


@pytest.mark.parametrize("multi_label", [False, True])
def test_all_wrong_and_sure_of_it_is_flattened(multi_label):
    truth = np.eye(2, dtype=int)
    probabilities = np.array([[0, 1], [1, 0]], np.float32)
    temperature = fit_temperature(truth, probabilities, multi_label)
    assert temperature == pytest.approx(20, rel=0.01)
    assert 0.5 < apply_temperature(probabilities, temperature, multi_label).max() < 1


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0, 20.0])
def test_extremes_stay_probabilities_in_order(multi_label, temperature):
    probabilities = np.array([[0, 0, 1], [1e-30, 0.4, 0.6], [0.2, 0.3, 0.5]], np.float32)
    tempered = apply_temperature(probabilities, temperature, multi_label)
    assert tempered.dtype == np.float32
    assert np.isfinite(tempered).all() and tempered.min() >= 0 and tempered.max() <= 1
    assert (np.diff(tempered, axis=1) >= 0).all()
    if not multi_label:
        np.testing.assert_allclose(tempered.sum(axis=1), 1, atol=1e-6)


def test_temperature_by_hand():
    np.testing.assert_allclose(
        apply_temperature(np.array([[0.8, 0.2]]), 2.0, False), [[2 / 3, 1 / 3]], rtol=1e-6
    )
    np.testing.assert_allclose(
        apply_temperature(np.array([[0.8, 0.2]]), 0.5, True), [[16 / 17, 1 / 17]], rtol=1e-6
    )


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_temperature_of_one_changes_nothing(multi_label):
    probabilities = np.array([[0, 1], [0.3, 0.7]], np.float32)
    np.testing.assert_array_equal(apply_temperature(probabilities, 1.0, multi_label), probabilities)
