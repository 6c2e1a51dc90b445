"""U-Net and its siblings from segmentation-models; the one file that knows their quirks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segment.config import ModelSettings
from segment.core.backbones import (
    Loaded,
    backbone_names,
    check_source,
    imagenet_affine,
    layers_by_name,
    load_backbone,
    segmentation_models,
)
from segment.core.choices import Normalisation
from segment.core.errors import InputError
from segment.core.normalise import BandStatistics

if TYPE_CHECKING:
    import keras

_BUILDERS = {"unet": "Unet", "fpn": "FPN", "linknet": "Linknet", "pspnet": "PSPNet"}
_MULTIPLES = {"unet": 32, "fpn": 32, "linknet": 32, "pspnet": 48}


@dataclass(frozen=True)
class Built:
    """A network, and what its encoder started from (None: from nothing)."""

    network: "keras.Model"
    encoder: Loaded | None


def tile_multiple(settings: ModelSettings) -> int:
    """What a tile's edge must be a multiple of: 32, the encoder's reduction; 48 for PSPNet's pooling pyramid."""
    return _MULTIPLES[settings.architecture]


def has_fixed_tile(settings: ModelSettings) -> bool:
    """Whether the network works at the size it was built for only."""
    return settings.architecture == "pspnet"


def check_model(settings: ModelSettings, tile: int) -> None:
    """Raises InputError for an unknown backbone, a tile that does not fit the architecture, or a missing weights file."""
    if settings.backbone not in backbone_names():
        raise InputError(
            f"model.backbone: must be an encoder of segmentation-models. Received {settings.backbone!r}. "
            f"There are: {', '.join(backbone_names())}."
        )
    multiple = tile_multiple(settings)
    if tile % multiple:
        lower = max(tile // multiple, 1) * multiple
        raise InputError(
            f"data.tile: {settings.architecture} needs a multiple of {multiple}. Received {tile}. "
            f"Use {lower} or {lower + multiple}."
        )
    check_source(settings.encoder_weights)


def build_model(
    settings: ModelSettings,
    classes: int,
    statistics: BandStatistics,
    normalise: Normalisation,
    tile: int,
    pretrained: bool = True,
) -> Built:
    """A network from pixels as they stand in the file to class probabilities.

    classes: number of outputs. statistics: of the training pixels, for the normalisation inside the network.
    tile: edge of a training tile, pixels. pretrained: load `encoder_weights`; not where all weights are to be replaced.

    Input (batch, rows, columns, bands) in the pixels' dtype; output (batch, rows, columns, classes) float32.

    Raises InputError for an unknown backbone, a tile that does not fit the architecture,
    weights that cannot be read or that do not fit the backbone at all.
    """
    import keras

    check_model(settings, tile)
    size = tile if has_fixed_tile(settings) else None
    builder = getattr(segmentation_models(), _BUILDERS[settings.architecture])
    bands = statistics.bands
    core = builder(settings.backbone, input_shape=(size, size, bands), classes=classes, activation="linear", encoder_weights=None)
    for layer in layers_by_name(core).values():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = settings.batch_norm_momentum
    weights = settings.encoder_weights
    loaded = None if weights == "none" or not pretrained else load_backbone(core, settings.backbone, weights)
    pixels = keras.Input((size, size, bands), dtype=statistics.dtype, name="pixels")
    x = normalisation(settings, statistics, normalise)(pixels)
    x = core(x)
    # float32 whatever the precision of the rest: probabilities near 0 and 1 need it
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(x)
    return Built(keras.Model(pixels, probabilities, name=f"{settings.architecture}_{settings.backbone}"), loaded)


def normalisation(settings: ModelSettings, statistics: BandStatistics, normalise: Normalisation) -> Any:
    """A function of a batch of pixels that brings them into the range the network learns from, of stock layers."""
    import keras

    if normalise == "auto":
        normalise = "imagenet" if settings.encoder_weights == "imagenet" else "standardise"
    if normalise == "imagenet":
        return _imagenet_preprocessing(settings.backbone, statistics)
    if normalise == "minmax":
        offset, scale = statistics.minimum, statistics.maximum - statistics.minimum
    else:
        offset, scale = statistics.mean, statistics.deviation
    scale = np.where(scale > 0, scale, 1)  # a band that never varies carries nothing
    return keras.layers.Normalization(mean=offset.tolist(), variance=(scale**2).tolist(), dtype="float32", name="normalisation")


def _imagenet_preprocessing(backbone: str, statistics: BandStatistics) -> Any:
    import keras

    if statistics.dtype != "uint8" or statistics.bands < 3:
        raise InputError(
            f"data.normalise: imagenet is made for RGB of 8 bits. Received {statistics.bands} bands of {statistics.dtype}. "
            "Use standardise."
        )
    matrix, offset = imagenet_affine(backbone)
    swapped = not np.allclose(matrix, np.diag(np.diag(matrix)))
    if swapped:  # BGR: the families that came from Caffe
        matrix = matrix[::-1]
    scale = np.diag(matrix)
    further = statistics.bands - 3
    mean = np.concatenate([-offset / scale, np.full(further, (-offset / scale).mean())])
    variance = np.concatenate([1 / scale**2, np.full(further, (1 / scale**2).mean())])
    layer = keras.layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), dtype="float32", name="normalisation")
    if not swapped:
        return layer

    def from_rgb(pixels: Any) -> Any:
        ordered = [2, 1, 0, *range(3, statistics.bands)]
        return layer(keras.ops.take(pixels, ordered, axis=-1))

    return from_rgb
