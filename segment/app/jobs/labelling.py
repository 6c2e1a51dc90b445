"""Labelling of uploaded images: labels, thumbnails, and what the network responded to."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.labelling.formats import as_csv
from classify.labelling.inference import label_info, read_input
from classify.labelling.predict import band_notes, predict_images
from classify.labelling.prediction import Prediction
from classify.labelling.scene_inputs import scaled_sources
from segment.app.jobs.job import Job, JobProgress, check_augment
from segment.app.jobs.models import OfferedModels
from segment.app.uploads.formats import IMAGE_PIXELS, admit, choose_bands, choose_scale
from segment.app.uploads.visitors import rephrase
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.pixels.geometry import resize
from segment.core.raster.reduced import read_reduced
from segment.core.raster.sources import Source
from segment.core.reports.figures import displayable
from segment.core.reports.picture import write_picture

TOP, MOST_IMAGES = 5, 500
_THUMBNAIL = 128
_HEAT_OPACITY = 0.65


@dataclass(frozen=True)
class Labelled:
    """Images that were labelled.

    Attributes:
        predictions: One for each image, in their order.
        thumbnails: One for each prediction (JPEG), None where there is none.
        csv: Labels of all images, as a CSV file.
        seen: A single image as the network saw it (JPEG); None for several images, or if no
            pictures are written.
        heat: `seen` with the areas that speak for its label, the brightest most (JPEG); None where
            `seen` is, and where the network has no convolution.
        computing: Whether `heat` is still being computed.
        notes: Remarks on the images.
    """

    predictions: list[Prediction]
    thumbnails: list[Path | None]
    csv: Path
    seen: Path | None = None
    heat: Path | None = None
    computing: bool = False
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class LabelSettings:
    """How images are labelled; see `classify.predict_images`.

    Attributes:
        model: Name that the model is offered under.
        bands: Bands to read, see `choose_bands`.
        augment: Whether to average over flips and quarter turns.
        scale: How more than 8 bits become 8, see `choose_scale`.
    """

    model: str
    bands: str = ""
    augment: bool = False
    scale: str = ""


def label_uploads(
    job: Job,
    models: OfferedModels,
    received: Sequence[Path],
    images: Sequence[Path],
    settings: LabelSettings,
    pictures: bool = True,
) -> Labelled:
    """Labels uploaded images, and writes the results into the folder of a job.

    Args:
        job: Job that the images are labelled for.
        models: Models to choose from.
        received: Folders that uploads may be in, see `admit`.
        images: Uploaded files, 1 to MOST_IMAGES.
        settings: How to label them.
        pictures: Whether to write pictures: thumbnails and, of a single image, `seen` and `heat`.

    Returns:
        The labels. Where several images are labelled, one that cannot be used has a `problem` in
        its prediction.

    Raises:
        InputError: If there are no images or more than MOST_IMAGES, if a single image cannot be
            used, or if there is no such model or choice of bands.
        Interrupted: If the job is cancelled.
    """
    if not 1 <= len(images) <= MOST_IMAGES:
        raise InputError(
            f"{len(images)} images given, 1 to {MOST_IMAGES} are possible at a time. Use"
            " classify-predict for more."
        )
    chosen, wanted = choose_bands(settings.bands), choose_scale(settings.scale)
    model, augment = settings.model, settings.augment
    check_augment(augment)
    network = models.load("classify", model)
    sources: list[Source | None] = []
    predictions: list[Prediction] = []
    for number, image in enumerate(images):
        job.check()
        try:
            sources.append(
                admit(image, received, job.folder / "images" / str(number), IMAGE_PIXELS, chosen)
            )
            predictions.append(Prediction(image.name, [], []))
        except InputError as error:
            sources.append(None)
            predictions.append(Prediction(image.name, [], [], job.message(error)))
    admitted = [number for number, source in enumerate(sources) if source]
    scaled = scaled_sources([s for s in sources if s], network.info, wanted)
    for number, one in zip(admitted, scaled, strict=True):
        sources[number] = one
    found = predict_images(
        scaled, network, top=TOP, scale="never", augment=augment, progress=JobProgress(job)
    )
    for number, prediction in zip(admitted, found, strict=True):
        problem = prediction.problem and job.message(InputError(prediction.problem))
        notes = (*_notes(sources[number]), *prediction.notes)
        remarks = tuple(rephrase(note, job.folder) for note in notes)
        name = images[number].name
        predictions[number] = replace(prediction, image=name, problem=problem, notes=remarks)
    if len(images) == 1 and predictions[0].problem:
        raise InputError(predictions[0].problem)
    joined = [line.removeprefix("note: ") for line in band_notes(predictions)]
    listing = job.folder / "labels.csv"
    listing.write_text(as_csv(predictions) + "\n", encoding="utf-8")
    if not pictures:
        return Labelled(predictions, [None] * len(images), listing, notes=joined)
    thumbnail, thumbnails = partial(_write_thumbnail, job.folder, network.info), []
    for number, (source, prediction) in enumerate(zip(sources, predictions, strict=True)):
        job.check()
        thumbnails.append(
            None if source is None or prediction.problem else thumbnail(number, source)
        )
    labelled = Labelled(predictions, thumbnails, listing, notes=joined)
    if len(images) > 1:
        return labelled
    assert sources[0] is not None
    return _add_heat(
        job, models, model, labelled, read_input(sources[0], network.info, []), network.info
    )


def _notes(source: Source | None) -> list[str]:
    """Notes on how an image is read: turned, scaled, masked by its alpha, the first of several."""
    if source is not None:
        with suppress(InputError), source.open() as raster:
            return raster.notes
    return []


def _add_heat(
    job: Job,
    models: OfferedModels,
    model: str,
    labelled: Labelled,
    pixels: NDArray[Any],
    info: ModelInfo,
) -> Labelled:
    """Adds the image as the network saw it and, if it has a convolution, the Grad-CAM heat map."""
    seen, heat = job.folder / "seen.jpg", job.folder / "heat.jpg"
    shown = _displayed(pixels, info)
    write_picture(seen, shown)
    # Shown while Keras starts, which takes a while.
    job.result = replace(labelled, seen=seen, computing=True)
    try:
        heat_map = models.load_grad_cam(model).heat_map(
            pixels, labelled.predictions[0].labels[0][0]
        )
    except InputError:  # the model has no convolution
        return replace(labelled, seen=seen)
    write_picture(heat, _overlay_heat(shown, heat_map))
    return replace(labelled, seen=seen, heat=heat)


def _overlay_heat(shown: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    from matplotlib import colormaps

    height, width = shown.shape[:2]
    enlarged = resize(heat[..., None], height, width)
    colors = colormaps["inferno"](enlarged[..., 0])[..., :3] * 255
    opacity = _HEAT_OPACITY * enlarged**0.5
    return np.asarray(shown * (1 - opacity) + colors * opacity, np.uint8)


def _write_thumbnail(folder: Path, info: ModelInfo, number: int, source: Source) -> Path:
    with source.open(info.wanted_bands) as raster:
        reduction = max(raster.height, raster.width, _THUMBNAIL) / _THUMBNAIL
        pixels = read_reduced(
            raster,
            max(round(raster.height / reduction), 1),
            max(round(raster.width / reduction), 1),
        )
    path = folder / f"thumbnail{number}.jpg"
    write_picture(path, _displayed(pixels, info))
    return path


def _displayed(pixels: NDArray[Any], info: ModelInfo) -> NDArray[np.uint8]:
    chosen = [band for band in label_info(info).rgb if band < pixels.shape[2]]
    return displayable(pixels[..., chosen] if len(chosen) == 3 else pixels)
