"""predict_images(): pictures in, labels with probabilities out."""

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
from classify.labelling.inference import answer, given_labels, label_info, read_input
from segment.core.choices import Runtime
from segment.core.errors import InputError, printable
from segment.core.model.runtime import Model, load_model
from segment.core.prefetch import compute_ahead
from segment.core.progress import Progress, Silent
from segment.core.raster.sources import Source, as_source


@dataclass(frozen=True)
class Prediction:
    """What a model says of an image.

    labels: the likeliest classes and their probabilities, the likeliest first. given: the label it gives, or those
    that reach their thresholds where images carry several. problem: why there are none, where the image was no use.
    """

    image: str
    labels: list[tuple[str, float]]
    given: list[str]
    problem: str | None = None

    def __str__(self) -> str:
        return self.problem or f"{self.image}  {describe(self.labels)}"


def describe(labels: Sequence[tuple[str, float]]) -> str:
    """Labels with their probabilities in a line."""
    return "  ".join(f"{name} {probability:.3f}" for name, probability in labels)


def predict_images(
    images: Sequence[Path | str | Source],
    model: Model | Path | str = BUNDLED,
    *,
    top: int = 3,
    bands: Sequence[int] | None = None,
    augment: bool = False,
    runtime: Runtime = "auto",
    progress: Progress | None = None,
) -> Iterator[Prediction]:
    """Labels images one after the other, in their order, while the next are read.

    images: files, or what else GDAL reads. model: a model folder, or one that is loaded. top: labels of each image.
    bands: numbers from 1 in the model's order, in place of those it reads. augment: averages over the eight flips and quarter
    turns, at eight times the work. runtime: what computes, where `model` is a folder.

    An image that cannot be read, or does not fit the model, has a `problem` in place of labels.

    Raises InputError when the model is none of scene labels, or `top` is below 1.
    """
    if top < 1:
        raise InputError(f"top: at least 1 label an image. Received {top}. Raise it.")
    network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    label_info(network.info)
    sources = [as_source(image, bands) for image in images]
    return _predict(sources, network, top, augment, progress or Silent())


@dataclass(frozen=True)
class _Batch:
    """Images that are computed together. problems: why an image has no row in `pixels`, None where it has."""

    names: list[str]
    problems: list[str | None]
    pixels: NDArray[Any] | None


def _predict(
    sources: Sequence[Source], network: Model, top: int, augment: bool, progress: Progress
) -> Generator[Prediction, None, None]:
    info = network.info
    for note in orientation_notes([source.path for source in sources]):
        progress.say(note)
    names, (size, workers), done = info.palette.names, network.pace(info.tile), 0

    def compute(batch: _Batch) -> NDArray[np.float32]:
        empty = np.empty((0, len(names)), np.float32)
        return empty if batch.pixels is None else answer(network, batch.pixels, augment)

    with closing(compute_ahead(_batches(sources, network, size), compute, workers)) as answers:
        for batch, probabilities in answers:
            rows = iter(zip(probabilities, given_labels(probabilities, info), strict=True))
            for name, problem in zip(batch.names, batch.problems, strict=True):
                done += 1
                progress.advance("labelling", done, len(sources))
                if problem is not None:
                    yield Prediction(name, [], [], problem)
                    continue
                row, given = next(rows)
                likeliest = np.argsort(-row, kind="stable")[:top]
                yield Prediction(name, [(names[i], float(row[i])) for i in likeliest], given)


def _batches(sources: Sequence[Source], network: Model, size: int) -> Generator[_Batch, None, None]:
    left = iter(sources)
    while some := list(islice(left, size)):
        pixels: list[NDArray[Any]] = []
        problems: list[str | None] = []
        for source in some:
            try:
                pixels.append(read_input(source, network.info))
                problems.append(None)
            except InputError as error:
                problems.append(str(error))
        yield _Batch([printable(source.path) for source in some], problems, np.stack(pixels) if pixels else None)
