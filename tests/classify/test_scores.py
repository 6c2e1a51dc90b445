"""Scores by hand and against scikit-learn."""

import json

import numpy as np
import pytest
from sklearn import metrics

from classify.scores import score
from segment.core.errors import InputError

NAMES = ["field", "river", "town"]


def one_hot(labels, classes=3):
    return np.eye(classes, dtype=np.int64)[labels]


def strict(scores):
    """The report after a journey through strict JSON."""
    return json.loads(json.dumps(scores.report, allow_nan=False))


@pytest.fixture
def four():
    """Field, field, river, river; the second field is taken for a river, nothing for a town."""
    truth = one_hot([0, 0, 1, 1])
    return score(truth, [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.1, 0.9, 0.0], [0.2, 0.7, 0.1]], NAMES)


def test_one_label_by_hand(four):
    report = strict(four)
    assert report["accuracy"] == 0.75
    assert report["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert report["per_class"]["field"] == {
        "precision": 1,
        "recall": 0.5,
        "f1": 0.666667,
        "images": 2,
    }
    assert report["per_class"]["river"] == {
        "precision": 0.666667,
        "recall": 1,
        "f1": 0.8,
        "images": 2,
    }
    assert report["per_class"]["town"] == {
        "precision": None,
        "recall": None,
        "f1": None,
        "images": 0,
    }
    assert report["f1_macro"] == pytest.approx((2 / 3 + 0.8) / 2, abs=1e-6)
    assert report["log_loss"] == pytest.approx(-np.log([0.8, 0.3, 0.9, 0.7]).mean(), abs=1e-6)
    # Each answer lies in a bin of its own: |0.8 - 1|, |0.6 - 0|, |0.9 - 1|, |0.7 - 1|, a quarter
    # each.
    assert report["calibration_error"] == pytest.approx((0.2 + 0.6 + 0.1 + 0.3) / 4, abs=1e-6)
    assert report["top3_accuracy"] is None
    assert (report["images"], report["classes"]) == (4, NAMES)


def test_interval_is_wilsons():
    truth = one_hot([0] * 10)
    probabilities = np.where(np.arange(10)[:, None] < 8, [[0.9, 0.1, 0]], [[0.1, 0.9, 0]])
    low, high = score(truth, probabilities, NAMES).report["accuracy_interval"]
    n, p, z = 10, 0.8, 1.959964
    centre, half = (p + z**2 / (2 * n)), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (low, high) == pytest.approx(
        ((centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)), abs=1e-6
    )


def test_against_scikit_learn():
    random = np.random.default_rng(0)
    labels, names = random.integers(0, 5, 200), list("abcdef")  # f occurs in neither
    probabilities = random.dirichlet(np.ones(6), 200)
    probabilities[np.arange(200), labels] += 0.3
    probabilities[:, 5] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    given, report = (
        probabilities.argmax(axis=1),
        strict(score(one_hot(labels, 6), probabilities, names)),
    )
    assert report["accuracy"] == pytest.approx(metrics.accuracy_score(labels, given), abs=1e-6)
    top3 = metrics.top_k_accuracy_score(labels, probabilities, k=3, labels=range(6))
    assert report["top3_accuracy"] == pytest.approx(top3, abs=1e-6)
    assert report["f1_macro"] == pytest.approx(
        metrics.f1_score(labels, given, average="macro"), abs=1e-6
    )
    f1 = metrics.f1_score(labels, given, average=None, labels=range(5))
    assert [report["per_class"][name]["f1"] for name in "abcde"] == pytest.approx(f1, abs=1e-6)
    assert report["per_class"]["f"]["f1"] is None
    np.testing.assert_array_equal(
        report["confusion"], metrics.confusion_matrix(labels, given, labels=range(6))
    )
    assert report["log_loss"] == pytest.approx(
        metrics.log_loss(labels, probabilities, labels=range(6)), abs=1e-4
    )


def test_a_class_that_is_only_given_or_only_true():
    scores = score(one_hot([0, 1]), [[0.9, 0.1, 0], [0.1, 0.2, 0.7]], NAMES)
    assert scores.report["per_class"]["river"] == {
        "precision": None,
        "recall": 0,
        "f1": 0,
        "images": 1,
    }
    assert scores.report["per_class"]["town"] == {
        "precision": 0,
        "recall": None,
        "f1": 0,
        "images": 0,
    }
    assert scores.report["f1_macro"] == pytest.approx(1 / 3, abs=1e-6)


def test_top3_is_never_below_accuracy_where_probabilities_tie():
    report = score(one_hot([0, 0], 5), np.full((2, 5), 0.2), list("abcde")).report
    assert (report["accuracy"], report["top3_accuracy"]) == (1, 1)
    assert score(one_hot([3], 5), np.full((1, 5), 0.2), list("abcde")).report["top3_accuracy"] == 0


def test_a_saturated_softmax_has_a_finite_loss():
    report = strict(score(one_hot([0]), [[0, 1, 0]], NAMES))
    assert 10 < report["log_loss"] < 20


@pytest.mark.parametrize("label, accuracy, mistakes", [(1, 1, []), (0, 0, [0])])
def test_a_single_image_right_or_wrong(label, accuracy, mistakes):
    scores = score(one_hot([label]), [[0.2, 0.7, 0.1]], NAMES)
    report = strict(scores)
    assert (report["accuracy"], report["f1_macro"], report["images"]) == (accuracy, accuracy, 1)
    low, high = report["accuracy_interval"]
    assert (low, high) == pytest.approx((0.206549, 1) if accuracy else (0, 0.793451), abs=1e-5)
    assert scores.mistakes == mistakes


def test_mistakes_come_surest_first():
    probabilities = [[0.4, 0.6, 0], [0.9, 0.1, 0], [0.1, 0.9, 0], [0.3, 0.0, 0.7]]
    assert score(one_hot([0, 0, 0, 0]), probabilities, NAMES).mistakes == [2, 3, 0]


def test_one_label_as_printed(four):
    first, second = str(four).splitlines()
    assert first == "accuracy 0.750 (0.301 to 0.954)  macro F1 0.733  calibration error 0.300"
    assert second == "F1: field 0.667  river 0.800"
    assert "top-3 1.000" in str(
        score(one_hot([2, 1], 4), [[0.1, 0.2, 0.6, 0.1], [0.7, 0.1, 0.1, 0.1]], list("abcd"))
    )


def test_of_many_classes_the_lowest_are_printed():
    labels = np.arange(45).repeat(2)
    probabilities = one_hot(labels, 45).astype(float)
    probabilities[60] = np.eye(45)[31]  # class30 for class31
    lines = str(
        score(one_hot(labels, 45), probabilities, [f"class{i}" for i in range(45)])
    ).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(
        "lowest F1 of 45 classes: class30 0.667  class31 0.800  class0 1.000"
    )


@pytest.fixture
def multi_label():
    """Field: given 0, 1 of true 0; river: given 0, 2 of true 0, 1, 2; town: in neither."""
    truth = [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    return score(
        truth, [[0.9, 0.8, 0.1], [0.6, 0.4, 0.0], [0.2, 0.7, 0.3]], NAMES, multi_label=True
    )


def test_several_labels_by_hand(multi_label):
    report = strict(multi_label)
    assert report["per_class"]["field"] == {
        "precision": 0.5,
        "recall": 1,
        "f1": 0.666667,
        "images": 1,
    }
    assert report["per_class"]["river"] == {
        "precision": 1,
        "recall": 0.666667,
        "f1": 0.8,
        "images": 3,
    }
    assert report["per_class"]["town"] == {
        "precision": None,
        "recall": None,
        "f1": None,
        "images": 0,
    }
    assert report["average_precision"] == {"field": 1, "river": 1, "town": None}
    assert report["mean_average_precision"] == 1
    assert report["f1_macro"] == pytest.approx((2 / 3 + 0.8) / 2, abs=1e-6)
    assert report["f1_micro"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    assert report["exact_match"] == pytest.approx(2 / 3, abs=1e-6)
    assert (report["thresholds"], report["images"], report["classes"]) == (
        [0.5, 0.5, 0.5],
        3,
        NAMES,
    )
    assert "accuracy" not in report


def test_calibration_of_several_labels_counts_each_decision():
    report = score([[1, 0], [1, 0]], [[0.9, 0.1], [0.4, 0.3]], ["a", "b"], multi_label=True).report
    # Two yes or no of 0.9, both right; a no of 0.6, wrong; a no of 0.7, right.
    assert report["calibration_error"] == pytest.approx((2 * 0.1 + 0.6 + 0.3) / 4, abs=1e-6)


def test_average_precision_is_ranked():
    report = score([[0], [1], [1]], [[0.9], [0.8], [0.7]], ["ship"], multi_label=True).report
    assert report["average_precision"]["ship"] == pytest.approx((1 / 2 + 2 / 3) / 2, abs=1e-6)


def test_thresholds_decide_what_is_given(multi_label):
    scores = score(
        multi_label.reference,
        multi_label.probabilities,
        NAMES,
        multi_label=True,
        thresholds=[0.7, 0.4, 0.5],
    )
    assert scores.report["exact_match"] == 1  # 0.4 itself is given
    assert scores.report["thresholds"] == [0.7, 0.4, 0.5]
    assert scores.mistakes == []


def test_mistakes_of_several_labels_go_by_their_surest_wrong_decision():
    truth = [[1, 0], [1, 0], [0, 0], [0, 1]]
    probabilities = [[0.45, 0.4], [0.05, 0.2], [0.7, 0.6], [0.1, 0.9]]
    assert score(truth, probabilities, ["a", "b"], multi_label=True).mistakes == [1, 2, 0]


@pytest.mark.parametrize("truth, f1", [([[0], [0]], None), ([[1], [0]], 0)])
def test_a_single_label_that_is_never_given(truth, f1):
    report = strict(score(truth, [[0.1], [0.2]], ["ship"], multi_label=True))
    assert report["per_class"]["ship"]["f1"] == f1
    assert report["f1_micro"] == f1 and report["f1_macro"] == f1
    assert report["exact_match"] == (0.5 if truth[0][0] else 1)


def test_several_labels_as_printed(multi_label):
    first, second = str(multi_label).splitlines()
    assert first.startswith(
        "mean average precision 1.000  macro F1 0.733  micro F1 0.750  exact match 0.667 "
        " calibration error 0."
    )
    assert second == "F1: field 0.667  river 0.800"


@pytest.mark.parametrize(
    "truth, probabilities, options, words",
    [
        ([[1, 0]], [[0.5, 0.5, 0]], {}, "Labels (1, 2), probabilities (1, 3) and 3 names"),
        (np.zeros((0, 3)), np.zeros((0, 3)), {}, "No images to score"),
        ([[1, 1, 0]], [[0.5, 0.5, 0]], {}, "Image 0 has 2 labels"),
        ([[0, 0, 2]], [[0.5, 0.5, 0]], {}, "Labels are 0 to 2"),
        ([[0, 1, 0], [0, 0, 1]], [[0.5, 0.5, 0], [np.nan, 0, 1]], {}, "Probability nan of image 1"),
        ([[0, 1, 0]], [[-3.0, 4, 0]], {"multi_label": True}, "Probability -3.0"),
        (
            [[0, 1, 0]],
            [[0.5, 0.5, 0]],
            {"multi_label": True, "thresholds": [0.5]},
            "1 thresholds for 3",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, probabilities, options, words):
    with pytest.raises(InputError) as error:
        score(truth, probabilities, NAMES, **options)
    assert words in str(error.value)
