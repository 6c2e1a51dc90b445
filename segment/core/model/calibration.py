"""Calibration of probabilities: expected calibration error and temperature scaling."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TEMPERATURES = (0.05, 20.0)
_SMALLEST = float(np.finfo(np.float32).tiny)
_LARGEST = 1 - 2.0**-25  # rounds to 1 in float32, but still has a logit


class Reliability:
    """Share of correct predictions at each probability, accumulated in bins.

    Bins are of equal width from 0 to 1. A bin includes its upper edge and not its lower one, as in
    Guo et al. (2017), "On Calibration of Modern Neural Networks", arXiv:1706.04599.

    Attributes:
        counts: Number of predictions in each bin, (bins,) int64.
    """

    def __init__(self, bins: int = 15):
        """Starts without predictions.

        Args:
            bins: Number of bins.
        """
        self.counts = np.zeros(bins, np.int64)
        self._probability, self._right = np.zeros(bins), np.zeros(bins)

    def add(self, probability: NDArray[Any], right: NDArray[Any]) -> "Reliability":
        """Adds predictions.

        Args:
            probability: Probability of each predicted class, 0 to 1, any shape.
            right: Whether the prediction was correct, in the same shape.

        Returns:
            This object.
        """
        bins, values = len(self.counts), np.asarray(probability, np.float64).ravel()
        place = np.digitize(values, np.linspace(0, 1, bins + 1)[1:-1], right=True)
        self.counts += np.bincount(place, minlength=bins)
        self._probability += np.bincount(place, values, bins)
        self._right += np.bincount(place, np.asarray(right, np.float64).ravel(), bins)
        return self

    def state(self) -> list[list[float]]:
        """Returns what was added, as plain numbers that `merge` accepts.

        Returns:
            For each bin the counts, the sums of the probabilities, and the counts of correct
            predictions.
        """
        return [self.counts.tolist(), self._probability.tolist(), self._right.tolist()]

    def merge(self, state: Sequence[Sequence[float]]) -> None:
        """Adds what was added to another object.

        Args:
            state: Result of `state` of the other object.
        """
        self.counts += np.array(state[0], np.int64)
        self._probability += state[1]
        self._right += state[2]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean probability of each bin, (bins,); NaN where it is empty."""
        return self._per_answer(self._probability)

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of correct predictions of each bin, (bins,); NaN where it is empty."""
        return self._per_answer(self._right)

    @property
    def error(self) -> float:
        """Expected calibration error, 0 to 1.

        It is the mean distance between the mean probability of a bin and its share of correct
        predictions. Each bin is weighted by its share of the predictions. NaN without predictions.
        """
        filled = self.counts > 0
        if not filled.any():
            return float("nan")
        return float(
            np.average(np.abs(self.mean - self.share)[filled], weights=self.counts[filled])
        )

    def _per_answer(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(sums, self.counts, out=np.full(len(sums), np.nan), where=self.counts > 0)


def fit_temperature(
    reference: NDArray[Any], probabilities: NDArray[Any], multi_label: bool
) -> float:
    """Finds the temperature with the lowest negative log-likelihood.

    A temperature above 1 makes predictions less confident. Method: Guo et al. (2017), "On
    Calibration of Modern Neural Networks", arXiv:1706.04599.

    Args:
        reference: Labels of validation images or pixels, (samples, classes) of 0 or 1. With
            softmax, several 1 in a row mean a set of classes each of which would be correct; the
            sum of their probabilities counts.
        probabilities: (samples, classes), from softmax, or from sigmoid if `multi_label`.
        multi_label: Whether a sample may have several labels.

    Returns:
        The temperature, 0.05 to 20. It is 1, which changes nothing, if no other is better, or if
        every prediction is correct: the likelihood then keeps growing with confidence, and the
        data do not show how much confidence is too much.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax, logsumexp

    true, logits = np.asarray(reference, bool), _logits(probabilities, multi_label)
    sets = not multi_label and bool((true.sum(axis=1) > 1).any())
    if sets:
        margins = np.where(true, logits, -np.inf).max(axis=1) - logits.max(axis=1)
    else:
        margins = (
            np.where(true, logits, -logits) if multi_label else logits[true] - logits.max(axis=1)
        )
    if (margins >= 0).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        if sets:
            return float(-logsumexp(log_softmax(logits * factor, axis=1), b=true, axis=1).mean())
        losses = (
            np.logaddexp(0, -margins * factor)
            if multi_label
            else -log_softmax(logits * factor, axis=1)[true]
        )
        return float(losses.mean())

    best = minimize_scalar(loss, bounds=tuple(np.log(_TEMPERATURES)), method="bounded").x
    return float(np.exp(best)) if loss(best) < loss(0.0) else 1.0


def apply_temperature(
    probabilities: NDArray[Any], temperature: float, multi_label: bool
) -> NDArray[np.float32]:
    """Computes the probabilities that result when the logits are divided by a temperature.

    Probabilities of 0 and 1 are replaced by the nearest ones that have a logit. With softmax, the
    order of the classes does not change.

    Args:
        probabilities: (samples, classes), from softmax, or from sigmoid if `multi_label`.
        temperature: Divisor of the logits, above 0.
        multi_label: Whether a sample may have several labels.

    Returns:
        Probabilities (samples, classes), float32.
    """
    from scipy.special import expit, softmax

    if temperature == 1:
        return np.array(probabilities, np.float32)
    logits = _logits(probabilities, multi_label) / temperature
    tempered: NDArray[np.float32] = (
        expit(logits) if multi_label else softmax(logits, axis=1)
    ).astype(np.float32)
    return tempered


def _logits(probabilities: NDArray[Any], multi_label: bool) -> NDArray[np.float64]:
    p = np.clip(np.asarray(probabilities, np.float64), _SMALLEST, _LARGEST if multi_label else 1.0)
    logits: NDArray[np.float64] = np.log(p) - np.log1p(-p) if multi_label else np.log(p)
    return logits
