"""Probabilities that mean what they say: expected calibration error, and the temperature that lowers it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TEMPERATURES = (0.05, 20.0)
_SMALLEST = float(np.finfo(np.float32).tiny)
_LARGEST = 1 - 2.0**-25  # what rounds to 1 in float32 and has a logit yet


class Reliability:
    """How often answers of each probability are right, added to piece by piece.

    bins: of equal width from 0 to 1; a bin holds its upper edge and not its lower one, as in Guo et al. (2017),
    "On Calibration of Modern Neural Networks", arXiv:1706.04599. counts: answers in each, (bins,) int64.
    """

    def __init__(self, bins: int = 15):
        self.counts = np.zeros(bins, np.int64)
        self._probability, self._right = np.zeros(bins), np.zeros(bins)

    def add(self, probability: NDArray[Any], right: NDArray[Any]) -> "Reliability":
        """Adds answers. probability: of the answer that was given, any shape. right: whether it was right, the same shape."""
        bins, values = len(self.counts), np.asarray(probability, np.float64).ravel()
        place = np.digitize(values, np.linspace(0, 1, bins + 1)[1:-1], right=True)
        self.counts += np.bincount(place, minlength=bins)
        self._probability += np.bincount(place, values, bins)
        self._right += np.bincount(place, np.asarray(right, np.float64).ravel(), bins)
        return self

    def state(self) -> list[list[float]]:
        """What was added, as plain numbers that `restore` takes."""
        return [self.counts.tolist(), self._probability.tolist(), self._right.tolist()]

    def restore(self, state: Sequence[Sequence[float]]) -> None:
        self.counts, self._probability, self._right = np.array(state[0], np.int64), np.array(state[1]), np.array(state[2])

    def merge(self, state: Sequence[Sequence[float]]) -> None:
        """Adds what was added to another one, from its `state`."""
        self.counts += np.array(state[0], np.int64)
        self._probability += state[1]
        self._right += state[2]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean probability of each bin (bins,), NaN where it is empty."""
        return self._per_answer(self._probability)

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of right answers of each bin (bins,), NaN where it is empty."""
        return self._per_answer(self._right)

    @property
    def error(self) -> float:
        """Expected calibration error, 0 to 1: how far the probability of an answer lies from the share of right ones.

        Each bin counts by its share of the answers. NaN when there are no answers.
        """
        filled = self.counts > 0
        if not filled.any():
            return float("nan")
        return float(np.average(np.abs(self.mean - self.share)[filled], weights=self.counts[filled]))

    def _per_answer(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(sums, self.counts, out=np.full(len(sums), np.nan), where=self.counts > 0)


def fit_temperature(truth: NDArray[Any], probabilities: NDArray[Any], multi_label: bool) -> float:
    """The temperature, 0.05 to 20, with the lowest negative log-likelihood; above 1 it makes answers less sure.

    truth: (answers, classes) of 0 or 1, of validation images or pixels; with softmax, several 1 stand for a set of classes, of
    which each would be right, and what counts is the sum of their probabilities. probabilities: (answers, classes), from softmax,
    or from sigmoid with several labels.
    1, which changes nothing, where none is better, and where every answer is right: the likelihood then grows towards
    ever surer answers, and the answers do not tell how sure is too sure.

    Guo et al. (2017), "On Calibration of Modern Neural Networks", arXiv:1706.04599.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax, logsumexp

    true, logits = np.asarray(truth, bool), _logits(probabilities, multi_label)
    sets = not multi_label and bool((true.sum(axis=1) > 1).any())
    if sets:
        margins = np.where(true, logits, -np.inf).max(axis=1) - logits.max(axis=1)
    else:
        margins = np.where(true, logits, -logits) if multi_label else logits[true] - logits.max(axis=1)
    if (margins >= 0).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        if sets:
            return float(-logsumexp(log_softmax(logits * factor, axis=1), b=true, axis=1).mean())
        losses = np.logaddexp(0, -margins * factor) if multi_label else -log_softmax(logits * factor, axis=1)[true]
        return float(losses.mean())

    best = minimize_scalar(loss, bounds=tuple(np.log(_TEMPERATURES)), method="bounded").x
    return float(np.exp(best)) if loss(best) < loss(0.0) else 1.0


def apply_temperature(probabilities: NDArray[Any], temperature: float, multi_label: bool) -> NDArray[np.float32]:
    """Probabilities (answers, classes) as they are when the logits are divided by the temperature, above 0.

    Probabilities of 0 and 1 are taken for the nearest that have a logit. The order of a softmax's classes stays.
    """
    from scipy.special import expit, softmax

    if temperature == 1:
        return np.array(probabilities, np.float32)
    logits = _logits(probabilities, multi_label) / temperature
    tempered: NDArray[np.float32] = (expit(logits) if multi_label else softmax(logits, axis=1)).astype(np.float32)
    return tempered


def _logits(probabilities: NDArray[Any], multi_label: bool) -> NDArray[np.float64]:
    p = np.clip(np.asarray(probabilities, np.float64), _SMALLEST, _LARGEST if multi_label else 1.0)
    logits: NDArray[np.float64] = np.log(p) - np.log1p(-p) if multi_label else np.log(p)
    return logits
