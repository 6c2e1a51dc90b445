"""Scores of maps against a reference: Jaccard, accuracy, F1 and calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.boundaries import Boundaries
from segment.core.labels.classes import IGNORED
from segment.core.model.calibration import Reliability
from segment.label_sets import LabelSets


class Confusion:
    """A confusion matrix that is filled piece by piece, and the scores that follow from it.

    It counts pixels by what the reference admits and by the predicted class. Where the reference
    admits several classes, a class is counted over the pixels where its membership is certain:
    positive where it alone is admissible, negative where it is not admissible. Classes that the
    reference never names alone have no score.

    Args:
        names: The classes, in the order of their indices.
        labels: What the codes of the reference admit; by default each code is one class.
        boundary_width: Width in pixels of the boundaries that are scored, too; None for none. What
            is added then has rows and columns.

    Attributes:
        names: The classes, in the order of their indices.
        labels: What the codes of the reference admit.
        matrix: (codes, classes) int64, rows reference, columns prediction; square where each code
            is one class.
        reliability: How often pixels are right, by the probability of their class, where
            probabilities were given. Classes that the reference cannot tell apart are one answer,
            with the sum of their probabilities.
        boundaries: Scores of the boundaries, None without `boundary_width`.
    """

    def __init__(
        self,
        names: Sequence[str],
        labels: LabelSets | None = None,
        boundary_width: int | None = None,
    ):
        self.names = list(names)
        self.labels = labels or LabelSets(self.names)
        self.matrix = np.zeros((self.labels.count, len(names)), np.int64)
        self.reliability = Reliability()
        self._reference_probability = 0.0
        self.boundaries = (
            None if boundary_width is None else Boundaries(names, self.labels, boundary_width)
        )

    def add(
        self,
        reference: NDArray[np.uint8],
        predicted: NDArray[np.uint8],
        probabilities: NDArray[np.float32] | None = None,
    ) -> None:
        """Adds pixels; those where the reference or the prediction is 255 are not counted.

        Args:
            reference: Codes of the labels, uint8 of any shape; class indices where each label is
                one class. With `boundary_width`, the last axes are rows and columns of a tile.
            predicted: Class indices of the same shape.
            probabilities: Of that shape x classes, for soft Jaccard and calibration; None leaves
                these out.
        """
        scored = (reference != IGNORED) & (predicted != IGNORED)
        wanted, given = reference[scored].astype(np.int64), predicted[scored].astype(np.int64)
        n = len(self.names)
        self.matrix += np.bincount(wanted * n + given, minlength=self.matrix.size).reshape(
            self.matrix.shape
        )
        if self.boundaries is not None:
            size = reference.shape[-2:]
            for one in zip(reference.reshape(-1, *size), predicted.reshape(-1, *size), strict=True):
                self.boundaries.add(*one)
        if probabilities is not None:
            found = probabilities[scored]
            if not self.labels.unions:
                self._reference_probability += float(
                    np.take_along_axis(found, wanted[:, None], axis=1).sum(dtype=np.float64)
                )
                self.reliability.add(
                    np.take_along_axis(found, given[:, None], axis=1), wanted == given
                )
            else:
                self._reference_probability += float(
                    (found * self.labels.admitted()[wanted]).sum(dtype=np.float64)
                )
                self._add_groups(wanted, found)

    def _add_groups(self, wanted: NDArray[np.int64], probabilities: NDArray[np.float32]) -> None:
        """Adds to the reliability; classes that the labels cannot tell apart are one answer."""
        groups = self.labels.groups
        summed = probabilities @ np.eye(groups.max() + 1, dtype=np.float32)[groups]
        group_of_code = np.array([groups[min(one)] for one in self.labels.sets])
        answer = summed.argmax(axis=1)
        self.reliability.add(
            np.take_along_axis(summed, answer[:, None], axis=1), group_of_code[wanted] == answer
        )

    def state(self) -> dict[str, Any]:
        """Returns what was added, as plain numbers for `merge`."""
        return {
            "matrix": self.matrix.tolist(),
            "truth_probability": self._reference_probability,
            "reliability": self.reliability.state(),
        } | ({} if self.boundaries is None else {"boundaries": self.boundaries.counts.tolist()})

    def merge(self, state: dict[str, Any]) -> None:
        """Adds what was added to another confusion matrix.

        Args:
            state: What `state` of the other one returned.
        """
        self.matrix += np.array(state["matrix"], np.int64)
        self._reference_probability += state["truth_probability"]
        self.reliability.merge(state["reliability"])
        if self.boundaries is not None:
            self.boundaries.counts += np.array(state["boundaries"], np.int64)

    def _counts(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Returns hits, reference pixels and predicted pixels of each class, (classes,).

        Only pixels where the membership in the class is certain are counted.
        """
        squared = self.matrix[: len(self.names)]
        certain = self.labels.certain()[: self.labels.count]
        return (
            np.diag(squared).astype(float),
            squared.sum(1).astype(float),
            (self.matrix * certain).sum(0),
        )

    @property
    def jaccard(self) -> NDArray[np.float64]:
        """Intersection over union of each class, (classes,) float64.

        NaN where neither reference nor prediction has the class, and where no label names it alone.
        Jaccard (1912), "The distribution of the flora in the alpine zone".
        """
        hits, true, predicted = self._counts()
        return np.where(self.labels.named, _ratio(hits, true + predicted - hits), np.nan)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall of each class, (classes,); NaN as for `jaccard`."""
        hits, true, predicted = self._counts()
        return np.where(self.labels.named, _ratio(2 * hits, true + predicted), np.nan)

    @property
    def mean_jaccard(self) -> float:
        """Mean over the classes in reference or prediction, 0 to 1; NaN if nothing was scored."""
        present = self.jaccard[~np.isnan(self.jaccard)]
        return float(present.mean()) if len(present) else float("nan")

    @property
    def mean_boundary_jaccard(self) -> float:
        """Mean boundary Jaccard, 0 to 1; NaN if there is no boundary, or none were scored."""
        return float("nan") if self.boundaries is None else self.boundaries.mean_jaccard

    @property
    def accuracy(self) -> float:
        """Share of scored pixels with an admissible class, 0 to 1; NaN if nothing was scored."""
        admitted = self.labels.admitted()[: self.labels.count]
        return float(
            _ratio(np.array((self.matrix * admitted).sum(), float), np.array(self.matrix.sum()))
        )

    @property
    def soft_jaccard(self) -> float | None:
        """Jaccard index of one-hot reference and probabilities, all classes flattened together.

        The Dubai tutorials report this score. Reference and probabilities both sum to one in each
        pixel, so it is S / (2 N - S), with S the sum of the reference classes' probabilities over N
        pixels. None if no probabilities were given.
        """
        pixels = int(self.reliability.counts.sum())
        return (
            self._reference_probability / (2 * pixels - self._reference_probability)
            if pixels
            else None
        )

    def report(self) -> dict[str, Any]:
        """Returns the scores under the keys of report.json; None for classes that occur nowhere."""
        boundaries = {} if self.boundaries is None else self.boundaries.report()
        return {
            "accuracy": _number(self.accuracy),
            "mean_jaccard": _number(self.mean_jaccard),
            "jaccard": {name: _number(v) for name, v in zip(self.names, self.jaccard, strict=True)},
            "soft_jaccard": _number(self.soft_jaccard),
            "calibration_error": _number(self.reliability.error),
            "f1": {name: _number(v) for name, v in zip(self.names, self.f1, strict=True)},
            "confusion": self.matrix.tolist(),
            "pixels": int(self.matrix.sum()),
            "classes": self.names,
            **boundaries,
        } | ({"labels": self.labels.labels} if self.labels.unions else {})


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 6)
