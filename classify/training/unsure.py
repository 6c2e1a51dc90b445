"""When answers are unsure: limits that keep 95 % of the right answers on validation."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.dataset import ImageDataset
from classify.labelling.doubt import Doubt, thinned
from segment.core.pixels.novelty import NoveltyDetector
from segment.core.progress import Progress

KEPT = 0.95
"""Share of the right answers on validation that are given."""

_COMPARED = 2048  # training images, and validation images, by which others are unfamiliar
_FEWEST_TRAINING, _FEWEST_RIGHT = 50, 20
_STEP = 0.001


def choose_doubt(
    training: ImageDataset,
    validation: ImageDataset,
    probabilities: NDArray[np.float32],
    right: NDArray[np.bool_],
    progress: Progress,
) -> Doubt | None:
    """Chooses when answers are unsure.

    Probability and unfamiliarity each turn away the same share of the right answers, as much as
    leaves 95 % of them.

    Args:
        training: Training images, not augmented.
        validation: Validation images.
        probabilities: Their calibrated probabilities (images, classes).
        right: Whether each answer is right, (images,).
        progress: Where progress is reported.

    Returns:
        The limits; None if there are too few images.
    """
    drawn = np.random.default_rng(0).permutation(len(training.images))[:_COMPARED].tolist()
    rows = np.unique(np.linspace(0, len(right) - 1, _COMPARED).round().astype(int))
    rows = rows[right[rows]]
    if len(drawn) < _FEWEST_TRAINING or len(rows) < _FEWEST_RIGHT:
        return None
    done, total = 0, len(drawn) + 2 * len(rows)

    def images(dataset: ImageDataset, chosen: list[int]) -> Iterator[NDArray[Any]]:
        nonlocal done
        for index in chosen:
            yield thinned(dataset.image_at(index))
            done += 1
            progress.advance("describing images", done, total)

    detector = NoveltyDetector.fit(images(training, drawn), images(validation, rows.tolist()))
    distances = np.array([detector.score(image) for image in images(validation, rows.tolist())])
    threshold, factor = choose_limits(probabilities[rows].max(axis=1), distances)
    return Doubt(threshold, replace(detector, limit=np.float32(detector.limit * factor)))


def choose_limits(probability: NDArray[Any], distance: NDArray[Any]) -> tuple[float, float]:
    """Chooses the lowest probability and the largest distance of answers that are given.

    Args:
        probability: Highest probability of each right answer.
        distance: Distance of its image from the training images.

    Returns:
        The threshold of the probability and that of the distance.
    """
    threshold, limit = 0.0, float(distance.max())
    for share in np.arange(_STEP, 1 - KEPT + _STEP / 2, _STEP):
        low = float(np.quantile(probability, share, method="lower"))
        far = float(np.quantile(distance, 1 - share, method="higher"))
        if ((probability >= low) & (distance <= far)).mean() < KEPT:
            break
        threshold, limit = low, far
    return threshold, max(limit, 1e-6)
