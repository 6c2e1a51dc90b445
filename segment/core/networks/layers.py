"""Layers of a network that hold weights, by name."""

import re
from typing import Any

import keras
from numpy.typing import NDArray

Weights = dict[str, list[NDArray[Any]]]
"""Layer name -> its weights, in the order of `layer.weights`."""

_AUTOMATIC_NAME = re.compile(r"(conv2d|depthwise_conv2d|batch_normalization|dense)(?:_(\d+))?")


def set_momentum(model: keras.Model, momentum: float) -> None:
    """Sets the momentum of the running means of all batch normalisation in a model.

    Args:
        model: Model to change in place.
        momentum: Share of the mean so far in the next one, 0 to 1.
    """
    for layer in weighted_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


def weights_of(model: keras.Model) -> Weights:
    """Collects all weights of a model and of the models within it.

    Args:
        model: Any Keras model.

    Returns:
        Weights by layer name (see `layers_by_name`).
    """
    return {name: layer.get_weights() for name, layer in layers_by_name(model).items()}


def layers_by_name(model: keras.Model) -> dict[str, Any]:
    """Finds the layers that hold weights, by name.

    Names that Keras numbers by itself, such as `conv2d_17`, depend on what the process has built
    before. They are renumbered from 0, in the order of construction.

    Args:
        model: Any Keras model.

    Returns:
        The layers by name, including those of the models within it.
    """
    named: dict[str, Any] = {}
    numbered: dict[str, list[tuple[int, Any]]] = {}
    for layer in weighted_layers(model):
        if automatic := _AUTOMATIC_NAME.fullmatch(layer.name):
            numbered.setdefault(automatic[1], []).append((int(automatic[2] or 0), layer))
        else:
            named[layer.name] = layer
    for kind, layers in numbered.items():
        for rank, (_, layer) in enumerate(sorted(layers, key=lambda item: item[0])):
            named[f"{kind}_{rank}"] = layer
    return named


def weighted_layers(model: keras.Model) -> list[Any]:
    """Lists the layers that hold weights, including those of the models within it.

    Args:
        model: Any Keras model.

    Returns:
        The layers in the order of computation.
    """
    leaves = []
    for layer in model.layers:
        leaves += weighted_layers(layer) if hasattr(layer, "layers") else [layer]
    return [layer for layer in leaves if layer.weights]
