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
from segment.core.labels.classes import IGNORED
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


def has_labels(reference: Any, probabilities: Any) -> Any:
    """Checks whether a batch has a labelled pixel; without one, its loss is 0 whatever the network.

    Args:
        reference: Label codes (batch, rows, columns).
        probabilities: Not used.

    Returns:
        1 or 0 for each tile, the same for all of the batch, (batch,) float32.
    """
    found = ops.cast(ops.any(ops.not_equal(reference, IGNORED)), "float32")
    return ops.broadcast_to(found, (ops.shape(reference)[0],))


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
    sets = _sets(labels, probabilities)
    codes, answers = _codes_and_answers(reference, probabilities, sets)
    table = sets.admitted()[: sets.count]
    # where each code is its own class, the product would change nothing
    admitted = ops.matmul(codes, table) if sets.unions else codes
    p = ops.clip(ops.sum(admitted * answers, axis=-1), _SMALLEST, 1.0)
    # the clip below keeps the gradient finite where p reaches 1 and gamma is below 1
    hardness = ops.power(ops.clip(1.0 - p, _SMALLEST, 1.0), gamma) if gamma else 1.0
    # the weight of a pixel that is not scored is 0
    weight = ops.matmul(codes, (table @ weights / table.sum(1)).astype(np.float32))
    loss = ops.sum(-weight * hardness * ops.log(p))
    return loss / ops.maximum(ops.sum(codes), 1.0)


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


def _codes_and_answers(reference: Any, probabilities: Any, sets: LabelSets) -> tuple[Any, Any]:
    """Returns the codes, one-hot (pixels, codes), and the probabilities (pixels, classes).

    The row of a pixel that is not scored is all 0.
    """
    flat = ops.reshape(ops.cast(reference, "int32"), (-1,))
    codes = ops.one_hot(flat, sets.count, dtype=probabilities.dtype)
    return codes, ops.reshape(probabilities, (-1, probabilities.shape[-1]))


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
    sets = _sets(labels, probabilities)
    codes, answers = _codes_and_answers(reference, probabilities, sets)
    # (codes, classes): probability of each class on the pixels of each code; small from here on
    found, counts = ops.matmul(ops.transpose(codes), answers), ops.sum(codes, axis=0)
    positive, certain = sets.positive()[: sets.count], sets.certain()[: sets.count]
    hits, true = ops.sum(positive * found, axis=0), ops.matmul(counts, positive)
    both = ops.maximum(true + ops.sum(certain * found, axis=0), _SMALLEST)
    losses = 1.0 - overlap(hits, both)
    shares = ops.convert_to_tensor(weights) * ops.cast(true > 0, losses.dtype)
    return ops.sum(losses * shares) / ops.maximum(ops.sum(shares), _SMALLEST)
