"""Images through a network: read ahead, and computed in as many threads as suit it."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.data.bands import bands_by_name
from classify.data.pixels import centre_crop, prepare_seen, read_pixels
from segment.core.errors import InputError
from segment.core.model.calibration import apply_temperature
from segment.core.model.folder import LabelInfo, ModelInfo
from segment.core.model.runtime import Model, require_finite_answers
from segment.core.pixels.symmetries import eight_views
from segment.core.prefetch import compute_ahead
from segment.core.progress import Progress
from segment.core.raster.sources import Source

if TYPE_CHECKING:
    from classify.data.dataset import ImageDataset

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


def predict_dataset(predict: Predict, dataset: "ImageDataset", progress: Progress, workers: int = 1) -> NDArray[np.float32]:
    """What a network answers on all images of a dataset, (images, classes), in their order.

    workers: threads from which `predict` is called.
    """

    def batches() -> Generator[NDArray[Any], None, None]:
        for index in range(len(dataset)):
            yield dataset[index][0]

    answers: list[NDArray[np.float32]] = []
    with closing(compute_ahead(batches(), predict, workers)) as found:
        for _, answer in found:
            answers.append(np.asarray(answer, np.float32))
            progress.advance("scoring", len(answers), len(dataset))
    return np.concatenate(answers)


def label_info(info: ModelInfo) -> LabelInfo:
    """How a model of scene labels, or a generator, is fed. Raises InputError when the model is neither."""
    if info.task != "generate":
        info.require_task("classify")
    if info.labels is None:
        raise InputError(f"{info.name}: model.yaml must say how images reach the network (labels). Received none. Restore it.")
    return info.labels


def tempered(probabilities: NDArray[np.float32], info: ModelInfo) -> NDArray[np.float32]:
    """Probabilities (images, classes) as a model gives them out: with its temperature."""
    labels = label_info(info)
    return apply_temperature(probabilities, labels.temperature, labels.multi_label)


def answer(model: Model, pixels: NDArray[Any], augment: bool = False) -> NDArray[np.float32]:
    """Probabilities (batch, classes) of images (batch, size, size, bands) as a model gives them out: with its temperature.

    augment: the mean over the images' eight flips and quarter turns. Raises InputError when they are NaN.
    """
    if augment:
        found = np.mean([model.predict(view) for view, _ in eight_views(pixels)], axis=0, dtype=np.float32)
    else:
        found = model.predict(pixels)
    require_finite_answers(found, model.info, "an image")
    return tempered(found, model.info)


def given_labels(probabilities: NDArray[np.float32], info: ModelInfo) -> list[list[str]]:
    """The labels of each image: the likeliest one, or with several all from their thresholds on, the likeliest first."""
    labels, names = label_info(info), info.palette.names
    if not labels.multi_label:
        return [[names[index]] for index in probabilities.argmax(axis=1)]
    reached = probabilities >= np.array(labels.thresholds, np.float64)
    orders = np.argsort(-probabilities, axis=1, kind="stable")
    return [[names[i] for i in order if row[i]] for order, row in zip(orders, reached, strict=True)]


def read_input(source: Source, info: ModelInfo) -> NDArray[Any]:
    """An image as the network sees it, (size, size, bands).

    source: its `bands` take the place of those that the model reads.
    Raises InputError when it cannot be read, or has other bands or another type of pixels than the model takes.
    """
    return centre_crop(read_resized(source, info), info.tile)


def read_resized(source: Source, info: ModelInfo) -> NDArray[Any]:
    """As `read_input`, before it is cropped."""
    labels = label_info(info)
    pixels, valid = read_pixels(replace(source, bands=source.bands or scene_bands(source, labels)), expected=info.bands)
    require_input(str(source.path), pixels.shape[2], pixels.dtype.name, info)
    return prepare_seen(pixels, valid, labels.resize, info.preprocess)[0]


def as_seen(pixels: NDArray[Any], info: ModelInfo) -> NDArray[Any]:
    """As `read_input`, of pixels (rows, columns, bands) without nodata that are at hand."""
    valid = np.ones(pixels.shape[:2], bool)
    return centre_crop(prepare_seen(pixels, valid, label_info(info).resize, info.preprocess)[0], info.tile)


def scene_bands(source: Source, labels: LabelInfo) -> tuple[int, ...] | None:
    """The bands to read of a file: by the names of those of the training, if it knows them; else by their numbers, if it
    has as many as the training images had; None, all but alpha, otherwise.

    Raises InputError when it knows some of the names only.
    """
    if not labels.band_names and labels.read_bands is None:
        return None
    with source.open(labels.file_bands) as raster:
        try:
            named = bands_by_name(labels.band_names, raster.info.bands, raster.descriptions)
        except InputError as error:
            raise InputError(f"{source.path}: {error}") from error
        same = labels.read_bands is not None and raster.info.bands == labels.file_bands
        return named or (tuple(labels.read_bands or ()) if same else None)


def require_input(path: str, bands: int, dtype: str, info: ModelInfo) -> None:
    """Raises InputError when pixels are not what the model takes."""
    if (bands, dtype) == (info.bands, info.dtype):
        return
    if bands != info.bands:
        chosen = range(1, info.bands + 1) if bands > info.bands else [min(b, bands) for b in range(1, info.bands + 1)]
        cure = f"Name those to use, e.g. --bands {_listed(chosen)}."
    else:
        cure = f"Convert it to {info.dtype}, with values as in training ({info.range[0]:g} to {info.range[1]:g})."
    raise InputError(f"{path}: the model reads {info.bands} bands of {info.dtype}. Received {bands} of {dtype}. {cure}")


def _listed(bands: Sequence[int]) -> str:
    return ",".join(str(band) for band in bands)
