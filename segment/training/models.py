"""U-Net and its siblings from segmentation-models; the one file that knows their quirks."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import keras

from segment.bundled import BUNDLED
from segment.config import ModelSettings
from segment.core.choices import Normalisation
from segment.core.errors import InputError
from segment.core.model.folder import weights_source
from segment.core.networks.backbones import (
    backbone_names,
    build_backbone,
    check_imagenet,
    imagenet_affine,
    imagenet_weights,
    segmentation_models,
)
from segment.core.networks.head import Head, source_info
from segment.core.networks.layers import layers_by_name, set_momentum, weighted_layers
from segment.core.networks.pretrained import Built, Loaded, load_weights, normalise_input
from segment.core.networks.weight_sources import check_source
from segment.core.pixels.band_names import COLORS
from segment.core.pixels.normalise import BandStatistics, resolve_auto
from segment.data.survey import learned_bands

_BUILDERS = {"unet": "Unet", "fpn": "FPN", "linknet": "Linknet", "pspnet": "PSPNet"}
_WEIGHTS, _ENCODER_WEIGHTS = "model.weights", "model.encoder_weights"
_MULTIPLES = {"unet": 32, "fpn": 32, "linknet": 32, "pspnet": 48}


def tile_multiple(settings: ModelSettings) -> int:
    """Returns the number that a tile's edge must be a multiple of.

    Args:
        settings: Architecture of the network.

    Returns:
        32, the reduction of the encoder; 48 for the pooling pyramid of PSPNet.
    """
    return _MULTIPLES[settings.architecture]


def has_fixed_tile(settings: ModelSettings) -> bool:
    """Returns whether the network works only at the size it was built for.

    Args:
        settings: Architecture of the network.

    Returns:
        True for PSPNet.
    """
    return settings.architecture == "pspnet"


def check_model(settings: ModelSettings, tile: int) -> None:
    """Checks that a network can be built.

    Args:
        settings: Architecture, backbone and weights of the network.
        tile: Edge of a training tile, pixels.

    Raises:
        InputError: If the backbone is unknown, the tile does not fit the architecture, or a weights
            file is missing.
    """
    names = backbone_names()
    if settings.backbone not in names:
        near = difflib.get_close_matches(settings.backbone, names, n=1)
        guess = f"Did you mean {near[0]}? " if near else ""
        raise InputError(
            f"model.backbone: {settings.backbone!r} is not an encoder that can be built."
            f" {guess}There are: {', '.join(names)}."
        )
    multiple = tile_multiple(settings)
    if tile % multiple:
        lower = max(tile // multiple, 1) * multiple
        raise InputError(
            f"data.tile: {tile}, but {settings.architecture} needs a multiple of {multiple}. Use"
            f" {lower} or {lower + multiple}."
        )
    check_source(settings.encoder_weights, _ENCODER_WEIGHTS)
    if settings.encoder_weights == "imagenet":
        check_imagenet(settings.backbone, _ENCODER_WEIGHTS)
    if settings.weights == "imagenet":
        raise InputError(
            f"{_WEIGHTS}: imagenet, but whole networks have no ImageNet weights. Set"
            f" {_ENCODER_WEIGHTS}."
        )
    source = weights_source(settings.weights, BUNDLED, settings.backbone)
    check_source(source, _WEIGHTS, known=("bundled", "none"))


def build_model(
    settings: ModelSettings,
    classes: int,
    statistics: BandStatistics,
    normalise: Normalisation,
    tile: int,
    pretrained: bool = True,
    names: Sequence[str] = (),
) -> Built:
    """Builds a network from pixels, as the file holds them, to class probabilities.

    Its input is (batch, rows, columns, bands) in the dtype of the pixels, its output (batch, rows,
    columns, classes) float32.

    Args:
        settings: Architecture, backbone and weights of the network.
        classes: Number of outputs.
        statistics: Statistics of the training pixels, for the normalisation inside the network.
        normalise: Kind of normalisation.
        tile: Edge of a training tile, pixels.
        pretrained: Whether to load weights; not needed where all weights are replaced later.
        names: Names of the classes. With them, a head is taken over for the classes that the model
            has that the weights come from; without them, if it has as many outputs.

    Returns:
        The network, and the weights that were loaded.

    Raises:
        InputError: If the backbone is unknown, the tile does not fit the architecture, or weights
            cannot be read or do not fit the backbone at all.
    """
    check_model(settings, tile)
    size = tile if has_fixed_tile(settings) else None
    builder = getattr(segmentation_models(), _BUILDERS[settings.architecture])
    bands = statistics.bands
    core = builder(
        settings.backbone,
        input_shape=(size, size, bands),
        classes=classes,
        activation="linear",
        encoder_weights=None,
    )
    set_momentum(core, settings.batch_norm_momentum)
    loaded = _load(core, settings, names) if pretrained else None
    pixels = keras.Input((size, size, bands), dtype=statistics.dtype, name="pixels")
    source = settings.encoder_weights if settings.weights == "none" else settings.weights
    mode = resolve_auto(normalise, source, statistics)
    source = weights_source(source, BUNDLED, settings.backbone)
    affine = partial(imagenet_affine, settings.backbone)
    x, remark = normalise_input(pixels, statistics, normalise, mode, source, "segment", affine)
    x = core(x)
    # float32 whatever the precision of the rest: probabilities near 0 and 1 need it
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(x)
    return Built(
        keras.Model(pixels, probabilities, name=f"{settings.architecture}_{settings.backbone}"),
        loaded and replace(loaded, remark=remark),
    )


def bands_of_weights(settings: ModelSettings) -> Sequence[str]:
    """Returns the names of the bands that the weights which a network starts from learned from.

    Args:
        settings: Weights of the network, which exist.

    Returns:
        The names; empty where they are not known, or the network starts without weights.

    Raises:
        InputError: If the description of the model cannot be read that the weights come from.
    """
    source = settings.encoder_weights if settings.weights == "none" else settings.weights
    if source == "imagenet":
        return COLORS
    if source == "none":
        return ()
    info = source_info(weights_source(source, BUNDLED, settings.backbone), "segment")
    return () if info is None else learned_bands(info)


def divide_logits(network: keras.Model, temperature: float) -> None:
    """Divides the logits of a network by a temperature, in place.

    The weights of its last layer are divided. Above 1 its probabilities become less sure, below 1
    surer; the most probable class does not change.

    Args:
        network: Network to change.
        temperature: Divisor, above 0.
    """
    last = weighted_layers(network)[-1]
    last.set_weights([weight / temperature for weight in last.get_weights()])


def _load(
    core: keras.Model, settings: ModelSettings, names_of_classes: Sequence[str]
) -> Loaded | None:
    backbone = settings.backbone
    if settings.weights != "none":
        name, layers, source = (
            f"{settings.architecture}/{backbone}",
            layers_by_name(core),
            weights_source(settings.weights, BUNDLED, settings.backbone),
        )
        head = None
        if names_of_classes and (info := source_info(source, "segment")):
            last = weighted_layers(core)[-1]
            layer = next(key for key, layer in layers.items() if layer is last)
            head = Head(layer, names_of_classes, info.class_table.names)
        return load_weights(core, layers, source, None, network=name, setting=_WEIGHTS, head=head)
    if settings.encoder_weights == "none":
        return None
    inside = layers_by_name(core)  # PSPNet ends its encoder at an eighth of the resolution
    names = [name for name in layers_by_name(build_backbone(backbone)) if name in inside]
    download = partial(imagenet_weights, backbone, _ENCODER_WEIGHTS)
    return load_weights(
        core, names, settings.encoder_weights, download, network=backbone, setting=_ENCODER_WEIGHTS
    )
