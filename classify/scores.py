"""Scores of scene labels: accuracy, F1, average precision and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.calibration import Reliability

_PRINTED = 12  # classes that fit on one line of a terminal
# scores that are printed, and their keys in the report
_ONE_LABEL = {"accuracy": "accuracy", "top-3": "top3_accuracy", "macro F1": "f1_macro"}
_SEVERAL_LABELS = {
    "mean average precision": "mean_average_precision",
    "macro F1": "f1_macro",
    "micro F1": "f1_micro",
    "exact match": "exact_match",
}


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of predicted labels against the reference, made by `score`.

    Attributes:
        reference: Reference labels, (images, classes) bool.
        probabilities: Predicted probabilities, (images, classes) float32, 0 to 1.
        names: Class names.
        multi_label: Whether an image can have several labels.
        thresholds: Probability from which each class is given. Used only with `multi_label`.
    """

    reference: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    names: list[str]
    multi_label: bool
    thresholds: list[float]

    @cached_property
    def answers(self) -> NDArray[np.bool_]:
        """Predicted labels, (images, classes) bool.

        Each image gets its most probable class or, with several labels, every class that reaches
        its threshold.
        """
        if self.multi_label:
            return np.asarray(self.probabilities >= np.array(self.thresholds, np.float64))
        best = self.probabilities.argmax(axis=1)[:, None]
        return np.asarray(np.arange(len(self.names)) == best)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each prediction is correct, (images,) bool.

        With several labels, each label is a yes or no, and the shape is (images, classes).
        """
        same = np.asarray(self.answers == self.reference)
        return same if self.multi_label else same.all(axis=1)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of each prediction, in the shape of `right`.

        For a label that is not given, this is 1 minus its probability.
        """
        if self.multi_label:
            return np.where(self.answers, self.probabilities, 1 - self.probabilities)
        return np.asarray(self.probabilities.max(axis=1))

    @cached_property
    def mistakes(self) -> list[int]:
        """Indices of wrongly labelled images, the most confident mistakes first."""
        count = len(self.reference)
        wrong = np.where(self.right, -1, self.confidence).reshape(count, -1).max(axis=1)
        return [int(i) for i in np.argsort(-wrong, kind="stable") if wrong[i] >= 0]

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix, (classes, classes) int64, for one label per image.

        Counts of images by reference class (rows) and predicted class (columns).
        """
        from sklearn.metrics import confusion_matrix

        predicted, classes = self.answers.argmax(axis=1), range(len(self.names))
        return np.asarray(
            confusion_matrix(self.reference.argmax(axis=1), predicted, labels=classes)
        )

    @property
    def reliability(self) -> Reliability:
        """How often predictions of each probability are correct.

        With several labels, each label of an image counts as a prediction.
        """
        return Reliability().add(self.confidence, self.right)

    @cached_property
    def report(self) -> dict[str, Any]:
        """Scores under the keys of report.json, rounded to 6 digits.

        A score that does not exist is None: all scores of a class that occurs neither in the
        reference nor in the predictions, the precision of a class that is never predicted, the
        recall of a class without images, and the top-3 accuracy with fewer than four classes.
        """
        per_class, f1_macro = self._per_class()
        scores = self._several_labels(f1_macro) if self.multi_label else self._one_label(f1_macro)
        return scores | {
            "per_class": per_class,
            "calibration_error": _number(self.reliability.error),
            "images": len(self.reference),
            "classes": self.names,
        }

    def _per_class(self) -> tuple[dict[str, dict[str, float | int | None]], float | None]:
        from sklearn.metrics import precision_recall_fscore_support

        # scikit-learn takes a single column for binary labels
        labels = range(len(self.names)) if len(self.names) > 1 else [1]
        columns = precision_recall_fscore_support(
            self.reference, self.answers, labels=labels, average=None, zero_division=np.nan
        )
        per_class: dict[str, dict[str, float | int | None]] = {
            name: {
                "precision": _number(precision),
                "recall": _number(recall),
                "f1": _number(f1),
                "images": int(images),
            }
            for name, precision, recall, f1, images in zip(self.names, *columns, strict=True)
        }
        present = columns[2][~np.isnan(columns[2])]
        return per_class, _number(present.mean()) if len(present) else None

    def _one_label(self, f1_macro: float | None) -> dict[str, Any]:
        from scipy.stats import binomtest
        from sklearn.metrics import log_loss

        reference, right = self.reference.argmax(axis=1), int(self.right.sum())
        interval = binomtest(right, len(reference)).proportion_ci(0.95, method="wilson")
        # Not top_k_accuracy_score: it breaks ties in favour of the last class and arg-max in favour
        # of the first, so top-3 could be lower than top-1.
        ranked = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :3]
        in_three = (ranked == reference[:, None]).any(axis=1)
        p = np.maximum(self.probabilities.astype(np.float64), np.finfo(np.float32).eps)
        return {
            "accuracy": _number(right / len(reference)),
            "accuracy_interval": [_number(interval.low), _number(interval.high)],
            "top3_accuracy": _number(in_three.mean()) if len(self.names) > 3 else None,
            "f1_macro": f1_macro,
            "log_loss": _number(log_loss(self.reference, p / p.sum(axis=1, keepdims=True))),
            "confusion": self.confusion.tolist(),
        }

    def _several_labels(self, f1_macro: float | None) -> dict[str, Any]:
        from sklearn.metrics import average_precision_score, f1_score

        precisions = [
            float(average_precision_score(true, p)) if true.any() else None
            for true, p in zip(self.reference.T, self.probabilities.T, strict=True)
        ]
        known = [p for p in precisions if p is not None]
        every = self.reference.ravel(), self.answers.ravel()
        return {
            "mean_average_precision": _number(sum(known) / len(known)) if known else None,
            "average_precision": dict(zip(self.names, map(_number, precisions), strict=True)),
            "f1_macro": f1_macro,
            "f1_micro": _number(f1_score(*every, zero_division=np.nan)),
            "exact_match": _number(self.right.all(axis=1).mean()),
            "thresholds": [_number(t) for t in self.thresholds],
        }

    def __str__(self) -> str:
        r = self.report
        words = _SEVERAL_LABELS if self.multi_label else _ONE_LABEL
        words = words | {"calibration error": "calibration_error"}
        parts = [f"{word} {r[key]:.3f}" for word, key in words.items() if r[key] is not None]
        if not self.multi_label:
            low, high = r["accuracy_interval"]
            parts[0] += f" ({low:.3f} to {high:.3f})"
        known = {name: figures["f1"] for name, figures in r["per_class"].items()}
        f1 = {name: value for name, value in known.items() if value is not None}
        shown = list(f1) if len(f1) <= _PRINTED else sorted(f1, key=f1.__getitem__)[:_PRINTED]
        title = "F1" if len(shown) == len(f1) else f"lowest F1 of {len(f1)} classes"
        listed = "  ".join(f"{name} {f1[name]:.3f}" for name in shown)
        return f"{'  '.join(parts)}\n{title}: {listed}"


def score(
    reference: NDArray[Any],
    probabilities: NDArray[Any],
    names: Sequence[str],
    *,
    multi_label: bool = False,
    thresholds: Sequence[float] | None = None,
) -> Scores:
    """Scores the labels of images against the reference.

    Args:
        reference: Reference labels, (images, classes) of 0 or 1. Exactly one 1 per image unless
            `multi_label`.
        probabilities: Predicted probabilities, (images, classes), 0 to 1.
        names: Class names, in the order of the columns.
        multi_label: Whether an image can have several labels.
        thresholds: Probability from which each class is given, with several labels. 0.5 for all by
            default.

    Returns:
        The scores, which print as a short summary.

    Raises:
        InputError: If shapes do not match, there are no images, `reference` is not 0 or 1 with the
            allowed number of labels, or `probabilities` are outside 0 to 1 or NaN.
    """
    true, p = np.asarray(reference), np.asarray(probabilities, np.float32)
    if true.shape != p.shape or true.ndim != 2 or true.shape[1] != len(names):
        raise InputError(
            f"Labels {true.shape}, probabilities {p.shape} and {len(names)} names do not match."
            " Give both as images x classes."
        )
    if not len(true):
        raise InputError("No images to score. Give labelled images.")
    if not np.isin(true, (0, 1)).all():
        raise InputError(
            f"Labels are {true.min()} to {true.max()}, not 0 or 1. Give each class a column."
        )
    if not multi_label and (true.sum(axis=1) != 1).any():
        first = int((true.sum(axis=1) != 1).argmax())
        raise InputError(
            f"Image {first} has {int(true[first].sum())} labels, not one. Score with several"
            " labels."
        )
    outside = ~((p >= -1e-4) & (p <= 1 + 1e-4))  # also true for NaN
    if outside.any():
        raise InputError(
            f"Probability {p[outside][0]} of image {int(outside.any(axis=1).argmax())} is not"
            " between 0 and 1. Check the network: its training may have diverged."
        )
    chosen = [0.5] * len(names) if thresholds is None else [float(t) for t in thresholds]
    if len(chosen) != len(names):
        raise InputError(f"{len(chosen)} thresholds for {len(names)} classes. Give one per class.")
    return Scores(true.astype(bool), p.clip(0, 1), list(names), multi_label, chosen)


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 6)
