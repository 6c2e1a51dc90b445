"""Exploration of labelled images before training: a report on what they are and what to fix."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from classify.config import ImageSettings
from classify.data.class_folders import folder_notes
from classify.data.headers import Bands, find_bands
from classify.data.images import Data, LabelledImage, data_folders, find_images
from classify.data.pixels import file_notes, is_picture_with_palette, prepare, read_pixels
from classify.exploration.checks import CHECKS
from classify.exploration.summary import ImageSummary
from classify.labelling.inference import label_info, read_input
from segment.core.errors import counted
from segment.core.exploration.features import differing_pixels, feature_components
from segment.core.exploration.image_statistics import (
    PixelMeter,
    SeenImage,
    read_each,
    without_extremes,
)
from segment.core.exploration.report import Exploration, PageContent, Picture, report_exploration
from segment.core.exploration.summary import ExploredImage, name_bands
from segment.core.model.folder import load_model_info
from segment.core.model.runtime import load_model
from segment.core.outputs import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.raster.sources import Source
from segment.core.reports.figures import displayable
from segment.core.reports.page import REPORT_FILES

_EXAMPLES = 12  # images of a class
_EDGE = 256  # pixels of the shorter side, at most


def explore(
    data: Data,
    output: Path | str,
    settings: ImageSettings | None = None,
    *,
    model: Path | str | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Exploration:
    """Reads every image of data folders and writes report.html and report.json.

    A few images are in memory at a time, and two kilobytes for each image of the collection.

    Args:
        data: Data folders or CSVs, laid out as for training.
        output: Folder to write.
        settings: Class table, label map and bands, as for training.
        model: Classifier whose features of images are compared in place of their pixels, if it
            takes the bands and pixels of the images.
        overwrite: Whether an existing report is replaced.
        seed: Seed of the images and pixels that are chosen at random.
        progress: Where progress is reported.

    Returns:
        The problems found and the content of report.json.

    Raises:
        InputError: If there are no images or none can be read, `model` is not a classifier, or
            `output` exists.
    """
    output, progress, settings = Path(output), progress or Silent(), settings or ImageSettings()
    refuse_existing(output, overwrite, REPORT_FILES)
    info = None if model is None else load_model_info(Path(model))
    if info is not None:
        info.require_task("classify")
    folders = data_folders(data)
    collection = find_images(folders, settings, complete=False)
    images, class_table = collection.images, collection.class_table
    notes = [note for folder in folders for note in folder_notes(folder)]
    notes = [f"note: {note}" for note in [*notes, *collection.notes]]
    for note in [*notes, *file_notes([image.path for image in images])]:
        progress.say(note)
    bands = find_bands(images, settings)
    problems: dict[int, str] = {}
    headers = dict(
        read_each(
            lambda row: _read_header(images[row], class_table.names, bands),
            range(len(images)),
            problems,
            "opening images",
            progress,
        )
    )
    (count, dtype), _ = Counter(kind for _, kind, _ in headers.values()).most_common(1)[0]
    problems |= {
        row: f"has {counted(kind[0], 'band')} of {kind[1]}, but most have {count} of {dtype}"
        for row, (_, kind, _) in headers.items()
        if kind != (count, dtype)
    }
    reason = None if info is None else differing_pixels(count, dtype, info)
    if info is not None and not reason and bands.rgb != label_info(info).rgb:
        reason = "the model has red, green and blue at other positions among its bands."
    network = None
    if model is not None and not reason:
        network = load_model(model, features=True, progress=progress)
    rows = [row for row in headers if row not in problems]
    meter = PixelMeter(count, len(rows), seed)
    found = read_each(
        lambda row: SeenImage.of(*read_pixels(headers[row][0].source, expected=bands.file_bands)),
        rows,
        problems,
        "reading images",
        progress,
    )
    for _, image in found:
        meter.add(image)
    explored = [headers[row][0] for row in rows if row not in problems]
    named = next(names for row, (_, _, names) in headers.items() if row not in problems)
    features = None
    if network is not None:
        read = partial(read_input, info=network.info)
        features = feature_components(network, explored, lambda image: read(image.source), progress)
    summary = ImageSummary(
        images=explored,
        bands=count,
        dtype=dtype,
        band_names=named or name_bands(count, dtype),
        class_table=class_table,
        class_counts=np.array(
            [sum(name in image.labels for image in explored) for name in class_table.names]
        ),
        problems=[
            why if str(images[row].path) in why else f"{images[row].path}: {why}"
            for row, why in problems.items()
        ],
        pixels=meter.statistics(),
        features=features,
        without_features=reason,
        unusable={str(images[row].path): why for row, why in problems.items()},
    )
    collections = ", ".join(dict.fromkeys(image.collection for image in images))
    content = _page_content(summary, collections, bands.rgb, seed)
    return report_exploration(output, summary, CHECKS, content, overwrite)


def _read_header(
    image: LabelledImage, names: list[str], bands: Bands
) -> tuple[ExploredImage, tuple[int, str], list[str]]:
    """Returns what a file says: its image, bands and dtype, and the names of bands, if all have."""
    source = Source(image.path, bands.of(image.path))
    with source.open(bands.file_bands) as raster:
        numbers = source.bands or range(1, len(raster.bands) + 1)
        palette = source.bands is None and is_picture_with_palette(raster)
        descriptions = dict(enumerate(raster.descriptions, 1))
        found = [descriptions.get(number) or "" for number in numbers]
        explored = ExploredImage(
            source,
            f"{image.path.parent.name}/{image.path.name}",
            image.part,
            tuple(names[label] for label in image.labels),
            raster.width,
            raster.height,
            raster.ground_sampling_distance,
        )
        kind = 3 if palette else len(raster.bands), raster.dtype.name
        return explored, kind, found if all(found) and not palette else []


def _page_content(
    data: ImageSummary, collections: str, rgb: tuple[int, int, int], seed: int
) -> PageContent:
    """Collects what the page shows; `rgb` are the positions of red, green and blue."""
    table, parts = data.class_table, [part for part, count in data.parts.items() if count]
    read = partial(_read_picture, rgb=rgb)
    random = np.random.default_rng(seed)

    def examples() -> Iterator[tuple[str, list[tuple[str, Picture]]]]:
        for name in table.names:
            sources = [image.source for image in data.images if name in image.labels]
            chosen = sorted(random.permutation(len(sources))[:_EXAMPLES])
            yield f"{name}: random images.", [(sources[i].name, read(sources[i])) for i in chosen]

    return PageContent(
        title=f"{collections}: labelled images",
        facts=[("Images", len(data.images) + len(data.unusable)), ("Usable", len(data.images))],
        unit="images",
        class_columns={
            part: [
                sum(image.part == part and name in image.labels for image in data.images)
                for name in table.names
            ]
            for part in parts
        },
        galleries=examples(),
        colors={c.name: c.map_color for c in table.classes},
        apart="Classes that are apart are easy to tell apart; classes that overlap need more"
        " images, or are labelled unclearly.",
        read=lambda image: read(image.source),
    )


def _read_picture(source: Source, rgb: tuple[int, int, int]) -> Picture:
    pixels = without_extremes(read_pixels(source)[0])
    return displayable(prepare(pixels, min(_EDGE, *pixels.shape[:2]))[..., list(rgb)])
