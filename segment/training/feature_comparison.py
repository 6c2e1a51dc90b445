"""A network that measures how far the features of an encoder are from those of another one."""

from collections.abc import Callable
from typing import Any, Literal

import keras

from segment.config import ModelSettings
from segment.core.networks.efficientnet_lite import SCALES, feature_layers
from segment.core.pixels.normalise import imagenet_statistics, normalisation
from segment.training.crops import RGB_STATISTICS

STAGES = (2, 3, 4)
"""Stages of a ResNet before which features are compared.

These are at a quarter, an eighth and a sixteenth of the resolution.
"""

_MOMENTUM = ModelSettings().batch_norm_momentum


def compare(
    teacher: keras.Model,
    student: keras.Model,
    normalise: Callable[[Any], Any],
    names: tuple[str, str],
    size: int,
) -> keras.Model:
    """Builds a network that measures how far a student is from its teacher.

    Args:
        teacher: Encoder to learn from. It is frozen, and its channels are standardised.
        student: Encoder that learns. At each depth, a linear layer leads from its channels to those
            of the teacher.
        normalise: Brings pixels to what the teacher expects.
        names: Names of both encoders.
        size: Edge of the crops, pixels.

    Returns:
        A model from RGB of 8 bits (batch, size, size, 3) to the share of the teacher's variance
        that the student misses, (batch, depths), 0 or more.
    """
    teacher.trainable = False
    last = names[0] in SCALES
    pixels = keras.Input((size, size, 3), dtype="uint8")
    hints = keras.Model(teacher.inputs, _features(teacher, names[0], "bn1", last))
    wanted = keras.Model(pixels, hints(normalise(pixels)), name="hints")(pixels, training=False)
    normal = normalisation(RGB_STATISTICS, "imagenet_statistics", imagenet_statistics)(pixels)
    given = keras.Model(student.inputs, _features(student, names[1], "relu1", last))(normal)
    missed = []
    for theirs, own in zip(wanted, given, strict=True):
        standard = keras.layers.BatchNormalization(
            center=False, scale=False, momentum=_MOMENTUM, dtype="float32"
        )(theirs)
        difference = keras.layers.Conv2D(theirs.shape[-1], 1, dtype="float32")(own) - standard
        missed.append(keras.ops.mean(keras.ops.square(difference), axis=(1, 2, 3)))
    return keras.Model(pixels, keras.ops.stack(missed, axis=-1))


def _features(
    encoder: keras.Model, name: str, resnet: Literal["bn1", "relu1"], last: bool
) -> list[Any]:
    """Returns features at 1/4, 1/8 and 1/16 of the resolution, and at 1/32 if `last`.

    `resnet` is the layer of a ResNet's stages before (bn1) or after (relu1) which features are
    taken.
    """
    if name in SCALES:
        tensors = [encoder.get_layer(layer).output for layer in feature_layers(name)[2::-1]]
    else:
        layers = [encoder.get_layer(f"stage{n}_unit1_{resnet}") for n in STAGES]
        tensors = [layer.input if resnet == "bn1" else layer.output for layer in layers]
    return [*tensors, encoder.output] if last else tensors
