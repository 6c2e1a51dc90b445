"""Sources of pretrained weights: downloads, and files of several kinds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import DAMAGE, InputError
from segment.core.model.folder import INFO_FILE, MODEL_FILE, load_keras_model
from segment.core.model.weight_files import (
    MOST_BYTES,
    read_keras_model,
    require_finite,
    require_small_h5,
    require_small_zip,
)
from segment.core.networks.layers import Weights, weights_of
from segment.core.networks.torch_file import read_torch


def weights_file(source: str) -> str:
    """Returns the file that holds the weights of a source.

    Args:
        source: A word such as "imagenet", a weights file, or a model folder such as a run.

    Returns:
        `model.keras` of a folder; other sources as they are.
    """
    return str(Path(source) / MODEL_FILE) if Path(source).is_dir() else source


def check_source(source: str, setting: str, known: Sequence[str] = ("imagenet", "none")) -> None:
    """Checks that pretrained weights are a known word or a file of a readable kind.

    Args:
        source: A word of `known`, or the path of a weights file or a model folder.
        setting: Name of the setting that holds the source, for errors.
        known: Words that the setting accepts besides files.

    Raises:
        InputError: If the source is neither. For an unknown word or a missing file, the message
            names the setting.
    """
    if source in known:
        return
    path = Path(weights_file(source))
    if path.name == MODEL_FILE and Path(source).is_dir() and not path.is_file():
        raise InputError(f"{setting}: {source} holds no {MODEL_FILE}. Name the folder of a run.")
    if not path.is_file():
        raise InputError(
            f"{setting}: {source!r} is neither a file nor one of {', '.join(known)}. Check it."
        )
    if path.suffix not in _READERS:
        raise InputError(
            f"{path}: weights ending in {path.suffix!r} cannot be read. Convert them to one of"
            f" {', '.join(_READERS)}."
        )


def read_weights(
    source: str, download: Callable[[], Weights] | None, *, network: str, setting: str
) -> Weights:
    """Reads pretrained weights.

    Args:
        source: "imagenet", or a file: `.npz` with keys LAYER/WEIGHT, a Keras 2 `.h5`, `.keras` of
            an earlier training, or its folder, or in PyTorch's layout `.pth` (a state_dict),
            `.safetensors`, or `.npz` with PyTorch's keys.
        download: Returns the ImageNet weights. None if there are none.
        network: Name of the network, for errors.
        setting: Name of the setting that holds the source, for errors.

    Returns:
        Weights by layer name.

    Raises:
        InputError: If the file cannot be read, for a ValueError or another of `DAMAGE`, or if the
            download fails.
    """
    if source == "imagenet":
        assert download, f"{network} has no ImageNet weights"
        return _download_imagenet(download, network, setting)
    check_source(source, setting)
    path = Path(weights_file(source))
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
    except DAMAGE as error:
        problem = str(error).split("\n")[0]
        raise InputError(
            f"{path}: not a complete weights file: {problem}. Get another copy."
        ) from error


def _download_imagenet(download: Callable[[], Weights], backbone: str, setting: str) -> Weights:
    try:
        return download()
    except InputError:
        raise
    except Exception as error:  # urllib raises several kinds, a wrong checksum a plain Exception
        problem = str(error).split("\n")[0]
        raise InputError(
            f"{setting}: the ImageNet weights of {backbone} cannot be downloaded: {problem}."
            " Connect to the internet, or set it to none or to a local file."
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
