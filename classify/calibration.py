"""Probabilities that mean what they say: expected calibration error, temperature, and a threshold per label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TEMPERATURES = (0.05, 20.0)
_SMALLEST = float(np.finfo(np.float32).tiny)
_LARGEST = 1 - 2.0**-25  # what rounds to 1 in float32 and has a logit yet


def calibration_error(probability: NDArray[Any], right: NDArray[Any], bins: int = 15) -> float:
    """Expected calibration error, 0 to 1: how far the probability of an answer lies from the share of right ones.

    probability: of the answer that was given, any shape. right: whether it was right, the same shape.
    bins: of equal width from 0 to 1; each counts by its share of the answers. NaN when there are no answers.

    Guo et al. (2017), "On Calibration of Modern Neural Networks", arXiv:1706.04599.
    """
    counts, mean, share = reliability(probability, right, bins)
    filled = counts > 0
    if not filled.any():
        return float("nan")
    return float(np.average(np.abs(mean[filled] - share[filled]), weights=counts[filled]))


def reliability(
    probability: NDArray[Any], right: NDArray[Any], bins: int = 15
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Answers in bins of equal width: their number, mean probability and share of right ones, (bins,) each.

    A bin holds its upper edge and not its lower one, as in Guo et al.; mean and share are NaN where it is empty.
    """
    values = np.asarray(probability, np.float64).ravel()
    place = np.digitize(values, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    counts = np.bincount(place, minlength=bins).astype(np.int64)
    sums = [np.bincount(place, weights, bins) for weights in (values, np.asarray(right, np.float64).ravel())]
    mean, share = (np.divide(s, counts, out=np.full(bins, np.nan), where=counts > 0) for s in sums)
    return counts, mean, share


def fit_temperature(truth: NDArray[Any], probabilities: NDArray[Any], multi_label: bool) -> float:
    """The temperature, 0.05 to 20, with the lowest negative log-likelihood; above 1 it makes answers less sure.

    truth: (images, classes) of 0 or 1, of validation images. probabilities: (images, classes), from softmax, or from
    sigmoid with several labels.
    1, which changes nothing, where none is better, and where every answer is right: the likelihood then grows towards
    ever surer answers, and the images do not tell how sure is too sure.

    Guo et al. (2017), "On Calibration of Modern Neural Networks", arXiv:1706.04599.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    true, logits = np.asarray(truth, bool), _logits(probabilities, multi_label)
    margins = np.where(true, logits, -logits) if multi_label else logits[true] - logits.max(axis=1)
    if (margins >= 0).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        losses = np.logaddexp(0, -margins * factor) if multi_label else -log_softmax(logits * factor, axis=1)[true]
        return float(losses.mean())

    best = minimize_scalar(loss, bounds=tuple(np.log(_TEMPERATURES)), method="bounded").x
    return float(np.exp(best)) if loss(best) < loss(0.0) else 1.0


def apply_temperature(probabilities: NDArray[Any], temperature: float, multi_label: bool) -> NDArray[np.float32]:
    """Probabilities (images, classes) as they are when the logits are divided by the temperature, above 0.

    Probabilities of 0 and 1 are taken for the nearest that have a logit. The order of a softmax's classes stays.
    """
    from scipy.special import expit, softmax

    if temperature == 1:
        return np.array(probabilities, np.float32)
    logits = _logits(probabilities, multi_label) / temperature
    tempered: NDArray[np.float32] = (expit(logits) if multi_label else softmax(logits, axis=1)).astype(np.float32)
    return tempered


def choose_thresholds(truth: NDArray[Any], probabilities: NDArray[Any]) -> list[float]:
    """The probability from which on each label is given, for the highest F1 on validation images.

    truth: (images, classes) of 0 or 1. probabilities: (images, classes), with the temperature that predictions will have.
    Midway between the lowest probability that is to have the label and the next lower one (or 0). Of equally good ones
    the nearest to 0.5; 0.5 where no image or every image has the label.
    """
    from sklearn.metrics import precision_recall_curve

    thresholds = []
    for true, probability in zip(np.asarray(truth, bool).T, np.asarray(probabilities, np.float64).T, strict=True):
        if true.all() or not true.any():
            thresholds.append(0.5)
            continue
        precision, recall, scores = precision_recall_curve(true, probability)
        both = precision[:-1] + recall[:-1]
        f1 = np.divide(2 * precision[:-1] * recall[:-1], both, out=np.zeros_like(both), where=both > 0)
        between = (scores + np.concatenate([[0.0], scores[:-1]])) / 2
        best = between[np.isclose(f1, f1.max(), rtol=0, atol=1e-12)]
        thresholds.append(float(best[np.abs(best - 0.5).argmin()]))
    return thresholds


def _logits(probabilities: NDArray[Any], multi_label: bool) -> NDArray[np.float64]:
    p = np.clip(np.asarray(probabilities, np.float64), _SMALLEST, _LARGEST if multi_label else 1.0)
    logits: NDArray[np.float64] = np.log(p) - np.log1p(-p) if multi_label else np.log(p)
    return logits
