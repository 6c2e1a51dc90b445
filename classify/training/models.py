"""Networks for scene labels: a backbone, global average pooling and a head.

This is the only module that knows the backbones.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from classify.bundled import BUNDLED
from classify.config import Backbone, DataSettings, ModelSettings, PhaseSettings
from classify.training.wide_resnet import wide_resnet50_2, wide_resnet50_2_weights
from segment.core.choices import Normalisation
from segment.core.errors import InputError
from segment.core.model.folder import bundled_weights, load_keras_model, load_model_info
from segment.core.model.keras_model import see_inside
from segment.core.networks.backbones import (
    build_backbone,
    check_imagenet,
    imagenet_affine,
    imagenet_weights,
)
from segment.core.networks.efficientnet_lite import efficientnet_lite, stage_prefixes
from segment.core.networks.pretrained import (
    Loaded,
    Weights,
    check_source,
    layers_by_name,
    load_weights,
    weights_of,
)
from segment.core.pixels.normalise import (
    Affine,
    BandStatistics,
    imagenet_statistics,
    normalisation,
    resolve_auto,
    scaling,
)

_WEIGHTS = "model.weights"


@dataclass(frozen=True)
class Built:
    """A network that was built for training.

    Attributes:
        network: The whole network.
        backbone: The backbone in it.
        loaded: Which pretrained weights were loaded; None if there are none.
    """

    network: keras.Model
    backbone: keras.Model
    loaded: Loaded | None


@dataclass(frozen=True)
class _Design:
    """How a backbone is built and trained here."""

    build: Callable[[int], keras.Model]
    """Builds a fully convolutional model for a number of bands."""
    stages: list[str]
    """Prefix of the name of the first layer of each stage."""
    affine: Callable[[], Affine] | None = None
    """Preprocessing of 8-bit RGB that the ImageNet weights expect."""
    download: Callable[[], Weights] | None = None
    """Loads ImageNet weights; None if there are none."""


def _resnet50() -> _Design:
    """He et al. (2016), "Identity mappings in deep residual networks", as MXNet trained it."""
    stages = [f"stage{n}_unit1_" for n in range(1, 5)]
    affine, download = (
        partial(imagenet_affine, "resnet50"),
        partial(imagenet_weights, "resnet50", _WEIGHTS),
    )
    return _Design(
        lambda bands: build_backbone("resnet50", bands=bands, size=None), stages, affine, download
    )


def _wide_resnet50_2() -> _Design:
    """Zagoruyko and Komodakis (2016), "Wide Residual Networks", as timm trained it."""
    return _Design(
        wide_resnet50_2,
        [f"layer{n}_0_" for n in range(1, 5)],
        imagenet_statistics,
        wide_resnet50_2_weights,
    )


def _efficientnetv2(
    builder: Callable[..., keras.Model], stages: int, affine: Callable[[], Affine]
) -> _Design:
    """Tan and Le (2021), "EfficientNetV2: smaller models and faster training"."""
    build = partial(_application, partial(builder, include_preprocessing=False))
    names = [f"block{n}a_" for n in range(1, stages + 1)]
    return _Design(build, names, affine, lambda: weights_of(build(weights="imagenet")))


def _mobilenetv2() -> _Design:
    """Sandler et al. (2018), "MobileNetV2: inverted residuals and linear bottlenecks".

    Stages are the rows of its table 2.
    """
    build = partial(_application, keras.applications.MobileNetV2)
    stages = ["expanded_conv_", *(f"block_{n}_" for n in (1, 3, 6, 10, 13, 16))]
    return _Design(
        build,
        stages,
        partial(scaling, 1 / 127.5, -1),
        lambda: weights_of(build(weights="imagenet")),
    )


def _efficientnet_lite(name: Backbone) -> _Design:
    """Tan and Le (2019), "EfficientNet", without squeeze-and-excitation.

    Stages are those of its table 1.
    """
    build = partial(efficientnet_lite, name, head=True)
    return _Design(
        build, stage_prefixes(name), imagenet_statistics, partial(imagenet_weights, name, _WEIGHTS)
    )


def _baseline() -> _Design:
    return _Design(_small_network, [f"block{n}_" for n in range(1, 5)])


_DESIGNS: dict[Backbone, Callable[[], _Design]] = {
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


def check_model(settings: ModelSettings, data: DataSettings) -> None:
    """Checks that the weights and the normalisation exist for the backbone.

    Args:
        settings: Backbone and weights.
        data: Normalisation.

    Raises:
        InputError: If the weights do not exist, or the backbone has no ImageNet weights or
            preprocessing that the settings ask for.
    """
    _check(settings, data.normalise)


def _check(settings: ModelSettings, normalise: Normalisation) -> None:
    check_source(_source(settings), _WEIGHTS, known=("imagenet", "bundled", "none"))
    if settings.weights == "imagenet":
        check_imagenet(settings.backbone, _WEIGHTS)
    if _DESIGNS[settings.backbone]().download:
        return
    rule = f"{settings.backbone} has no ImageNet weights. Received imagenet."
    if settings.weights == "imagenet":
        raise InputError(f"{_WEIGHTS}: {rule} Use none or a file.")
    if normalise == "imagenet":
        raise InputError(f"data.normalise: {rule} Use standardise or imagenet_statistics.")


def _source(settings: ModelSettings) -> str:
    return (
        bundled_weights(BUNDLED, settings.backbone)
        if settings.weights == "bundled"
        else settings.weights
    )


def build_model(
    settings: ModelSettings,
    classes: int,
    statistics: BandStatistics,
    normalise: Normalisation,
    *,
    multi_label: bool = False,
    rgb: tuple[int, int, int] = (0, 1, 2),
) -> Built:
    """Builds a network that maps pixels, as stored in the file, to class probabilities.

    The network takes (batch, rows, columns, bands) in the dtype of the pixels, of any size, and
    returns (batch, classes) float32, which sum to 1 unless `multi_label`. Layers of the backbone
    keep the names under which its weights are stored.

    Args:
        settings: Backbone, head and weights.
        classes: Number of outputs.
        statistics: Statistics of the training pixels, for the normalisation inside the network.
        normalise: How pixels are normalised.
        multi_label: Whether an image can have several labels, or none.
        rgb: Positions of red, green and blue among the bands, for weights made for RGB. Ignored
            with fewer than three bands.

    Returns:
        The network and its backbone.

    Raises:
        InputError: If weights cannot be read or do not fit the backbone at all, or a normalisation
            made for 8-bit RGB is used with other pixels.
    """
    _check(settings, normalise)
    design = _DESIGNS[settings.backbone]()
    mode = resolve_auto(normalise, settings.weights, statistics, rgb_first=rgb == (0, 1, 2))
    if mode in ("imagenet", "imagenet_statistics") and rgb != (0, 1, 2):
        raise InputError(
            f"data.normalise: {mode} is made for bands that begin with red, green, blue. "
            f"Received these as bands {', '.join(str(band + 1) for band in rgb)}. Use standardise."
        )
    pixels = keras.Input((None, None, statistics.bands), dtype=statistics.dtype, name="pixels")
    x = normalisation(statistics, mode, design.affine or imagenet_statistics)(pixels)
    backbone = design.build(statistics.bands)
    for layer in layers_by_name(backbone).values():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = settings.batch_norm_momentum
    loaded = None
    if settings.weights != "none":
        names, kind = layers_by_name(backbone), settings.backbone
        loaded = load_weights(
            backbone,
            names,
            _source(settings),
            design.download,
            network=kind,
            setting=_WEIGHTS,
            rgb=rgb,
        )
    x = keras.layers.GlobalAveragePooling2D(name="features")(backbone(x))
    if settings.head == "mlp":
        x = keras.layers.Dense(settings.dense_units, "relu", name="hidden")(x)
    x = keras.layers.Dropout(settings.dropout, name="dropout")(x)
    x = keras.layers.Dense(classes, name="logits")(x)
    # float32 also in mixed precision: probabilities near 0 and 1 need it
    last = partial(keras.layers.Activation, "sigmoid") if multi_label else keras.layers.Softmax
    probabilities = last(dtype="float32", name="probabilities")(x)
    return Built(
        keras.Model(pixels, probabilities, name=f"{settings.backbone}_{settings.head}"),
        backbone,
        loaded,
    )


def check_unfreeze(settings: ModelSettings, training: PhaseSettings) -> None:
    """Checks that the backbone has as many stages as are to be tuned.

    Args:
        settings: Backbone.
        training: Number of stages to tune.

    Raises:
        InputError: If the backbone has fewer stages.
    """
    stages = len(_DESIGNS[settings.backbone]().stages)
    if training.unfreeze != "all" and training.unfreeze > stages:
        raise InputError(
            f"training.unfreeze: {settings.backbone} has {stages} stages. Received"
            f" {training.unfreeze}. Use at most {stages}, or all."
        )


def set_trainable(
    built: Built, settings: ModelSettings, training: PhaseSettings, *, tuned: bool
) -> None:
    """Freezes and unfreezes the layers of a network for a phase of training.

    Layers without pretrained weights are always trainable: the head, and layers of the backbone for
    which there were no weights. The network must be compiled afterwards.

    Args:
        built: Network and backbone.
        settings: Backbone.
        training: `unfreeze`, which is all or the number of stages to tune, and `batch_norm`.
        tuned: Whether pretrained layers are trainable, too: all of them, or the last `unfreeze`
            stages with everything after them. Batch normalisation is not, if `batch_norm` is
            frozen.

    Raises:
        InputError: If the backbone has fewer stages than are to be tuned.
    """
    check_unfreeze(settings, training)
    layers = layers_by_name(built.backbone)
    pretrained = set(built.loaded.loaded) if built.loaded else set()
    learning = _tuned(list(layers), settings, training) if tuned else []
    for name, layer in layers.items():
        kept = training.batch_norm == "frozen" and isinstance(
            layer, keras.layers.BatchNormalization
        )
        layer.trainable = name not in pretrained or (name in learning and not kept)


def _tuned(names: list[str], settings: ModelSettings, training: PhaseSettings) -> list[str]:
    """The layers of a backbone that are tuned in the second phase, in their order."""
    if training.unfreeze == "all":
        return names
    if training.unfreeze == 0:
        return []
    prefix = _DESIGNS[settings.backbone]().stages[-training.unfreeze]
    return names[next(i for i, name in enumerate(names) if name.startswith(prefix)) :]


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
    kind = next((kind for kind in _DESIGNS if kind == info.name.split("/")[0]), None)
    if kind is None or (info.bands, info.dtype) != (3, "uint8"):
        raise InputError(
            f"{folder}: needed is a network ({', '.join(_DESIGNS)}) for RGB of 8 bits. "
            f"Received {info.name} for {info.bands} bands of {info.dtype}. Give another."
        )
    later = _DESIGNS[kind]().stages[1:]

    def stage_ends(backbone: keras.Model) -> list[Any]:
        return [
            next(layer for layer in backbone.layers if layer.name.startswith(stage)).input
            for stage in later
        ]

    return see_inside(
        load_keras_model(folder), stage_ends, keras.Input((None, None, 3), name="pixels")
    )
