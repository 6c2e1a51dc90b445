"""Labels of images, with their probabilities."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.data.pixels import file_notes
from classify.labelling.doubt import UNSURE, Doubt, shown_classes
from classify.labelling.inference import answer, given_labels, label_info, read_input
from classify.labelling.prediction import Prediction
from classify.labelling.scene_inputs import Reading, readable_source, scaled_sources
from segment.core.arrays.pixels import is_in_memory
from segment.core.choices import Runtime
from segment.core.errors import InputError, printable
from segment.core.inputs.named_scenes import as_sources, scale_notes
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model
from segment.core.onnx_models.loading import load_model
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.prefetch import prefetch
from segment.core.progress import Progress, Silent, printed_note
from segment.core.raster.sources import Source, without_key


def predict_images(
    images: Sequence[Any],
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
        images: Files, or whatever GDAL reads; also open rasterio datasets, and images in memory as
            `predict_array` takes them.
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
        InputError: If the model is not a scene classifier, `top` is below 1, `images` is a single
            image, or the scale is wrong or does not suit the model.
    """
    if isinstance(images, (str, Path)) or getattr(images, "ndim", 4) < 4:
        raise InputError("One image was given, needed is a list: [image]. Or call predict_array.")
    network, listed = open_classifier(model, runtime, top), list(images)
    named = as_sources([image for image in listed if not is_in_memory(image)], bands)
    files = iter(scaled_sources(named, network.info, scale, progress))
    sources = [image if is_in_memory(image) else next(files) for image in listed]
    how = Reading(network.info, bands, scale)
    return _predict(sources, network, how, top, augment, progress or Silent())


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
    if not isinstance(top, Integral) or top < 1:
        raise InputError(f"top must be at least 1, a whole number. Received {top!r}.")
    network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    label_info(network.info)
    return network


def choose_labels(
    names: Sequence[str],
    probabilities: NDArray[np.float32],
    unsure: NDArray[np.bool_],
    info: ModelInfo,
    top: int,
) -> Iterator[Prediction]:
    """Makes predictions of probabilities.

    Args:
        names: Names of the images.
        probabilities: Calibrated probabilities (images, classes).
        unsure: Whether each answer is unsure, (images,), see `Doubt`.
        info: Description of the model.
        top: Number of most probable labels of each image.

    Yields:
        The predictions.
    """
    classes = info.class_table.names
    doubt = shown_classes(info).names[len(classes) :] or [UNSURE]
    given = given_labels(probabilities, info)
    for name, row, labels, doubted in zip(names, probabilities, given, unsure, strict=True):
        likeliest = np.argsort(-row, kind="stable")[:top]
        found = [(classes[i], float(row[i])) for i in likeliest]
        yield Prediction(name, found, doubt if doubted else labels, unsure=bool(doubted))


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
            images.setdefault(note, []).append(printable(prediction.image))
    return joined_notes(images)


def joined_notes(images: Mapping[str, Sequence[str]]) -> list[str]:
    """Formats remarks on the bands of several images.

    Args:
        images: Names of the images of each remark.

    Returns:
        A line for each remark, with the first image that it is about and the number of others.
    """
    lines = []
    for note, names in images.items():
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        lines.append(printed_note(note, f"{names[0]}{more}"))
    return lines


@dataclass(frozen=True)
class _Batch:
    """Images that are computed together.

    Attributes:
        names: Names of all images.
        problems: Why an image has no row in `pixels`; None if it has one.
        notes: Remarks on how each image was read.
        pixels: Images that could be read; None if there are none.
    """

    names: list[str]
    problems: list[str | None]
    notes: list[list[str]]
    pixels: NDArray[Any] | None


def _predict(
    images: Sequence[Any],
    network: Model,
    how: Reading,
    top: int,
    augment: bool,
    progress: Progress,
) -> Generator[Prediction, None, None]:
    info = network.info
    paths = [image.path for image in images if isinstance(image, Source)]
    scales = scale_notes([image for image in images if isinstance(image, Source)])
    for note in [*file_notes(paths), *scales]:
        progress.say(note)
    (size, workers), done = network.recommended_batches(info.tile), 0

    doubt = Doubt.of(network)

    def compute(batch: _Batch) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        if batch.pixels is None:
            return np.empty((0, len(info.class_table)), np.float32), np.empty(0, bool)
        found = answer(network, batch.pixels, augment)
        return found, doubt.unsure(found, doubt.unfamiliar(batch.pixels))

    batches = _batches(images, network, how, size)
    with closing(prefetch(batches, compute, workers)) as answers:
        for batch, (probabilities, unsure) in answers:
            labelled = [n for n, p in zip(batch.names, batch.problems, strict=True) if p is None]
            found = choose_labels(labelled, probabilities, unsure, info, top)
            for name, problem, notes in zip(batch.names, batch.problems, batch.notes, strict=True):
                done += 1
                progress.advance("labelling", done, len(images))
                one = next(found) if problem is None else Prediction(name, [], [], problem)
                yield replace(one, notes=tuple(notes))


def _batches(
    images: Sequence[Any], network: Model, how: Reading, size: int
) -> Generator[_Batch, None, None]:
    left = iter(enumerate(images, 1))
    while some := list(islice(left, size)):
        names = [
            without_key(str(image.path), image.path)
            if isinstance(image, Source)
            else f"image {number}"
            for number, image in some
        ]
        pixels: list[NDArray[Any]] = []
        problems: list[str | None] = []
        notes: list[list[str]] = [[] for _ in some]
        for name, (_, image), remarks in zip(names, some, notes, strict=True):
            try:
                with readable_source(image, how, name) as (source, found):
                    pixels.append(read_input(source, network.info, remarks, to_label=True))
                remarks += found
                problems.append(None)
            except InputError as error:
                path = image.path if isinstance(image, Source) else Path()
                problems.append(without_key(str(error), path))
        yield _Batch(names, problems, notes, np.stack(pixels) if pixels else None)
