"""Drawn pictures among the training images: classes below the largest are filled up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.config import DataSettings
from classify.data.images import LabelledImage
from classify.data.survey import ground_sampling_distance, shorter_side
from classify.data.training_data import TrainingData
from classify.generator.generator import Generator
from classify.generator.sampling import picture_files, write_pictures
from classify.labelling.inference import label_info
from segment.core.errors import InputError
from segment.core.outputs import staged
from segment.core.progress import Progress

GENERATED = "generated"
"""The folder of a run that they stand in."""

_TOLERANCE = 1.5  # times that things may differ in size, as they do from image to image
_LOOKED_AT = 16  # drawn pictures


def check_generator(generator: Generator, data: TrainingData, settings: DataSettings, progress: Progress) -> None:
    """Whether a generator's pictures may stand among the images.

    Raises InputError when it cannot draw what is missing, and when its pictures have other bands, another range of values or
    another scale than the images; says so when they are blurred beside these, or when it may have learned images that are
    validated or tested on. Where files do not tell their ground sampling distance, it is taken to have learned images of
    the same.
    """
    _require_rgb(generator, data)
    missing = _missing(data)
    labels = [generator.label(data.palette.names[label]) for label in missing]
    if not labels:
        return
    _require_range(generator, data, labels[:: -(-len(labels) // _LOOKED_AT)])
    larger = _relative_scale(generator, data, settings)
    if not 1 / _TOLERANCE <= larger <= _TOLERANCE:
        raise InputError(
            f"data.synthetic: pictures must show things at the size that images show them at. Received {larger:.3g} times that. "
            "Give a generator that learned such images whole (its data.size as large as its data.resize), and set data.resize."
        )
    tile, size = generator.info.tile, shorter_side(data.parts["train"])
    if (settings.resize or tile) / tile > _TOLERANCE * max(settings.resize / size, 1):
        progress.say(
            f"warning: data.synthetic: pictures of {tile} px are enlarged to data.resize={settings.resize} and blurred beside "
            f"images, which gives their class away. Set data.resize={tile} data.size={tile}, or train a larger generator"
        )
    if generator.info.training.get("split") != data.split_digest:
        progress.say(
            "warning: data.synthetic: the generator's training images are not this training's: if it learned any that are "
            "validated or tested on here, scores flatter. Train it on the same data with the same data.split_seed"
        )


def _require_rgb(generator: Generator, data: TrainingData) -> None:
    statistics, bands, drawn = data.survey.statistics, data.survey.bands, label_info(generator.info)
    if data.multi_label:
        raise InputError("data.synthetic: pictures are drawn of one class each. Received images of several labels. Leave it out.")
    if (statistics.bands, statistics.dtype) != (3, "uint8") or bands.numbers is not None:
        raise InputError(
            f"data.synthetic: what is drawn is RGB of 8 bits. Received images of {statistics.bands} bands of {statistics.dtype}"
            f"{'' if bands.numbers is None else ', chosen by data.bands'}. Leave it out."
        )
    if drawn.rgb != bands.rgb or (drawn.band_names and bands.names and drawn.band_names != bands.names):
        raise InputError(
            "data.synthetic: pictures must have the images' bands in their order. "
            f"Received {_order(drawn.rgb, drawn.band_names)} for {_order(bands.rgb, bands.names)}. "
            "Give a generator that learned such images."
        )


def _order(rgb: tuple[int, int, int], names: list[str]) -> str:
    """Three bands in words."""
    return ", ".join(names or [color for _, color in sorted(zip(rgb, ("red", "green", "blue"), strict=True))])


def _require_range(generator: Generator, data: TrainingData, labels: list[int]) -> None:
    """Raises InputError when pictures are darker or brighter in the mean than any pixel that is trained on."""
    found, statistics = generator.draw(labels).mean(axis=(0, 1, 2)), data.survey.statistics
    if (found < statistics.minimum).any() or (found > statistics.maximum).any():
        raise InputError(
            "data.synthetic: pictures must have the images' range of values. "
            f"Received a mean of {found.mean():.0f} for images of {statistics.minimum.min():.0f} to "
            f"{statistics.maximum.max():.0f}. Give a generator that learned such images."
        )


def _relative_scale(generator: Generator, data: TrainingData, settings: DataSettings) -> float:
    """How many times as large the network sees things in pictures as in images."""
    drawn, enlarged = generator.info, (settings.resize or generator.info.tile) / generator.info.tile
    real = ground_sampling_distance(data.parts["train"], settings.resize)
    if real and drawn.ground_sampling_distance:
        return real / (drawn.ground_sampling_distance / enlarged)
    size = shorter_side(data.parts["train"])
    return (label_info(drawn).resize or size) * enlarged / (settings.resize or size)


def fill_up_classes(data: TrainingData, generator: Generator, folder: Path, seed: int, progress: Progress) -> TrainingData:
    """The data with as many training images of each class as of the largest: the missing ones are drawn, and written to `folder`,
    whole or not at all. seed: of the draws. The other parts stay."""
    missing, names = _missing(data), data.palette.names
    if len(missing):
        drawn = np.array([generator.label(names[label]) for label in missing])
        with staged(folder) as partial:
            write_pictures(generator, drawn, picture_files(partial, names, missing), seed, progress)
    filled = find_drawn(data, folder)
    listed = ", ".join(f"{name} {count}" for name, count in filled.drawn.items()) or "none, no class is below the largest"
    progress.say(f"drawn by {generator.info.name}: {listed}")
    return filled


def find_drawn(data: TrainingData, folder: Path) -> TrainingData:
    """The data with what `fill_up_classes` wrote to `folder`: a training that is resumed goes on with the pictures it began with,
    whatever has become of the generator. Those that are gone are missing from the data's fingerprint, too."""
    missing, names = _missing(data), data.palette.names
    labelled = zip(picture_files(folder, names, missing), missing.tolist(), strict=True)
    added = [LabelledImage(file, (label,), "train", GENERATED) for file, label in labelled if file.is_file()]
    filled = replace(data, parts={**data.parts, "train": data.parts["train"] + added})
    counts = {name: after - before for name, before, after in zip(names, data.counts, filled.counts, strict=True)}
    return replace(filled, drawn={name: count for name, count in counts.items() if count})


def _missing(data: TrainingData) -> NDArray[np.intp]:
    """Class indices (count,), each as often as training images of the class are fewer than of the largest."""
    counts = np.array(data.counts)
    return np.repeat(np.arange(len(counts)), counts.max() - counts)
