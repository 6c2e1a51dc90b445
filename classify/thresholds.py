"""Thresholds from which a class is given to an image that can have several labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def choose_thresholds(reference: NDArray[Any], probabilities: NDArray[Any]) -> list[float]:
    """Chooses the threshold of each class that gives the highest F1 on validation images.

    A threshold is midway between the lowest probability that still gets the label and the next
    lower probability (or 0). Of several equally good thresholds, the one nearest to 0.5 is taken.

    Args:
        reference: Reference labels, (images, classes) of 0 or 1.
        probabilities: Predicted probabilities, (images, classes), with the temperature that
            predictions will have.

    Returns:
        The probability from which each class is given; 0.5 for a class that no image or every image
        has.
    """
    from sklearn.metrics import precision_recall_curve

    thresholds = []
    for true, probability in zip(
        np.asarray(reference, bool).T, np.asarray(probabilities, np.float64).T, strict=True
    ):
        if true.all() or not true.any():
            thresholds.append(0.5)
            continue
        precision, recall, scores = precision_recall_curve(true, probability)
        both = precision[:-1] + recall[:-1]
        f1 = np.divide(
            2 * precision[:-1] * recall[:-1], both, out=np.zeros_like(both), where=both > 0
        )
        between = (scores + np.concatenate([[0.0], scores[:-1]])) / 2
        best = between[np.isclose(f1, f1.max(), rtol=0, atol=1e-12)]
        thresholds.append(float(best[np.abs(best - 0.5).argmin()]))
    return thresholds
