"""How alike two pictures look to a trained classifier: the term that answers the blur of squared errors."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

_LEAST = 1e-6  # of what distances are relative to

Perception = Callable[[Any, Any], Any]
"""(pictures, others), (batch, rows, columns, 3) of 0 to 1 each -> scalar, 0 for the same."""


def perceptual_distance(features: keras.Model) -> Perception:
    """Feature and style distance of Johnson et al. (2016), "Perceptual losses for real-time style transfer", averaged over
    feature maps, each relative to the size of the pictures' own features; of the whole batch, as a dark one may have hardly any.

    features: see `load_stage_maps`. The feature distance asks what is where; the style distance, between the features'
    second moments over the picture, asks for the same texture wherever its grains lie, which squared errors do not forgive.
    """
    features.trainable = False

    def distance(pictures: Any, others: Any) -> Any:
        pairs = list(zip(features(pictures * 255.0), features(others * 255.0), strict=True))
        parts = [_relative(a, b) + _relative(second_moments(a), second_moments(b)) for a, b in pairs]
        return sum(parts) / len(parts)

    return distance


def second_moments(maps: Any) -> Any:
    """(batch, features, features): mean products of features over the places of (batch, rows, columns, features) (the Gram
    matrices of Gatys et al. 2016, "Image style transfer using convolutional neural networks")."""
    _, rows, columns, count = maps.shape
    flat = ops.reshape(ops.cast(maps, "float32"), (-1, rows * columns, count))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / (rows * columns)


def _relative(expected: Any, received: Any) -> Any:
    """Squared distance over the squared length of what was expected."""
    expected, received = ops.cast(expected, "float32"), ops.cast(received, "float32")
    return ops.sum(ops.square(expected - received)) / (ops.sum(ops.square(expected)) + _LEAST)
