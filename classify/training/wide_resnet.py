"""Wide ResNet-50-2 without its classifier, layer by layer as in torchvision and timm.

Source: Zagoruyko and Komodakis (2016), "Wide Residual Networks". The inner convolutions of a
bottleneck have twice the filters of ResNet-50. The stride is in the 3x3 convolution, as in PyTorch.
torchvision and timm call the network `wide_resnet50_2`.
"""

from pathlib import Path
from typing import Any

import keras

from segment.core.networks.layers import Weights
from segment.core.networks.weight_sources import read_safetensors

_BLOCKS = (3, 4, 6, 3)
_URL = "https://huggingface.co/timm/wide_resnet50_2.racm_in1k/resolve/main/model.safetensors"


def wide_resnet50_2(bands: int = 3) -> keras.Model:
    """Builds the backbone from stock Keras layers.

    It maps (batch, rows, columns, bands) to features (batch, rows / 32, columns / 32, 2048). Layers
    are named as in PyTorch, with underscores for dots: `layer1_0_conv1`, `layer1_0_downsample_0`.

    Args:
        bands: Number of bands.

    Returns:
        The backbone.
    """
    pixels = keras.Input((None, None, bands), name="data")
    x = _convolution(pixels, 64, 7, 2, "conv1")
    x = keras.layers.ReLU()(_batch_norm(x, "bn1"))
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.layers.MaxPooling2D(3, 2)(x)
    for stage, blocks in enumerate(_BLOCKS):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            x = _bottleneck(x, 128 * 2**stage, stride, f"layer{stage + 1}_{block}")
    return keras.Model(pixels, x, name="wide_resnet50_2")


def _bottleneck(x: Any, width: int, stride: int, name: str) -> Any:
    """Bottleneck block with `width` filters in its inner convolutions; it returns twice as many."""
    shortcut = x
    if stride > 1 or x.shape[-1] != 2 * width:
        shortcut = _batch_norm(
            _convolution(x, 2 * width, 1, stride, f"{name}_downsample_0"), f"{name}_downsample_1"
        )
    for number, (filters, kernel, strides) in enumerate(
        [(width, 1, 1), (width, 3, stride), (2 * width, 1, 1)], 1
    ):
        x = _batch_norm(
            _convolution(x, filters, kernel, strides, f"{name}_conv{number}"), f"{name}_bn{number}"
        )
        if number < 3:
            x = keras.layers.ReLU()(x)
    return keras.layers.ReLU()(keras.layers.Add()([x, shortcut]))


def _convolution(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    if kernel > 1:  # padding="same" would pad only one side with a stride of 2
        x = keras.layers.ZeroPadding2D(kernel // 2)(x)
    initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return keras.layers.Conv2D(
        filters, kernel, stride, use_bias=False, kernel_initializer=initializer, name=name
    )(x)


def _batch_norm(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(epsilon=1e-5, name=name)(x)


def wide_resnet50_2_weights() -> Weights:
    """Loads the ImageNet-1k weights of timm (racm_in1k), which are downloaded on first use.

    Returns:
        The weights by layer name.
    """
    return read_safetensors(
        Path(
            keras.utils.get_file(
                "wide_resnet50_2.racm_in1k.safetensors", _URL, cache_subdir="models"
            )
        )
    )
