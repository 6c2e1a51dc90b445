"""Drawn pictures among the training images: classes below the largest are filled up."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from classify.generator import Generator
from classify.images import LabelledImage
from classify.sampling import write_pictures
from classify.training_data import TrainingData
from segment.core.errors import InputError
from segment.core.progress import Progress

GENERATED = "generated"
"""The folder of a run that they stand in."""


def check_generator(generator: Generator, data: TrainingData) -> None:
    """Raises InputError when a generator cannot draw what is missing, or pictures of RGB of 8 bits do not fit the images."""
    statistics, bands = data.survey.statistics, data.survey.bands
    if data.multi_label:
        raise InputError("data.synthetic: pictures are drawn of one class each. Received images of several labels. Leave it out.")
    if (statistics.bands, statistics.dtype) != (3, "uint8") or bands.numbers is not None:
        raise InputError(
            f"data.synthetic: what is drawn is RGB of 8 bits. Received images of {statistics.bands} bands of {statistics.dtype}"
            f"{'' if bands.numbers is None else ', chosen by data.bands'}. Leave it out."
        )
    for label in _missing(data):
        generator.label(data.palette.names[label])


def fill_up_classes(data: TrainingData, generator: Generator, folder: Path, seed: int, progress: Progress) -> TrainingData:
    """The data with as many training images of each class as of the largest: the missing ones are drawn, and written to `folder`.

    What is drawn depends on the seed alone, so that a resumed training finds the same. The other parts stay.
    """
    shutil.rmtree(folder, ignore_errors=True)
    added, first = [], 0
    missing = _missing(data)
    for label, count in missing.items():
        drawn = np.full(count, generator.label(data.palette.names[label]))
        paths = write_pictures(generator, folder, drawn, seed, progress, first)
        added += [LabelledImage(path, (label,), "train", GENERATED) for path in paths]
        first += count
    counts = {data.palette.names[label]: count for label, count in missing.items()}
    listed = ", ".join(f"{name} {count}" for name, count in counts.items()) or "none, no class is below the largest"
    progress.say(f"drawn by {generator.info.name}: {listed}")
    return replace(data, parts={**data.parts, "train": data.parts["train"] + added}, drawn=counts)


def _missing(data: TrainingData) -> dict[int, int]:
    """How many training images each class has fewer than the largest, by its index."""
    counts = data.counts
    return {label: max(counts) - count for label, count in enumerate(counts) if count < max(counts)}
