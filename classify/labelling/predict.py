"""Labels of images, with their probabilities."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.data.pixels import orientation_notes
from classify.labelling.inference import (
    answer,
    given_labels,
    label_info,
    read_input,
)
from classify.labelling.scene_inputs import scaled_sources
from segment.core.choices import Runtime
from segment.core.errors import InputError, printable
from segment.core.model.runtime import Model, load_model
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.prefetch import prefetch
from segment.core.progress import Progress, Silent
from segment.core.raster.sources import Source, as_sources, scale_notes


@dataclass(frozen=True)
class Prediction:
    """Labels of one image.

    Attributes:
        image: Name of the image.
        labels: Most probable classes and their probabilities, the most probable first.
        given: Labels that the image is given: the most probable one or, with several labels, those
            that reach their thresholds.
        problem: Why there are no labels, if the image cannot be used; else None.
        notes: Remarks on the bands that were read.
    """

    image: str
    labels: list[tuple[str, float]]
    given: list[str]
    problem: str | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.problem or f"{self.image}  {describe(self.labels)}"


def describe(labels: Sequence[tuple[str, float]]) -> str:
    """Formats labels with their probabilities in one line.

    Args:
        labels: Class names and probabilities.

    Returns:
        The line.
    """
    return "  ".join(f"{name} {probability:.3f}" for name, probability in labels)


def predict_images(
    images: Sequence[Path | str | Source],
    model: Model | Path | str = BUNDLED,
    *,
    top: int = 3,
    bands: Sequence[int] | None = None,
    scale: ScaleOption = "auto",
    augment: bool = False,
    runtime: Runtime = "auto",
    progress: Progress | None = None,
) -> Iterator[Prediction]:
    """Labels images one after the other, while the next ones are read.

    Args:
        images: Files, or whatever GDAL reads.
        model: Model folder, or a loaded model.
        top: Number of most probable labels to return for each image.
        bands: Band numbers from 1 in the order of the model. By default the bands that the model
            reads.
        scale: As in `label_scene`, for all images together: one scale for all images of a data
            type.
        augment: Averages over the eight flips and quarter turns, which takes eight times as long.
        runtime: What computes, if `model` is a folder.
        progress: Where progress is reported.

    Returns:
        An iterator over predictions, in the order of the images. An image that cannot be read or
        does not fit the model has a `problem` in place of labels.

    Raises:
        InputError: If the model is not a scene classifier, `top` is below 1, or the scale is wrong
            or does not suit the model.
    """
    if top < 1:
        raise InputError(f"top must be at least 1. Received {top}.")
    network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    label_info(network.info)
    sources = scaled_sources(as_sources(images, bands), network.info, scale, progress)
    return _predict(sources, network, top, augment, progress or Silent())


def band_notes(predictions: Sequence[Prediction]) -> list[str]:
    """Joins the remarks on the bands of several images.

    Args:
        predictions: Predictions of the images.

    Returns:
        A line for each remark, with the first image that it is about and the number of others.
    """
    images: dict[str, list[str]] = {}
    for prediction in predictions:
        for note in prediction.notes:
            images.setdefault(note, []).append(prediction.image)
    lines = []
    for note, names in images.items():
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        kind = "warning" if note.startswith("Warning: ") else "note"
        lines.append(f"{kind}: {names[0]}{more}: {note.removeprefix('Warning: ')}")
    return lines


@dataclass(frozen=True)
class _Batch:
    """Images that are computed together.

    Attributes:
        names: Names of all images.
        problems: Why an image has no row in `pixels`; None if it has one.
        notes: Remarks on the bands that were read of each image.
        pixels: Images that could be read; None if there are none.
    """

    names: list[str]
    problems: list[str | None]
    notes: list[list[str]]
    pixels: NDArray[Any] | None


def _predict(
    sources: Sequence[Source], network: Model, top: int, augment: bool, progress: Progress
) -> Generator[Prediction, None, None]:
    info = network.info
    for note in [*orientation_notes([source.path for source in sources]), *scale_notes(sources)]:
        progress.say(note)
    names, (size, workers), done = info.class_table.names, network.recommended_batches(info.tile), 0

    def compute(batch: _Batch) -> NDArray[np.float32]:
        empty = np.empty((0, len(names)), np.float32)
        return empty if batch.pixels is None else answer(network, batch.pixels, augment)

    with closing(prefetch(_batches(sources, network, size), compute, workers)) as answers:
        for batch, probabilities in answers:
            rows = iter(zip(probabilities, given_labels(probabilities, info), strict=True))
            for name, problem, notes in zip(batch.names, batch.problems, batch.notes, strict=True):
                done += 1
                progress.advance("labelling", done, len(sources))
                if problem is not None:
                    yield Prediction(name, [], [], problem)
                    continue
                row, given = next(rows)
                likeliest = np.argsort(-row, kind="stable")[:top]
                labels = [(names[i], float(row[i])) for i in likeliest]
                yield Prediction(name, labels, given, notes=tuple(notes))


def _batches(sources: Sequence[Source], network: Model, size: int) -> Generator[_Batch, None, None]:
    left = iter(sources)
    while some := list(islice(left, size)):
        pixels: list[NDArray[Any]] = []
        problems: list[str | None] = []
        notes: list[list[str]] = [[] for _ in some]
        for source, remarks in zip(some, notes, strict=True):
            try:
                pixels.append(read_input(source, network.info, remarks))
                problems.append(None)
            except InputError as error:
                problems.append(str(error))
        yield _Batch(
            [printable(source.path) for source in some],
            problems,
            notes,
            np.stack(pixels) if pixels else None,
        )
