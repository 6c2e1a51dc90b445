"""Backbones of networks for scene labels; the only module that knows their layers."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from classify.config import Backbone
from classify.training.wide_resnet import wide_resnet50_2, wide_resnet50_2_weights
from segment.core.errors import InputError
from segment.core.model.folder import load_keras_model, load_model_info
from segment.core.model.keras_model import see_inside
from segment.core.networks.backbones import build_backbone, imagenet_affine, imagenet_weights
from segment.core.networks.efficientnet_lite import efficientnet_lite, stage_prefixes
from segment.core.networks.layers import Weights, weights_of
from segment.core.pixels.normalise import Affine, imagenet_statistics, scaling

WEIGHTS = "model.weights"
"""The setting that names pretrained weights, for errors."""


@dataclass(frozen=True)
class Design:
    """How a backbone is built and trained here.

    Attributes:
        build: Builds a fully convolutional model for a number of bands.
        stages: Prefix of the name of the first layer of each stage.
        affine: Preprocessing of 8-bit RGB that the ImageNet weights expect.
        download: Loads ImageNet weights; None if there are none.
    """

    build: Callable[[int], keras.Model]
    stages: list[str]
    affine: Callable[[], Affine] | None = None
    download: Callable[[], Weights] | None = None


def _resnet50() -> Design:
    """He et al. (2016), "Identity mappings in deep residual networks", as MXNet trained it."""
    stages = [f"stage{n}_unit1_" for n in range(1, 5)]
    affine, download = (
        partial(imagenet_affine, "resnet50"),
        partial(imagenet_weights, "resnet50", WEIGHTS),
    )
    return Design(
        lambda bands: build_backbone("resnet50", bands=bands, size=None), stages, affine, download
    )


def _wide_resnet50_2() -> Design:
    """Zagoruyko and Komodakis (2016), "Wide Residual Networks", as timm trained it."""
    return Design(
        wide_resnet50_2,
        [f"layer{n}_0_" for n in range(1, 5)],
        imagenet_statistics,
        wide_resnet50_2_weights,
    )


def _efficientnetv2(
    builder: Callable[..., keras.Model], stages: int, affine: Callable[[], Affine]
) -> Design:
    """Tan and Le (2021), "EfficientNetV2: smaller models and faster training"."""
    build = partial(_application, partial(builder, include_preprocessing=False))
    names = [f"block{n}a_" for n in range(1, stages + 1)]
    return Design(build, names, affine, lambda: weights_of(build(weights="imagenet")))


def _mobilenetv2() -> Design:
    """Sandler et al. (2018), "MobileNetV2: inverted residuals and linear bottlenecks".

    Stages are the rows of its table 2.
    """
    build = partial(_application, keras.applications.MobileNetV2)
    stages = ["expanded_conv_", *(f"block_{n}_" for n in (1, 3, 6, 10, 13, 16))]
    return Design(
        build,
        stages,
        partial(scaling, 1 / 127.5, -1),
        lambda: weights_of(build(weights="imagenet")),
    )


def _efficientnet_lite(name: Backbone) -> Design:
    """Tan and Le (2019), "EfficientNet", without squeeze-and-excitation.

    Stages are those of its table 1.
    """
    build = partial(efficientnet_lite, name, head=True)
    return Design(
        build, stage_prefixes(name), imagenet_statistics, partial(imagenet_weights, name, WEIGHTS)
    )


def _baseline() -> Design:
    return Design(_small_network, [f"block{n}_" for n in range(1, 5)])


DESIGNS: dict[Backbone, Callable[[], Design]] = {
    "resnet50": _resnet50,
    "wide_resnet50_2": _wide_resnet50_2,
    "efficientnetv2-b0": partial(
        _efficientnetv2, keras.applications.EfficientNetV2B0, 6, imagenet_statistics
    ),
    "efficientnetv2-s": partial(
        _efficientnetv2, keras.applications.EfficientNetV2S, 6, partial(scaling, 1 / 128, -1)
    ),
    "efficientnetv2-l": partial(
        _efficientnetv2, keras.applications.EfficientNetV2L, 7, partial(scaling, 1 / 128, -1)
    ),
    "mobilenetv2": _mobilenetv2,
    "efficientnet_lite0": partial(_efficientnet_lite, "efficientnet_lite0"),
    "efficientnet_lite1": partial(_efficientnet_lite, "efficientnet_lite1"),
    "efficientnet_lite2": partial(_efficientnet_lite, "efficientnet_lite2"),
    "baseline": _baseline,
}


def _application(
    builder: Callable[..., keras.Model], bands: int = 3, weights: str | None = None
) -> keras.Model:
    # Keras warns of bands other than 1 and 3, and of an input of any size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return builder(include_top=False, input_shape=(None, None, bands), weights=weights)


def _small_network(bands: int) -> keras.Model:
    """Four blocks of 3x3 convolution, batch normalisation, ReLU and pooling.

    They have 32 to 256 filters.
    """
    x = pixels = keras.Input((None, None, bands), name="data")
    for block, filters in enumerate([32, 64, 128, 256], 1):
        convolution = keras.layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"block{block}_conv",
        )
        x = keras.layers.BatchNormalization(name=f"block{block}_bn")(convolution(x))
        x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
    return keras.Model(pixels, x, name="baseline")


def load_stage_maps(folder: Path) -> keras.Model:
    """Loads a classifier as a network that returns the features of each stage except the last.

    It takes RGB pixels (batch, rows, columns, 3) float32, 0 to 255, and returns a list of feature
    maps (batch, rows, columns, features), fine to coarse. Gradients pass through it, unlike through
    the classifier's own integer input.

    Args:
        folder: Model folder of a scene classifier for 8-bit RGB.

    Returns:
        The network.

    Raises:
        InputError: If the folder is not a network of scene labels, or takes other pixels.
    """
    info = load_model_info(folder)
    info.require_task("classify")
    kind = next((kind for kind in DESIGNS if kind == info.name.split("/")[0]), None)
    if kind is None or (info.bands, info.dtype) != (3, "uint8"):
        raise InputError(
            f"{folder}: {info.name} for {info.bands} bands of {info.dtype}. Give a network"
            f" ({', '.join(DESIGNS)}) for RGB of 8 bits."
        )
    later = DESIGNS[kind]().stages[1:]

    def stage_ends(backbone: keras.Model) -> list[Any]:
        return [
            next(layer for layer in backbone.layers if layer.name.startswith(stage)).input
            for stage in later
        ]

    return see_inside(
        load_keras_model(folder), stage_ends, keras.Input((None, None, 3), name="pixels")
    )
