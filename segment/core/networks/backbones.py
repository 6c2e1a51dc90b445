"""Backbones of segmentation-models under Keras 3: shims, preprocessing and pretrained weights.

segmentation-models 1.0.1 predates Keras 3. This module holds all that is needed to use it, on any
Keras backend.
"""

import contextlib
import io
import os
import types
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from segment.core.networks import efficientnet_lite
from segment.core.networks.layers import Weights, weights_of
from segment.core.networks.weight_sources import read_weights

_UNUSABLE = ("densenet",)  # layer names contain a slash, which Keras 3 refuses


@cache
def segmentation_models() -> Any:
    """Imports `segmentation_models`, adapted to Keras 3 and to stock layers only.

    EfficientNet-Lite 0 to 2 are registered as further backbones.

    Returns:
        The module `segmentation_models`.
    """
    os.environ["SM_FRAMEWORK"] = "keras"

    # Keras 2 names that the package and its dependencies look up during their import.
    keras.utils.generic_utils = types.SimpleNamespace(
        get_custom_objects=keras.utils.get_custom_objects
    )
    keras.backend.int_shape = lambda tensor: tuple(tensor.shape)
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints its framework
        import efficientnet.model
        import segmentation_models

    # Lambda, and EfficientNet's own dropout and swish, would keep a saved model from loading in
    # safe mode.
    layers = types.SimpleNamespace(**vars(keras.layers))
    layers.Lambda = _stock_lambda
    segmentation_models._KERAS_LAYERS = layers
    efficientnet.model.get_dropout = lambda **kwargs: keras.layers.Dropout
    efficientnet.model.get_swish = lambda **kwargs: keras.activations.silu
    for name in efficientnet_lite.SCALES:
        factory = segmentation_models.Backbones
        factory._models_update[name] = [
            partial(_build_lite, name),
            efficientnet.model.preprocess_input,
        ]
        factory._default_feature_layers[name] = efficientnet_lite.feature_layers(name)
    return segmentation_models


def _build_lite(
    name: str, input_shape: tuple[int | None, int | None, int], **_: Any
) -> keras.Model:
    """Builds an EfficientNet-Lite for the factory of the package; weights are loaded later."""
    return efficientnet_lite.efficientnet_lite(name, input_shape[2], input_shape[0])


def _stock_lambda(
    function: Any, arguments: Mapping[str, Any] | None = None, name: str | None = None, **_: Any
) -> Any:
    """Replaces `Lambda` by operations that Keras can store.

    It still adds exactly one layer, because the package counts layers.
    """
    return lambda tensor: keras.layers.Identity(name=name)(function(tensor, **(arguments or {})))


def backbone_names() -> list[str]:
    """Lists the backbones that can be built.

    Returns:
        Names of the backbones, without those that Keras 3 refuses.
    """
    names = segmentation_models().get_available_backbone_names()
    return [n for n in names if not n.startswith(_UNUSABLE)]


def imagenet_affine(backbone: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expresses the backbone's own preprocessing of 8-bit RGB as `pixels @ matrix + offset`.

    The coefficients are measured on the preprocessing function itself, which is affine in all
    families of backbones: none, to -1..1, by ImageNet's mean and standard deviation, or to BGR
    minus the mean.

    Args:
        backbone: Name of the backbone, see `backbone_names`.

    Returns:
        Matrix (3, 3) and offset (3,), float64.
    """
    function = segmentation_models().get_preprocessing(backbone)
    probes = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)]).reshape(4, 1, 1, 3)
    answers = np.stack([np.asarray(function(p[None].copy()), float).reshape(3) for p in probes])
    return (answers[1:] - answers[0]) / 255, answers[0]


def build_backbone(
    name: str, weights: str | None = None, bands: int = 3, size: int | None = 224
) -> keras.Model:
    """Builds a backbone without its classifier.

    Args:
        name: Name of the backbone, see `backbone_names`.
        weights: None, or "imagenet", which segmentation-models downloads. For EfficientNet-Lite,
            see `imagenet_weights`.
        bands: Number of spectral bands of the input.
        size: Rows and columns of the input in pixels; None for any.

    Returns:
        A model from (batch, rows, columns, bands) to features.
    """
    sm = segmentation_models()
    from segmentation_models.backbones.backbones_factory import Backbones

    modules = {
        "backend": sm._KERAS_BACKEND,
        "layers": sm._KERAS_LAYERS,
        "models": sm._KERAS_MODELS,
        "utils": sm._KERAS_UTILS,
    }
    shape = (size, size, bands)
    return Backbones.get_backbone(
        name, input_shape=shape, weights=weights, include_top=False, **modules
    )


def imagenet_weights(backbone: str, setting: str) -> Weights:
    """Reads the ImageNet weights of a backbone.

    Those of EfficientNet-Lite come from an installed package. All others come from
    segmentation-models, which downloads them on first use.

    Args:
        backbone: Name of the backbone, see `backbone_names`.
        setting: Name of the setting that asks for the weights, for errors.

    Returns:
        Weights by layer name.

    Raises:
        InputError: If the package of EfficientNet-Lite is not installed (the message names the
            setting), or its file is not complete.
    """
    if backbone in efficientnet_lite.SCALES:
        return read_weights(
            str(efficientnet_lite.imagenet_file(backbone, setting)),
            None,
            network=backbone,
            setting=setting,
        )
    return weights_of(build_backbone(backbone, "imagenet"))


def check_imagenet(backbone: str, setting: str) -> None:
    """Checks that the package with the backbone's ImageNet weights is installed, if it needs one.

    Args:
        backbone: Name of the backbone, see `backbone_names`.
        setting: Name of the setting that asks for the weights, for errors.

    Raises:
        InputError: If the package is not installed. The message names the setting.
    """
    if backbone in efficientnet_lite.SCALES:
        efficientnet_lite.imagenet_file(backbone, setting)
