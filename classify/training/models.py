"""Networks for scene labels: a backbone, global average pooling and a head."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import keras

from classify.bundled import BUNDLED
from classify.config import DataSettings, ModelSettings, PhaseSettings
from classify.training.backbones import DESIGNS, WEIGHTS
from segment.core.choices import Normalisation
from segment.core.errors import InputError
from segment.core.model.folder import weights_source
from segment.core.networks.backbones import check_imagenet
from segment.core.networks.head import Head, source_info
from segment.core.networks.layers import layers_by_name, set_momentum
from segment.core.networks.pretrained import Built as Pretrained
from segment.core.networks.pretrained import load_weights, normalise_input
from segment.core.networks.weight_sources import check_source
from segment.core.pixels.normalise import BandStatistics, imagenet_statistics, resolve_auto


@dataclass(frozen=True)
class Built(Pretrained):
    """A network that was built for training.

    Attributes:
        backbone: The backbone in it.
    """

    backbone: keras.Model


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
    source = weights_source(settings.weights, BUNDLED, settings.backbone)
    check_source(source, WEIGHTS, known=("imagenet", "bundled", "none"))
    if settings.weights == "imagenet":
        check_imagenet(settings.backbone, WEIGHTS)
    if DESIGNS[settings.backbone]().download:
        return
    problem = f"imagenet, but {settings.backbone} has no ImageNet weights."
    if settings.weights == "imagenet":
        raise InputError(f"{WEIGHTS}: {problem} Use none or a file.")
    if normalise == "imagenet":
        raise InputError(f"data.normalise: {problem} Use standardise or imagenet_statistics.")


def build_model(
    settings: ModelSettings,
    classes: int,
    statistics: BandStatistics,
    normalise: Normalisation,
    *,
    multi_label: bool = False,
    rgb: tuple[int, int, int] = (0, 1, 2),
    names: Sequence[str] = (),
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
        names: Names of the classes, for which a head is taken over where the model has them that
            the weights come from; without them, only the backbone gets weights.

    Returns:
        The network and its backbone.

    Raises:
        InputError: If weights cannot be read or do not fit the backbone at all, or a normalisation
            made for 8-bit RGB is used with other pixels.
    """
    _check(settings, normalise)
    design = DESIGNS[settings.backbone]()
    mode = resolve_auto(normalise, settings.weights, statistics, rgb_first=rgb == (0, 1, 2))
    if mode in ("imagenet", "imagenet_statistics") and rgb != (0, 1, 2):
        raise InputError(
            f"data.normalise: {mode} is made for bands that begin with red, green, blue. Here these"
            f" are bands {', '.join(str(band + 1) for band in rgb)}. Use standardise."
        )
    pixels = keras.Input((None, None, statistics.bands), dtype=statistics.dtype, name="pixels")
    source = weights_source(settings.weights, BUNDLED, settings.backbone)
    affine = design.affine or imagenet_statistics
    x, remark = normalise_input(pixels, statistics, normalise, mode, source, "classify", affine)
    backbone = design.build(statistics.bands)
    set_momentum(backbone, settings.batch_norm_momentum)
    x = keras.layers.GlobalAveragePooling2D(name="features")(backbone(x))
    if settings.head == "mlp":
        x = keras.layers.Dense(settings.dense_units, "relu", name="hidden")(x)
    x = keras.layers.Dropout(settings.dropout, name="dropout")(x)
    x = keras.layers.Dense(classes, name="logits")(x)
    # float32 also in mixed precision: probabilities near 0 and 1 need it
    last = partial(keras.layers.Activation, "sigmoid") if multi_label else keras.layers.Softmax
    probabilities = last(dtype="float32", name="probabilities")(x)
    network = keras.Model(pixels, probabilities, name=f"{settings.backbone}_{settings.head}")
    loaded = None
    if settings.weights != "none":
        layers = list(layers_by_name(backbone))
        head = None
        info = source_info(source, "classify")
        if names and info:
            head = Head("logits", names, info.class_table.names)
            layers += ["hidden", "logits"] if settings.head == "mlp" else ["logits"]
        loaded = load_weights(
            network if head else backbone,
            layers,
            source,
            design.download,
            network=settings.backbone,
            setting=WEIGHTS,
            rgb=rgb,
            head=head,
        )
        loaded = replace(loaded, remark=remark)
    return Built(network, loaded, backbone)


def check_unfreeze(settings: ModelSettings, training: PhaseSettings) -> None:
    """Checks that the backbone has as many stages as are to be tuned.

    Args:
        settings: Backbone.
        training: Number of stages to tune.

    Raises:
        InputError: If the backbone has fewer stages.
    """
    stages = len(DESIGNS[settings.backbone]().stages)
    if training.unfreeze != "all" and training.unfreeze > stages:
        raise InputError(
            f"training.unfreeze: {training.unfreeze}, but {settings.backbone} has {stages} stages."
            f" Use at most {stages}, or all."
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
    prefix = DESIGNS[settings.backbone]().stages[-training.unfreeze]
    return names[next(i for i, name in enumerate(names) if name.startswith(prefix)) :]
