"""Thresholds of several labels."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from classify.thresholds import choose_thresholds


def test_thresholds_by_hand():
    truth = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1]])
    probabilities = np.array(
        [[0.9, 0.2, 0.1, 0.6], [0.4, 0.1, 0.9, 0.2], [0.2, 0.3, 0.3, 0.9], [0.1, 0.0, 0.2, 0.1]]
    )
    # Apart between 0.2 and 0.4; between 0.1 and 0.2; no image has it; every image has it.
    assert choose_thresholds(truth, probabilities) == pytest.approx([0.3, 0.15, 0.5, 0.5])


def test_threshold_where_labels_mix():
    # F1 from 0.8 on: 2/4, from 0.6: 2/5, from 0.4: 4/6, from 0.3: 6/7, from 0.1: 6/8.
    truth, probability = (
        np.array([[1], [0], [1], [1], [0]]),
        np.array([[0.8], [0.6], [0.4], [0.3], [0.1]]),
    )
    assert choose_thresholds(truth, probability) == pytest.approx([0.2])


def test_of_equal_thresholds_the_nearest_to_a_half():
    # F1 from the highest score on: 2/3, and from the lowest on too: 4/6.
    truth, probability = np.array([[1], [0], [0], [1]]), np.array([[0.9], [0.8], [0.7], [0.45]])
    assert choose_thresholds(truth, probability) == pytest.approx([0.225])
    truth, probability = np.array([[1], [0], [0], [1]]), np.array([[0.6], [0.4], [0.3], [0.02]])
    assert choose_thresholds(truth, probability) == pytest.approx([0.5])


def test_a_label_on_the_least_likely_image_too_has_a_threshold_above_none():
    assert choose_thresholds(
        np.array([[1], [0], [1]]), np.array([[0.9], [0.5], [0.5]])
    ) == pytest.approx([0.25])


def test_no_other_threshold_is_better():
    random = np.random.default_rng(1)
    truth, scores = (
        (random.random((40, 3)) < 0.3).astype(int),
        random.random((40, 3)).astype(np.float32),
    )
    for label, threshold in enumerate(choose_thresholds(truth, scores)):
        is_true, score = truth[:, label] == 1, scores[:, label]
        others = score >= np.append(np.linspace(0, 1, 501), threshold)[:, None]
        f1 = 2 * (others & is_true).sum(axis=1) / (others.sum(axis=1) + is_true.sum())
        assert f1[-1] == pytest.approx(f1_score(is_true, score >= np.float64(threshold)))
        assert f1[-1] >= f1[:-1].max()
