"""Exploration of labelled images before training: one report on what they are and what to fix."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from classify.bundled import BUNDLED
from classify.config import ImageSettings
from classify.data.class_folders import folder_notes
from classify.data.headers import Bands, find_bands
from classify.data.images import Data, data_folders, find_images
from classify.data.pixels import orientation_notes
from classify.exploration.checks import find_all
from classify.exploration.image_statistics import common_kind, look_at, read_headers
from classify.exploration.page import exploration_page
from classify.exploration.summary import ImageSummary
from classify.labelling.inference import label_info, read_input
from segment.core.exploration.features import feature_components
from segment.core.exploration.image_statistics import EDGE, leading_components
from segment.core.model.folder import load_model_info
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import load_model
from segment.core.outputs import refuse_existing
from segment.core.pixels.components import Vectors
from segment.core.progress import Progress, Silent
from segment.core.raster.sources import Source
from segment.core.reports.page import REPORT_FILES, Exploration, write_report_folder


def explore(
    data: Data,
    output: Path | str,
    settings: ImageSettings | None = None,
    *,
    model: Path | str | None = BUNDLED,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Exploration:
    """Reads every image of data folders and writes report.html and report.json.

    Memory holds some hundred images at a time, and two kilobytes for each image of the collection.

    Args:
        data: Data folders or CSVs, laid out as for training.
        output: Folder to write.
        settings: Class table, label map and bands, as for training.
        model: Classifier whose features are analysed, too, if it takes the bands and pixels of the
            images. None for no classifier.
        overwrite: Whether an existing report is replaced.
        seed: Seed of the images and pixels that are chosen at random.
        progress: Where progress is reported.

    Returns:
        The problems found and the content of report.json.

    Raises:
        InputError: If there are no images or none can be read, `model` is not a classifier, or
            `output` exists.
    """
    output, progress = Path(output), progress or Silent()
    refuse_existing(output, overwrite, REPORT_FILES)
    settings = settings or ImageSettings()
    info = None if model is None else load_model_info(Path(model))
    if info is not None:
        label_info(info)
    collection = find_images(data_folders(data), settings, complete=False)
    for note in [note for folder in data_folders(data) for note in folder_notes(folder)]:
        progress.say(f"note: {note}")
    for note in orientation_notes([image.path for image in collection.images]):
        progress.say(note)
    bands = find_bands(collection.images, settings)
    headers, unopened = read_headers(collection.images, bands, progress)
    kind = common_kind(headers)
    odd = None if info is None else _unlike_the_model(kind, bands, info)
    network = None if model is None or odd else load_model(model, features=True, progress=progress)
    with Vectors(EDGE * EDGE * kind[0]) as vectors:
        seen = look_at(collection, headers, bands, vectors, progress, seed)
        components = leading_components(vectors)
    looks = replace(seen, problems={**unopened, **seen.problems})
    sources = [
        Source(path, bands.of(path))
        for path in (collection.images[position].path for position in looks.usable)
    ]
    features = None
    if network is not None:
        features = feature_components(
            network, sources, partial(read_input, info=network.info), progress
        )
    view = ImageSummary(collection, headers, looks, components, features, odd)
    findings = find_all(view)
    figures = {"findings": [vars(finding) for finding in findings], **view.figures}
    write_report_folder(output, figures, exploration_page(view, findings), overwrite)
    return Exploration(findings, figures)


def _unlike_the_model(kind: tuple[int, str], bands: Bands, info: ModelInfo) -> str | None:
    """Why a classifier cannot take the images; None if it can."""
    if kind != (info.bands, info.dtype):
        return (
            f"the model reads {info.bands} bands of {info.dtype}, and the images have {kind[0]} of"
            f" {kind[1]}."
        )
    if bands.rgb != label_info(info).rgb:
        return "the model has red, green and blue at other places among its bands."
    return None
