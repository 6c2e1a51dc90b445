"""Losses on class probabilities without ignored pixels: focal, Dice, Jaccard, cross-entropy.

The labels are codes, each a set of admissible classes (see `LabelSets`); with single classes these
are the usual losses. The probability of a set is the sum over its classes (marginal likelihood).
Overlaps of a class count where its membership is certain: a pixel is positive where the class alone
is admissible, negative where it is not admissible, and left out otherwise.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from segment.config import LossSettings
from segment.label_sets import LabelSets

_SMALLEST = 1e-7  # probabilities are kept this far from 0, where the logarithm is infinite

Loss = Callable[[Any, Any], Any]
"""Function of label codes and probabilities that returns a scalar.

Label codes are (batch, rows, columns), probabilities (batch, rows, columns, classes).
"""


def build_loss(
    settings: LossSettings, class_weights: Sequence[float], labels: LabelSets | None = None
) -> Loss:
    """Returns the loss that the settings name.

    Each part of it is one number per batch, so that parts can be added: a mean over the scored
    pixels of the batch (cross-entropy, focal), or over its classes (Dice, Jaccard).

    Args:
        settings: Name of the loss, and its parameters.
        class_weights: One per class, see `segment.core.training.class_weights`.
        labels: What the codes of the reference admit; by default one class each.

    Returns:
        The loss.
    """
    weights = np.asarray(class_weights, np.float32)
    parts: dict[str, Loss] = {
        "cross_entropy": partial(focal, weights=weights, gamma=0.0, labels=labels),
        "focal": partial(focal, weights=weights, gamma=settings.gamma, labels=labels),
        "dice": partial(dice, weights=weights, labels=labels),
        "jaccard": partial(jaccard, weights=weights, labels=labels),
    }
    if settings.name != "focal+dice":
        return parts[settings.name]
    return lambda reference, p: (
        settings.focal_weight * parts["focal"](reference, p)
        + settings.dice_weight * parts["dice"](reference, p)
    )


def focal(
    reference: Any, probabilities: Any, weights: Any, gamma: float, labels: LabelSets | None = None
) -> Any:
    """Returns the focal loss: the mean of -w (1 - p)^gamma log p over the scored pixels.

    p is the probability of what the reference admits, and w the mean weight of it. Lin et al.
    (2017), "Focal loss for dense object detection"; with gamma 0, cross-entropy.

    Args:
        reference: Label codes (batch, rows, columns).
        probabilities: (batch, rows, columns, classes).
        weights: One per class, (classes,).
        gamma: Focusing exponent, 0 or above.
        labels: What the codes admit; by default one class each.

    Returns:
        A scalar tensor.
    """
    admitted = _look_up(_sets(labels, probabilities).admitted(), reference, probabilities)
    count = ops.sum(admitted, axis=-1)
    scored = ops.cast(count > 0, probabilities.dtype)
    p = ops.clip(ops.sum(admitted * probabilities, axis=-1), _SMALLEST, 1.0)
    # the clip below keeps the gradient finite where p reaches 1 and gamma is below 1
    hardness = ops.power(ops.clip(1.0 - p, _SMALLEST, 1.0), gamma) if gamma else 1.0
    weight = ops.sum(admitted * ops.convert_to_tensor(weights), axis=-1) / ops.maximum(count, 1.0)
    loss = -weight * hardness * ops.log(p)
    return ops.sum(loss * scored) / ops.maximum(ops.sum(scored), 1.0)


def dice(reference: Any, probabilities: Any, weights: Any, labels: LabelSets | None = None) -> Any:
    """Returns one minus the soft Dice coefficient, a weighted mean over the classes present.

    The coefficient of each class is taken over the whole batch. Milletari et al. (2016), "V-Net".

    Args:
        reference: Label codes (batch, rows, columns).
        probabilities: (batch, rows, columns, classes).
        weights: One per class, (classes,).
        labels: What the codes admit; by default one class each.

    Returns:
        A scalar tensor.
    """
    return _overlap_loss(
        lambda hits, both: 2.0 * hits / both, reference, probabilities, weights, labels
    )


def jaccard(
    reference: Any, probabilities: Any, weights: Any, labels: LabelSets | None = None
) -> Any:
    """Returns one minus the soft intersection over union, averaged like `dice`.

    Rahman and Wang (2016), "Optimizing intersection-over-union in deep neural networks".

    Args:
        reference: Label codes (batch, rows, columns).
        probabilities: (batch, rows, columns, classes).
        weights: One per class, (classes,).
        labels: What the codes admit; by default one class each.

    Returns:
        A scalar tensor.
    """
    return _overlap_loss(
        lambda hits, both: hits / (both - hits), reference, probabilities, weights, labels
    )


def _sets(labels: LabelSets | None, probabilities: Any) -> LabelSets:
    return labels or LabelSets([""] * probabilities.shape[-1])


def _look_up(table: Any, reference: Any, probabilities: Any) -> Any:
    """Returns the row of a table (256, classes) for each pixel, (batch, rows, columns, classes)."""
    return ops.take(
        ops.convert_to_tensor(table, dtype=probabilities.dtype),
        ops.cast(reference, "int32"),
        axis=0,
    )


def _overlap_loss(
    overlap: Callable[[Any, Any], Any],
    reference: Any,
    probabilities: Any,
    weights: Any,
    labels: LabelSets | None,
) -> Any:
    """Returns one minus an overlap, a weighted mean over the classes in the batch's reference.

    `overlap` is computed from the probability on reference pixels of each class, and the sum of its
    reference pixels and probabilities. Only pixels of the batch where the membership in the class
    is certain are counted. Absent classes have no overlap to learn from.
    """
    sets, axes = _sets(labels, probabilities), (0, 1, 2)
    positive = _look_up(sets.positive(), reference, probabilities)
    certain = _look_up(sets.certain(), reference, probabilities)
    hits, true = ops.sum(positive * probabilities, axis=axes), ops.sum(positive, axis=axes)
    both = ops.maximum(true + ops.sum(probabilities * certain, axis=axes), _SMALLEST)
    losses = 1.0 - overlap(hits, both)
    shares = ops.convert_to_tensor(weights) * ops.cast(true > 0, losses.dtype)
    return ops.sum(losses * shares) / ops.maximum(ops.sum(shares), _SMALLEST)
