"""Losses on class probabilities that leave ignored pixels out: focal, Dice, Jaccard, cross-entropy, and their sum."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from segment.config import LossSettings
from segment.core.palette import IGNORED

_SMALLEST = 1e-7  # probabilities are kept this far from 0, where the logarithm ends

Loss = Callable[[Any, Any], Any]
"""(truth (batch, rows, columns) of class indices, probabilities (batch, rows, columns, classes)) -> scalar."""


def build_loss(settings: LossSettings, class_weights: Sequence[float]) -> Loss:
    """The loss that the settings name.

    class_weights: one per class, see `segment.core.class_weights`.

    Each part is one number per batch, so that parts can be added: a mean over the batch's scored pixels (cross-entropy,
    focal), or over its classes (Dice, Jaccard).
    """
    weights = np.asarray(class_weights, np.float32)
    parts: dict[str, Loss] = {
        "cross_entropy": lambda truth, p: focal(truth, p, weights, gamma=0.0),
        "focal": lambda truth, p: focal(truth, p, weights, settings.gamma),
        "dice": lambda truth, p: dice(truth, p, weights),
        "jaccard": lambda truth, p: jaccard(truth, p, weights),
    }
    if settings.name != "focal+dice":
        return parts[settings.name]
    return lambda truth, p: settings.focal_weight * parts["focal"](truth, p) + settings.dice_weight * parts["dice"](truth, p)


def focal(truth: Any, probabilities: Any, weights: Any, gamma: float) -> Any:
    """Mean over the scored pixels of -w (1 - p)^gamma log p, p the true class' probability.

    Lin et al. (2017), "Focal loss for dense object detection"; with gamma 0, cross-entropy.
    """
    one_hot, scored = _one_hot(truth, probabilities)
    p = ops.clip(ops.sum(one_hot * probabilities, axis=-1), _SMALLEST, 1.0)
    # the clip below keeps the gradient finite where p reaches 1 and gamma is below 1
    hardness = ops.power(ops.clip(1.0 - p, _SMALLEST, 1.0), gamma) if gamma else 1.0
    loss = -ops.sum(one_hot * ops.convert_to_tensor(weights), axis=-1) * hardness * ops.log(p)
    return ops.sum(loss * scored) / ops.maximum(ops.sum(scored), 1.0)


def dice(truth: Any, probabilities: Any, weights: Any) -> Any:
    """One minus the soft Dice coefficient of each class over the batch; their weighted mean over the classes present.

    Milletari et al. (2016), "V-Net".
    """
    hits, true, predicted = _sums(truth, probabilities)
    return _over_present(1.0 - 2.0 * hits / ops.maximum(true + predicted, _SMALLEST), true, weights)


def jaccard(truth: Any, probabilities: Any, weights: Any) -> Any:
    """As `dice`, with the soft intersection over union.

    Rahman and Wang (2016), "Optimizing intersection-over-union in deep neural networks".
    """
    hits, true, predicted = _sums(truth, probabilities)
    return _over_present(1.0 - hits / ops.maximum(true + predicted - hits, _SMALLEST), true, weights)


def _one_hot(truth: Any, probabilities: Any) -> tuple[Any, Any]:
    """(batch, rows, columns, classes) of 0 and 1, all 0 where ignored, and (batch, rows, columns) of 1 where scored."""
    truth = ops.cast(truth, "int32")
    scored = ops.cast(ops.not_equal(truth, IGNORED), probabilities.dtype)
    indices = ops.where(ops.equal(truth, IGNORED), 0, truth)
    one_hot = ops.one_hot(indices, probabilities.shape[-1], dtype=probabilities.dtype)
    return one_hot * scored[..., None], scored


def _sums(truth: Any, probabilities: Any) -> tuple[Any, Any, Any]:
    """Per class, over the scored pixels of the batch: probability on true pixels, true pixels, probability."""
    one_hot, scored = _one_hot(truth, probabilities)
    axes = (0, 1, 2)
    predicted = ops.sum(probabilities * scored[..., None], axis=axes)
    return ops.sum(one_hot * probabilities, axis=axes), ops.sum(one_hot, axis=axes), predicted


def _over_present(losses: Any, true: Any, weights: Any) -> Any:
    """Weighted mean over the classes that the batch's truth holds: absent ones have no overlap to learn from."""
    shares = ops.convert_to_tensor(weights) * ops.cast(true > 0, losses.dtype)
    return ops.sum(losses * shares) / ops.maximum(ops.sum(shares), _SMALLEST)
