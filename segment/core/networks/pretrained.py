"""Pretrained weights: read from files of several kinds and copied into networks by layer name."""

import re
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.folder import INFO_FILE, MODEL_FILE, load_keras_model
from segment.core.model.weight_files import (
    MOST_BYTES,
    read_keras_model,
    require_finite,
    require_small_h5,
    require_small_zip,
)
from segment.core.networks.torch_file import read_torch

if TYPE_CHECKING:
    import keras


Weights = dict[str, list[NDArray[Any]]]
"""Layer name -> its weights, in the order of `layer.weights`."""


_AUTOMATIC_NAME = re.compile(r"(conv2d|depthwise_conv2d|batch_normalization|dense)(?:_(\d+))?")


@dataclass(frozen=True)
class Loaded:
    """Layers of a network, or of its backbone, that got pretrained weights.

    Attributes:
        source: Source of the weights, as given to `load_weights`.
        loaded: Names of the layers that got weights.
        missing: Names of the layers that keep their initial values.
    """

    source: str
    loaded: list[str]
    missing: list[str]

    def __str__(self) -> str:
        """Returns one line with the counts and the first missing layers."""
        rest = f"; at their initial values: {', '.join(self.missing[:6])}" if self.missing else ""
        more = f" and {len(self.missing) - 6} more" if len(self.missing) > 6 else ""
        return (
            f"{self.source}: {len(self.loaded)} of {len(self.loaded) + len(self.missing)} layers"
            f" loaded{rest}{more}"
        )


def check_source(source: str, setting: str, known: Sequence[str] = ("imagenet", "none")) -> None:
    """Checks that pretrained weights are a known word or a file of a readable kind.

    Args:
        source: A word of `known`, or the path of a weights file.
        setting: Name of the setting that holds the source, for errors.
        known: Words that the setting accepts besides files.

    Raises:
        InputError: If the source is neither. For an unknown word or a missing file, the message
            names the setting.
    """
    path = Path(source)
    if source in known:
        return
    if not path.is_file():
        raise InputError(
            f"{setting}: {', '.join(known)} or a file. Received {source!r}, no such file. Check it."
        )
    if path.suffix not in _READERS:
        raise InputError(
            f"{path}: weights come as {', '.join(_READERS)}. Received {path.suffix!r}. Convert"
            " them."
        )


def read_weights(
    source: str, download: Callable[[], Weights] | None, *, network: str, setting: str
) -> Weights:
    """Reads pretrained weights.

    Args:
        source: "imagenet", or a file: `.npz` with keys LAYER/WEIGHT, a Keras 2 `.h5`, `.keras` of
            an earlier training, or in PyTorch's layout `.pth` (a state_dict), `.safetensors`, or
            `.npz` with PyTorch's keys.
        download: Returns the ImageNet weights. None if there are none.
        network: Name of the network, for errors.
        setting: Name of the setting that holds the source, for errors.

    Returns:
        Weights by layer name.

    Raises:
        InputError: If the file cannot be read, or the download fails.
    """
    if source == "imagenet":
        assert download, f"{network} has no ImageNet weights"
        return _download_imagenet(download, network, setting)
    check_source(source, setting)
    path = Path(source)
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ValueError(
                f"{size / 2**20:,.0f} MB, at most {MOST_BYTES / 2**20:,.0f} MB are read"
            )
        found = _READERS[path.suffix](path)
        require_finite((layer, array) for layer, arrays in found.items() for array in arrays)
        return found
    except InputError:
        raise
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        BadZipFile,
        MemoryError,
        RuntimeError,
        zlib.error,
    ) as error:
        problem = str(error).split("\n")[0]
        raise InputError(
            f"{path}: must be a whole weights file. Received: {problem}. Get another copy."
        ) from error


def _download_imagenet(download: Callable[[], Weights], backbone: str, setting: str) -> Weights:
    try:
        return download()
    except InputError:
        raise
    except Exception as error:  # urllib raises several kinds, a wrong checksum a plain Exception
        problem = str(error).split("\n")[0]
        raise InputError(
            f"{setting}: ImageNet weights of {backbone} must be downloaded once. Received:"
            f" {problem}. Connect to the internet, or set it to none or to a local file."
        ) from error


def _read_npz(path: Path) -> Weights:
    require_small_zip(path)
    with np.load(path) as arrays:
        if not any("/" in key for key in arrays.files):
            return _from_torch(arrays)
    order = {
        "kernel": 0,
        "depthwise_kernel": 0,
        "bias": 1,
        "gamma": 0,
        "beta": 1,
        "moving_mean": 2,
        "moving_variance": 3,
    }
    found: dict[str, list[tuple[int, NDArray[Any]]]] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            layer, _, weight = key.rpartition("/")
            found.setdefault(layer, []).append((order[weight], arrays[key].astype(np.float32)))
    return _in_order(found)


def _in_order(found: dict[str, list[tuple[int, NDArray[Any]]]]) -> Weights:
    return {
        layer: [w for _, w in sorted(weights, key=lambda item: item[0])]
        for layer, weights in found.items()
    }


def _read_h5(path: Path) -> Weights:
    import h5py

    require_small_h5(path)
    with h5py.File(path) as file:
        groups = file.get("model_weights", file)
        names = [n.decode() if isinstance(n, bytes) else n for n in groups.attrs["layer_names"]]
        return {
            n: [np.asarray(groups[n][w]) for w in groups[n].attrs["weight_names"]]
            for n in names
            if n in groups
        }


def _read_keras(path: Path) -> Weights:
    if path.name == MODEL_FILE and (path.parent / INFO_FILE).is_file():
        return weights_of(load_keras_model(path.parent))
    return weights_of(read_keras_model(path))


def read_safetensors(path: Path) -> Weights:
    """Reads weights in PyTorch's layout, as torchvision and timm name them, into that of Keras.

    Args:
        path: A `.safetensors` file. Its keys are LAYER.WEIGHT.

    Returns:
        Weights by layer name, with underscores in place of the dots: `layer1.0.conv1` becomes
        `layer1_0_conv1`.

    Raises:
        ValueError: If the file is not complete.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return _from_torch(load_file(path))
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _read_torch(path: Path) -> Weights:
    return _from_torch(read_torch(path))


def _from_torch(arrays: Mapping[str, NDArray[Any]]) -> Weights:
    """Converts weights from PyTorch's layout to that of Keras.

    Keys are LAYER.WEIGHT. Dots in a layer's name become underscores: `layer1.0.conv1` becomes
    `layer1_0_conv1`, and `_blocks.3._bn1` becomes `blocks_3_bn1`. Convolutions (out, in, rows,
    columns) become (rows, columns, in, out). So do depthwise ones, which have one input (see
    `load_weights`). Dense weights (out, in) become (in, out).
    """
    # In batch normalisation these are gamma, beta, mean and variance.
    order = {"weight": 0, "bias": 1, "running_mean": 2, "running_var": 3}
    axes = {4: (2, 3, 1, 0), 2: (1, 0)}
    found: dict[str, list[tuple[int, NDArray[Any]]]] = {}
    for key in arrays:
        layer, _, weight = key.rpartition(".")
        if weight in order:
            array = arrays[key].astype(np.float32)
            name = layer.lstrip("_").replace("._", "_").replace(".", "_")
            found.setdefault(name, []).append(
                (order[weight], array.transpose(axes.get(array.ndim)))
            )
    return _in_order(found)


_READERS = {
    ".npz": _read_npz,
    ".h5": _read_h5,
    ".keras": _read_keras,
    ".safetensors": read_safetensors,
    ".pth": _read_torch,
}


def weights_of(model: "keras.Model") -> Weights:
    """Collects all weights of a model and of the models within it.

    Args:
        model: Any Keras model.

    Returns:
        Weights by layer name (see `layers_by_name`).
    """
    return {name: layer.get_weights() for name, layer in layers_by_name(model).items()}


def layers_by_name(model: "keras.Model") -> dict[str, Any]:
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


def weighted_layers(model: "keras.Model") -> list[Any]:
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


def load_weights(
    model: "keras.Model",
    names: Collection[str],
    source: str,
    download: Callable[[], Weights] | None,
    *,
    network: str,
    setting: str,
    rgb: tuple[int, int, int] = (0, 1, 2),
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
        carried = [
            carry_over(w, tuple(v.shape), rgb) for w, v in zip(stored, layer.weights, strict=False)
        ]
        if len(stored) == len(layer.weights) and all(w is not None for w in carried):
            layer.set_weights(carried)
            loaded.append(name)
        else:
            missing.append(name)
    if not loaded:
        raise InputError(
            f"{setting}: must fit {network}. Received {source}, of which no layer fits. Use weights"
            " of the same network."
        )
    return Loaded(source, loaded, missing)


def _depthwise(weight: NDArray[Any], layer: Any) -> NDArray[Any]:
    """Swaps the channel axes of a depthwise kernel.

    PyTorch counts the channels of such a kernel as outputs of one input.
    """
    import keras

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
