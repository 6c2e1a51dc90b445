"""Inference: images prefetched for a network, and its probabilities."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.data.pixels import centre_crop, prepare_seen, read_pixels, require_valid
from classify.labelling.scene_inputs import scene_bands
from segment.core.errors import InputError, MisfitError, counted
from segment.core.model.calibration import apply_temperature
from segment.core.model.info import LabelInfo, ModelInfo
from segment.core.model.runtime import Model, nan_error
from segment.core.pixels.geometry import eight_views
from segment.core.prefetch import prefetch
from segment.core.progress import Progress
from segment.core.raster.bands import listed
from segment.core.raster.sources import Source

if TYPE_CHECKING:
    from classify.data.dataset import ImageDataset

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


def predict_dataset(
    predict: Predict, dataset: "ImageDataset", progress: Progress, workers: int = 1
) -> NDArray[np.float32]:
    """Predicts all images of a dataset.

    Args:
        predict: Computes the probabilities of a batch.
        dataset: Images.
        progress: Where progress is reported.
        workers: Number of threads that call `predict`.

    Returns:
        Predictions (images, classes) float32, in the order of the images.
    """

    def batches() -> Generator[NDArray[Any], None, None]:
        for index in range(len(dataset)):
            yield dataset[index][0]

    answers: list[NDArray[np.float32]] = []
    with closing(prefetch(batches(), predict, workers)) as found:
        for _, answer in found:
            answers.append(np.asarray(answer, np.float32))
            progress.advance("scoring", len(answers), len(dataset))
    return np.concatenate(answers)


def label_info(info: ModelInfo) -> LabelInfo:
    """Returns how images are read for a scene classifier or a generator.

    Args:
        info: Description of the model.

    Returns:
        Its `labels`.

    Raises:
        InputError: If the model is neither of the two, or the description lacks `labels`.
    """
    if info.task != "generate":
        info.require_task("classify")
    if info.labels is None:
        raise InputError(
            f"{info.name}: model.yaml lacks `labels`: how images reach the network. Received none."
            " Restore the file."
        )
    return info.labels


def tempered(probabilities: NDArray[np.float32], info: ModelInfo) -> NDArray[np.float32]:
    """Applies the temperature of a model to probabilities.

    Args:
        probabilities: Output of the network, (images, classes).
        info: Description of the model.

    Returns:
        Calibrated probabilities (images, classes).
    """
    labels = label_info(info)
    return apply_temperature(probabilities, labels.temperature, labels.multi_label)


def answer(model: Model, pixels: NDArray[Any], augment: bool = False) -> NDArray[np.float32]:
    """Predicts a batch of images, with the temperature of the model.

    Args:
        model: Loaded model.
        pixels: Images (batch, size, size, bands) as the network sees them.
        augment: Whether to average over the eight flips and quarter turns of the images.

    Returns:
        Probabilities (batch, classes).

    Raises:
        InputError: If the network returns NaN.
    """
    if augment:
        found = np.mean(
            [model.predict(view) for view, _ in eight_views(pixels)], axis=0, dtype=np.float32
        )
    else:
        found = model.predict(pixels)
    if not np.isfinite(found.sum()):
        raise nan_error(model.info, "an image")
    return tempered(found, model.info)


def given_labels(probabilities: NDArray[np.float32], info: ModelInfo) -> list[list[str]]:
    """Returns the labels that each image is given.

    Args:
        probabilities: Calibrated probabilities (images, classes).
        info: Description of the model.

    Returns:
        Names of the labels of each image: the most probable one or, with several labels, all that
        reach their thresholds, the most probable first. Doubt is not considered.
    """
    labels, names = label_info(info), info.class_table.names
    if not labels.multi_label:
        return [[names[index]] for index in probabilities.argmax(axis=1)]
    reached = probabilities >= np.array(labels.thresholds, np.float64)
    orders = np.argsort(-probabilities, axis=1, kind="stable")
    return [[names[i] for i in order if row[i]] for order, row in zip(orders, reached, strict=True)]


def read_input(
    source: Source, info: ModelInfo, notes: list[str] | None = None, *, to_label: bool = False
) -> NDArray[Any]:
    """Reads an image as the network sees it.

    Args:
        source: Image. Its `bands`, if any, are read in place of those of the model.
        info: Description of the model.
        notes: Receives notes on the choice of bands; None where all bands are to be read.
        to_label: Whether an image without a valid pixel is refused.

    Returns:
        Pixels (size, size, bands).

    Raises:
        InputError: If the image cannot be read, its bands or dtype are not what the model takes, or
            it has no valid pixel to label.
    """
    return centre_crop(read_resized(source, info, notes=notes, to_label=to_label), info.tile)


def read_resized(
    source: Source,
    info: ModelInfo,
    notes: list[str] | None = None,
    to_label: bool = False,
) -> NDArray[Any]:
    """Reads an image as `read_input` does, but without the crop.

    Args:
        source: Image. Its `bands`, if any, are read in place of those of the model.
        info: Description of the model.
        notes: Receives notes on the choice of bands; None where all bands are to be read.
        to_label: Whether an image without a valid pixel is refused.

    Returns:
        Pixels (rows, columns, bands).

    Raises:
        InputError: As in `read_input`.
    """
    labels = label_info(info)
    source = replace(source, bands=source.bands or scene_bands(source, labels))
    expected = info.bands if notes is None else info.wanted_bands
    pixels, valid = read_pixels(source, expected=expected, notes=notes)
    reason = " ".join(notes or ())
    require_input(str(source.path), pixels.shape[2], pixels.dtype.name, info, reason)
    if to_label:
        require_valid(source.path, valid)
    return prepare_seen(pixels, valid, labels.resize, info.preprocess)[0]


def as_seen(pixels: NDArray[Any], info: ModelInfo) -> NDArray[Any]:
    """Converts pixels in memory to what the network sees.

    Args:
        pixels: Image (rows, columns, bands) without nodata.
        info: Description of the model.

    Returns:
        Pixels (size, size, bands).
    """
    valid = np.ones(pixels.shape[:2], bool)
    return centre_crop(
        prepare_seen(pixels, valid, label_info(info).resize, info.preprocess)[0], info.tile
    )


def require_input(path: str, bands: int, dtype: str, info: ModelInfo, reason: str = "") -> None:
    """Checks that pixels have the bands and the dtype that a model takes.

    Args:
        path: Image, for the message.
        bands: Number of bands.
        dtype: Name of the dtype.
        info: Description of the model.
        reason: Why other bands were not chosen.

    Raises:
        MisfitError: If they do not match.
    """
    if (bands, dtype) == (info.bands, info.dtype):
        return
    if bands != info.bands:
        chosen = [min(band, bands) for band in range(1, info.bands + 1)]
        cure = f"{reason} Name those to use, e.g. --bands {listed(chosen)}.".strip()
    else:
        cure = (
            "Choose another --scale: auto brings its pixels to 8 bits."
            if info.dtype == "uint8"
            else f"Convert it to {info.dtype}, with values as in training ({info.range[0]:g} to"
            f" {info.range[1]:g})."
        )
    raise MisfitError(
        f"{path}: the model reads {counted(info.bands, 'band')} of {info.dtype}. Received"
        f" {bands} of {dtype}. {cure}"
    )
