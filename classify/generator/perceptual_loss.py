"""Perceptual distance: how alike a trained classifier finds two pictures.

As a term of a loss it counters the blur that squared errors cause.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

_LEAST = 1e-6  # added to the divisor of relative distances

Perception = Callable[[Any, Any], Any]
"""Function of two batches of pictures, (batch, rows, columns, 3) of 0 to 1 each.

It returns a scalar, 0 for equal pictures.
"""


def perceptual_distance(features: keras.Model) -> Perception:
    """Builds the feature and style distance of Johnson et al. (2016).

    Source: "Perceptual losses for real-time style transfer". The feature distance compares what is
    where. The style distance compares second moments of features over the picture, that is,
    textures without the exact positions of their grains; squared errors would penalise a shift.

    Distances are averaged over feature maps. Each is relative to the size of the pictures' own
    features in the whole batch, because a dark picture can have hardly any.

    Args:
        features: Network that returns feature maps, see `load_stage_maps`. It is frozen.

    Returns:
        The distance.
    """
    features.trainable = False

    def distance(pictures: Any, others: Any) -> Any:
        pairs = list(zip(features(pictures * 255.0), features(others * 255.0), strict=True))
        parts = [
            _relative(a, b) + _relative(second_moments(a), second_moments(b)) for a, b in pairs
        ]
        return sum(parts) / len(parts)

    return distance


def second_moments(maps: Any) -> Any:
    """Computes mean products of features over all pixels.

    These are the Gram matrices of Gatys et al. (2016), "Image style transfer using convolutional
    neural networks".

    Args:
        maps: Feature maps (batch, rows, columns, features).

    Returns:
        Second moments (batch, features, features).
    """
    _, rows, columns, count = maps.shape
    flat = ops.reshape(ops.cast(maps, "float32"), (-1, rows * columns, count))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / (rows * columns)


def _relative(expected: Any, received: Any) -> Any:
    """Squared distance divided by the squared length of the expected value."""
    expected, received = ops.cast(expected, "float32"), ops.cast(received, "float32")
    return ops.sum(ops.square(expected - received)) / (ops.sum(ops.square(expected)) + _LEAST)
