"""Labels of images, with their probabilities."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.data.pixels import orientation_notes
from classify.labelling.inference import answer, given_labels, label_info, read_input
from classify.labelling.prediction import Prediction
from segment.core.arrays.pixels import is_in_memory
from segment.core.arrays.source import image_source
from segment.core.choices import Runtime
from segment.core.errors import InputError, printable
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model, load_model
from segment.core.prefetch import prefetch
from segment.core.progress import Progress, Silent
from segment.core.raster.sources import Source, as_source


def predict_images(
    images: Sequence[Any],
    model: Model | Path | str = BUNDLED,
    *,
    top: int = 3,
    bands: Sequence[int] | None = None,
    augment: bool = False,
    runtime: Runtime = "auto",
    progress: Progress | None = None,
) -> Iterator[Prediction]:
    """Labels images one after the other, while the next ones are read.

    Args:
        images: Files, or whatever GDAL reads; also open rasterio datasets, and images in memory as
            `predict_array` takes them.
        model: Model folder, or a loaded model.
        top: Number of most probable labels to return for each image.
        bands: Band numbers from 1 in the order of the model. By default the bands that the model
            reads.
        augment: Averages over the eight flips and quarter turns, which takes eight times as long.
        runtime: What computes, if `model` is a folder.
        progress: Where progress is reported.

    Returns:
        An iterator over predictions, in the order of the images. An image that cannot be read or
        does not fit the model has a `problem` in place of labels.

    Raises:
        InputError: If the model is not a scene classifier, `top` is below 1, or `images` is a
            single image.
    """
    if isinstance(images, (str, Path)) or getattr(images, "ndim", 4) < 4:
        raise InputError("One image was given, needed is a list: [image]. Or call predict_array.")
    network = open_classifier(model, runtime, top)
    sources = [image if is_in_memory(image) else as_source(image, bands) for image in list(images)]
    return _predict(sources, network, bands, top, augment, progress or Silent())


def open_classifier(model: Model | Path | str, runtime: Runtime, top: int) -> Model:
    """Loads a model for labelling images.

    Args:
        model: Model folder, or a loaded model.
        runtime: What computes, if `model` is a folder.
        top: Number of most probable labels to return for each image.

    Returns:
        The model.

    Raises:
        InputError: If the model is not a scene classifier, or `top` is below 1.
    """
    if top < 1:
        raise InputError(f"top must be at least 1. Received {top}.")
    network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    label_info(network.info)
    return network


def choose_labels(
    names: Sequence[str], probabilities: NDArray[np.float32], info: ModelInfo, top: int
) -> Iterator[Prediction]:
    """Makes predictions of probabilities.

    Args:
        names: Names of the images.
        probabilities: Calibrated probabilities (images, classes).
        info: Description of the model.
        top: Number of most probable labels of each image.

    Yields:
        The predictions.
    """
    classes = info.class_table.names
    for name, row, given in zip(
        names, probabilities, given_labels(probabilities, info), strict=True
    ):
        likeliest = np.argsort(-row, kind="stable")[:top]
        yield Prediction(name, [(classes[i], float(row[i])) for i in likeliest], given)


@dataclass(frozen=True)
class _Batch:
    """Images that are computed together.

    Attributes:
        names: Names of all images.
        problems: Why an image has no row in `pixels`; None if it has one.
        pixels: Images that could be read; None if there are none.
        notes: What to report of how images are read.
    """

    names: list[str]
    problems: list[str | None]
    pixels: NDArray[Any] | None
    notes: list[str]


def _predict(
    images: Sequence[Any],
    network: Model,
    bands: Sequence[int] | None,
    top: int,
    augment: bool,
    progress: Progress,
) -> Generator[Prediction, None, None]:
    info = network.info
    paths = [image.path for image in images if isinstance(image, Source)]
    for note in orientation_notes(paths):
        progress.say(note)
    (size, workers), done = network.recommended_batches(info.tile), 0

    def compute(batch: _Batch) -> NDArray[np.float32]:
        empty = np.empty((0, len(info.class_table)), np.float32)
        return empty if batch.pixels is None else answer(network, batch.pixels, augment)

    batches = _batches(images, network, bands, size)
    with closing(prefetch(batches, compute, workers)) as answers:
        for batch, probabilities in answers:
            for note in batch.notes:
                progress.say(f"note: {note}")
            labelled = [n for n, p in zip(batch.names, batch.problems, strict=True) if p is None]
            found = choose_labels(labelled, probabilities, info, top)
            for name, problem in zip(batch.names, batch.problems, strict=True):
                done += 1
                progress.advance("labelling", done, len(images))
                yield next(found) if problem is None else Prediction(name, [], [], problem)


def _batches(
    images: Sequence[Any], network: Model, bands: Sequence[int] | None, size: int
) -> Generator[_Batch, None, None]:
    left = iter(enumerate(images, 1))
    while some := list(islice(left, size)):
        names = [
            printable(image.path) if isinstance(image, Source) else f"image {number}"
            for number, image in some
        ]
        pixels: list[NDArray[Any]] = []
        problems: list[str | None] = []
        notes: list[str] = []
        for name, (_, image) in zip(names, some, strict=True):
            try:
                with readable_source(image, network.info, bands, name) as (source, found):
                    pixels.append(read_input(source, network.info))
                notes += [f"{name}: {note}" for note in found]
                problems.append(None)
            except InputError as error:
                problems.append(str(error))
        yield _Batch(names, problems, np.stack(pixels) if pixels else None, notes)


@contextmanager
def readable_source(
    image: Any,
    info: ModelInfo,
    bands: Sequence[int] | None,
    name: str,
    nodata: float | NDArray[np.bool_] | None = None,
) -> Iterator[tuple[Source, list[str]]]:
    """Makes a source of an image of any kind.

    Args:
        image: Image in memory, path, open dataset, or source.
        info: Description of the model that reads it.
        bands: Bands to read, by default those of the model.
        name: Name of an image in memory.
        nodata: Value that means "no data" or, for an image in memory, a boolean mask.

    Yields:
        The source, and notes on how the image is read.

    Raises:
        InputError: If it is no image, or does not fit the model.
    """
    if is_in_memory(image):
        with image_source(image, info, bands=bands, nodata=nodata, name=name) as found:
            yield found
        return
    if isinstance(nodata, np.ndarray):
        raise InputError("A mask as nodata is for arrays. A path or a dataset takes a value.")
    yield as_source(image, bands, nodata), []
