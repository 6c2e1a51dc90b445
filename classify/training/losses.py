"""Cross-entropy for one label or several per image, with label smoothing and class weights."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from classify.config import LossSettings
from classify.label_sets import Unions, sum_unions

_SMALLEST = 1e-7  # least distance of probabilities from 0 and 1, for finite logarithms

Loss = Callable[[Any, Any], Any]
"""Function of reference labels (batch, classes), 0 to 1, and probabilities (batch, classes).

Reference labels have further columns for sets of classes. It returns a scalar, the mean over the
batch.
"""


def build_loss(
    settings: LossSettings,
    class_weights: Sequence[float],
    multi_label: bool,
    unions: Unions = (),
) -> Loss:
    """Builds the loss of probabilities.

    Label smoothing s distributes s of the reference label evenly over all classes (Szegedy et al.
    2016, "Rethinking the Inception architecture"). With several labels, each label is a yes or no,
    and either gets s / 2. An image counts with the weight of its class; with several labels, each
    label counts with its own weight.

    An image that may be of any of several classes counts by the marginal likelihood of the set:
    the logarithm of the sum of their probabilities, with the mean of their weights.

    Args:
        settings: Label smoothing.
        class_weights: One weight per class, see `segment.core.training.class_weights`.
        multi_label: Whether images can have several labels.
        unions: Sets of classes that have a column of the reference labels each, see `one_hot`.

    Returns:
        Categorical or, with several labels, binary cross-entropy.
    """
    weights, smoothing = np.asarray(class_weights, np.float32), settings.label_smoothing
    even = np.array([1 / len(weights)] * len(weights) + [0] * len(unions), np.float32) * smoothing
    of_sets = np.array([weights[list(some)].mean() for some in unions], np.float32)
    all_weights = np.concatenate([weights, of_sets])

    def categorical(reference: Any, probabilities: Any) -> Any:
        smooth = reference * (1.0 - smoothing) + even
        p = ops.clip(sum_unions(probabilities, unions), _SMALLEST, 1.0)
        losses = -ops.sum(smooth * ops.log(p), axis=-1)
        return ops.mean(losses * ops.sum(reference * all_weights, axis=-1))

    def binary(reference: Any, probabilities: Any) -> Any:
        smooth = reference * (1.0 - smoothing) + smoothing / 2
        p = ops.clip(probabilities, _SMALLEST, 1.0 - _SMALLEST)
        losses = -(smooth * ops.log(p) + (1.0 - smooth) * ops.log(1.0 - p))
        return ops.mean(losses * weights)

    return binary if multi_label else categorical
