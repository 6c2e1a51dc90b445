"""Cross-entropy of labels, one or several per image, with smoothing and class weights."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from classify.config import LossSettings

_SMALLEST = 1e-7  # probabilities are kept this far from 0 and 1, where logarithms end

Loss = Callable[[Any, Any], Any]
"""(truth (batch, classes) of 0 to 1, probabilities (batch, classes)) -> scalar, the mean over the batch."""


def build_loss(settings: LossSettings, class_weights: Sequence[float], multi_label: bool) -> Loss:
    """The loss on probabilities.

    class_weights: one per class, see `segment.core.training.class_weights`. multi_label: images may carry several labels.

    Label smoothing s moves s of the truth to all classes alike (Szegedy et al. 2016, "Rethinking the Inception
    architecture"), of a label that is a yes or no s / 2 to each. An image counts as much as its class weighs; of several labels,
    each counts by its own.
    """
    weights, smoothing = np.asarray(class_weights, np.float32), settings.label_smoothing

    def categorical(truth: Any, probabilities: Any) -> Any:
        smooth = truth * (1.0 - smoothing) + smoothing / len(weights)
        losses = -ops.sum(smooth * ops.log(ops.clip(probabilities, _SMALLEST, 1.0)), axis=-1)
        return ops.mean(losses * ops.sum(truth * weights, axis=-1))

    def binary(truth: Any, probabilities: Any) -> Any:
        smooth = truth * (1.0 - smoothing) + smoothing / 2
        p = ops.clip(probabilities, _SMALLEST, 1.0 - _SMALLEST)
        losses = -(smooth * ops.log(p) + (1.0 - smooth) * ops.log(1.0 - p))
        return ops.mean(losses * weights)

    return binary if multi_label else categorical
