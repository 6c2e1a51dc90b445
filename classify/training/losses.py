"""Cross-entropy for one label or several per image, with label smoothing and class weights."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from classify.config import LossSettings

_SMALLEST = 1e-7  # least distance of probabilities from 0 and 1, for finite logarithms

Loss = Callable[[Any, Any], Any]
"""Function of reference labels (batch, classes), 0 to 1, and probabilities (batch, classes).

It returns a scalar, the mean over the batch.
"""


def build_loss(settings: LossSettings, class_weights: Sequence[float], multi_label: bool) -> Loss:
    """Builds the loss of probabilities.

    Label smoothing s distributes s of the reference label evenly over all classes (Szegedy et al.
    2016, "Rethinking the Inception architecture"). With several labels, each label is a yes or no,
    and either gets s / 2. An image counts with the weight of its class; with several labels, each
    label counts with its own weight.

    Args:
        settings: Label smoothing.
        class_weights: One weight per class, see `segment.core.training.class_weights`.
        multi_label: Whether images can have several labels.

    Returns:
        Categorical or, with several labels, binary cross-entropy.
    """
    weights, smoothing = np.asarray(class_weights, np.float32), settings.label_smoothing

    def categorical(reference: Any, probabilities: Any) -> Any:
        smooth = reference * (1.0 - smoothing) + smoothing / len(weights)
        losses = -ops.sum(smooth * ops.log(ops.clip(probabilities, _SMALLEST, 1.0)), axis=-1)
        return ops.mean(losses * ops.sum(reference * weights, axis=-1))

    def binary(reference: Any, probabilities: Any) -> Any:
        smooth = reference * (1.0 - smoothing) + smoothing / 2
        p = ops.clip(probabilities, _SMALLEST, 1.0 - _SMALLEST)
        losses = -(smooth * ops.log(p) + (1.0 - smooth) * ops.log(1.0 - p))
        return ops.mean(losses * weights)

    return binary if multi_label else categorical
