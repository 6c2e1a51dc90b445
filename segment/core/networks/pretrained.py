"""Pretrained weights, copied into networks by layer name, and the normalisation they learned."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from segment.core.choices import Normalisation
from segment.core.errors import InputError
from segment.core.model.folder import load_keras_model
from segment.core.networks.head import Head, source_info
from segment.core.networks.layers import Weights, layers_by_name
from segment.core.networks.weight_sources import read_weights, weights_file
from segment.core.pixels.normalise import Affine, BandStatistics, normalisation

_LAYER = "normalisation"  # see `segment.core.pixels.normalise`


@dataclass(frozen=True)
class Loaded:
    """Layers of a network, or of its backbone, that got pretrained weights.

    Attributes:
        source: Source of the weights, as given to `load_weights`.
        loaded: Names of the layers that got weights.
        missing: Names of the layers that keep their initial values.
        classes: Classes whose part of the head was taken over.
        remark: What else to report of them; empty for nothing.
    """

    source: str
    loaded: list[str]
    missing: list[str]
    classes: Sequence[str] = ()
    remark: str = ""

    def __str__(self) -> str:
        """Returns one line with the counts and the first missing layers."""
        rest = f"; at their initial values: {', '.join(self.missing[:6])}" if self.missing else ""
        more = f" and {len(self.missing) - 6} more" if len(self.missing) > 6 else ""
        head = f"; head of {', '.join(self.classes)} taken over" if self.classes else ""
        return (
            f"{self.source}: {len(self.loaded)} of {len(self.loaded) + len(self.missing)} layers"
            f" loaded{rest}{more}{head}{self.remark and f'; {self.remark}'}"
        )


@dataclass(frozen=True)
class Built:
    """A network that was built for training.

    Attributes:
        network: The network.
        loaded: Pretrained weights of the network or its backbone; None if it starts without.
    """

    network: keras.Model
    loaded: Loaded | None


def load_weights(
    model: keras.Model,
    names: Collection[str],
    source: str,
    download: Callable[[], Weights] | None,
    *,
    network: str,
    setting: str,
    rgb: tuple[int, int, int] = (0, 1, 2),
    head: Head | None = None,
) -> Loaded:
    """Copies pretrained weights into a model, or into the backbone within it, by layer name.

    Where the input has other bands than RGB, weights are carried over (see `carry_over`). Layers
    that the source does not have, or has in another shape, keep their values and are listed.

    Args:
        model: Model to change in place.
        names: Names of the layers that are to get weights (see `layers_by_name`).
        source: As for `read_weights`.
        download: As for `read_weights`.
        network: As for `read_weights`.
        setting: As for `read_weights`.
        rgb: Positions of red, green and blue among the input bands, from 0.
        head: The last layer, if it is taken over class by class.

    Returns:
        The layers that got weights, and those that did not.

    Raises:
        InputError: If the source cannot be read, or no layer of it fits.
    """
    weights, layers = (
        read_weights(source, download, network=network, setting=setting),
        layers_by_name(model),
    )
    loaded, missing = [], []
    for name in names:
        layer = layers[name]
        stored = [_depthwise(w, layer) for w in weights.get(name, [])]
        if head is not None and name == head.layer:
            carried = head.carry(stored, layer.get_weights())
        else:
            shapes = [tuple(v.shape) for v in layer.weights]
            carried = [carry_over(w, s, rgb) for w, s in zip(stored, shapes, strict=False)]
        if len(stored) == len(layer.weights) and all(w is not None for w in carried):
            layer.set_weights(carried)
            loaded.append(name)
        else:
            missing.append(name)
    if not loaded:
        raise InputError(
            f"{setting}: no layer of {source} fits {network}. Use weights of the same network."
        )
    of_head = head.known if head is not None and head.layer in loaded else ()
    return Loaded(source, loaded, missing, of_head)


def normalise_input(
    pixels: Any,
    statistics: BandStatistics,
    mode: Normalisation,
    chosen: Normalisation,
    source: str,
    task: str,
    affine: Callable[[], Affine],
) -> tuple[Any, str]:
    """Normalises the input of a network, as the model does that its weights come from.

    With `auto`, that of a model of the same bands and data type is taken over: its weights learned
    from pixels that were normalised so, whatever the pixels of this training.

    Args:
        pixels: Input of the network, (batch, rows, columns, bands).
        statistics: As for `normalisation`.
        mode: Normalisation from the settings.
        chosen: What that stands for where nothing is taken over, see `resolve_auto`.
        source: Source of the weights: a word such as "imagenet", or a file or folder.
        task: Task of the network.
        affine: As for `normalisation`.

    Returns:
        The normalised pixels, and what to report: empty where they are as the weights learned, or
        where that is not known.

    Raises:
        InputError: As `normalisation`, and if the model cannot be read.
    """
    if mode == "auto" and chosen != "standardise":  # as the weights expect
        return normalisation(statistics, chosen, affine)(pixels), ""
    info = source_info(source, task)
    learned = None
    if info and (info.bands, info.dtype) == (statistics.bands, statistics.dtype):
        model = load_keras_model(Path(weights_file(source)).parent)
        if any(layer.name == _LAYER for layer in model.layers):
            learned = keras.Model(model.inputs[0], model.get_layer(_LAYER).output)
    if learned and mode == "auto":
        return keras.models.clone_model(learned, input_tensors=pixels).output, ""
    normalised = normalisation(statistics, chosen, affine)(pixels)
    if info is None or (learned and _scaling(learned) == _scaling(keras.Model(pixels, normalised))):
        return normalised, ""
    return normalised, f"pixels are normalised by {chosen}, not as it learned (data.normalise)"


def _scaling(model: keras.Model) -> list[Any]:
    layer = model.get_layer(_LAYER)
    return [np.asarray(values, np.float32).tolist() for values in (layer.mean, layer.variance)]


def _depthwise(weight: NDArray[Any], layer: Any) -> NDArray[Any]:
    """Swaps the channel axes of a depthwise kernel.

    PyTorch counts the channels of such a kernel as outputs of one input.
    """
    depthwise = (
        isinstance(layer, keras.layers.DepthwiseConv2D)
        and weight.ndim == 4
        and weight.shape[2] == 1
    )
    return weight.swapaxes(2, 3) if depthwise else weight


def carry_over(
    weight: NDArray[Any], shape: tuple[int, ...], rgb: tuple[int, int, int] = (0, 1, 2)
) -> NDArray[Any] | None:
    """Adapts a weight made for RGB to the shape that other bands need.

    In kernels (rows, columns, 3, filters), red, green and blue keep their weights and other bands
    get the mean of the three. All are then scaled by 3 / bands so that activations keep their
    size. In per-band vectors (3,), other bands get the mean. With fewer than three bands, each one
    gets the mean.

    Args:
        weight: Weight of a layer. One that was not made for three bands is not changed.
        shape: Shape that the layer needs.
        rgb: Positions of red, green and blue among the bands, from 0.

    Returns:
        The weight in the given shape; None where the shapes do not agree.
    """
    axis = {1: 0, 4: 2}.get(weight.ndim)
    if axis is None or len(shape) != weight.ndim or weight.shape[axis] != 3:
        return weight if weight.shape == shape else None
    if np.delete(weight.shape, axis).tolist() != np.delete(shape, axis).tolist():
        return None
    bands = shape[axis]
    carried: NDArray[Any] = np.repeat(weight.mean(axis=axis, keepdims=True), bands, axis)
    if bands >= 3:
        np.moveaxis(carried, axis, 0)[list(rgb)] = np.moveaxis(weight, axis, 0)
    return carried * (3 / bands) if axis == 2 else carried
