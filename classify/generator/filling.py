"""Drawn pictures for classes that have fewer training images than the largest."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from classify.config import Config, DataSettings
from classify.data.class_folders import read_class_folders
from classify.data.headers import ground_sampling_distance, shorter_side
from classify.data.images import Data, LabelledImage, data_folders
from classify.data.splits import find_lacking_validation
from classify.data.training_data import TrainingData
from classify.generator.generator import Generator, load_generator
from classify.generator.latents import check_draw
from classify.generator.sampling import Samples, write_pictures
from classify.labelling.inference import label_info
from segment.core.choices import BANDWIDTH
from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.outputs import refuse_existing, staged
from segment.core.progress import Progress, Silent
from segment.core.reports.picture import write_picture
from segment.core.splits import Part

_PART: Part = "train"
_PICTURE = re.compile(r"drawn-\d+\.(png|tif)")
_TOLERANCE = 1.5  # times that things may differ in size, as they do from image to image
_CHECKED = 16  # drawn pictures


def fill_classes(
    run: Path | str,
    data: Data,
    output: Path | str,
    config: Config | None = None,
    *,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Samples:
    """Draws as many pictures of each class as it has fewer training images than the largest.

    The images are read and split as `classify.train` does with the same settings. The pictures are
    written to `output/train/CLASS`, so that `classify.train([*data, output])` trains on them beside
    the images and neither validates nor tests on them: beside other data, a folder that holds train
    alone is for training alone. Validation and test of the other data stay the same.

    Pictures are PNG, or TIFF where the images name their bands. Class folders have the names that
    they have in `data`, so that `data.label_map` holds for both.

    Args:
        run: Run folder of the generator's training.
        data: One or several data folders of class folders, RGB of 8 bits, see `find_images`.
        output: Folder to write, outside of the data folders.
        config: Settings of the classifier's training; defaults if None. `data` is used, and
            `training.seed` where `data.split_seed` is not set.
        seed: Seed of the draws: the same seed, the same pictures.
        overwrite: Whether to replace pictures that an earlier call wrote to `output`.
        progress: Where warnings and progress go.

    Returns:
        The folder, and the number of pictures of each class that was short of images.

    Raises:
        InputError: If the generator does not know a class that is short of images, if its pictures
            have other bands, another range of values or another scale than the images, if no class
            is short of images, if validation could be drawn from the pictures, or if `output`
            exists or cannot be written to.
    """
    run, output, folders = Path(run), Path(output), data_folders(data)
    config, progress = config or Config(), progress or Silent()
    check_draw(seed, BANDWIDTH)
    _check_output(output, folders, overwrite)
    generator = load_generator(run)
    found = TrainingData.prepare(
        folders, config.data, config.data.preprocess, config.training, progress
    )
    _require_pictures(found, config.data, folders)
    missing = _missing(found)
    if not len(missing):
        raise InputError(
            f"{_listed(folders)}: pictures are drawn of classes with fewer training images than the"
            f" largest. Received {found.counts[0]} of each class. Train without drawn pictures."
        )
    labels = _folder_labels(found, folders)
    images = [image for part in found.parts.values() for image in part]
    # refuses data with train alone
    find_lacking_validation([*images, LabelledImage(output, (0,), _PART, str(output))])
    check_generator(run, generator, found, config.data, progress)
    names, bands = found.class_table.names, found.survey.bands.names
    drawn = np.array([generator.label(names[label]) for label in missing])
    ending, write = (".tif", partial(_write_raster, bands)) if bands else (".png", write_picture)
    with staged(output, overwrite, (_PART,)) as place:
        files = [
            place / _PART / labels[label] / f"drawn-{number:06}{ending}"
            for number, label in enumerate(missing.tolist())
        ]
        write_pictures(generator, drawn, files, seed, progress, write=write)
    return Samples(
        output,
        {names[label]: int((missing == label).sum()) for label in sorted(set(missing.tolist()))},
    )


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))


def _check_output(output: Path, folders: Sequence[Path], overwrite: bool) -> None:
    """Refuses an output that shares files with the data, or holds other files than pictures."""
    for folder in folders:
        root, place = (folder.parent if folder.is_file() else folder).resolve(), output.resolve()
        if place.is_relative_to(root) or root.is_relative_to(place):
            raise InputError(
                f"{output}: pictures are written outside of the data. Received data in {folder}."
                " Choose another place."
            )
    refuse_existing(output, overwrite, (_PART,))
    for file in sorted((output / _PART).rglob("*")):
        if not file.is_dir() and not _PICTURE.fullmatch(file.name):
            raise InputError(
                f"{output}: --overwrite replaces folders that hold drawn pictures only. Received"
                f" {file.relative_to(output)} in it. Choose another place, or empty it yourself."
            )


def _require_pictures(data: TrainingData, settings: DataSettings, folders: Sequence[Path]) -> None:
    """Refuses images of several labels, and files that are not RGB of 8 bits."""
    statistics = data.survey.statistics
    if data.multi_label:
        raise InputError(
            f"{_listed(folders)}: pictures are drawn of one class each. Received images of several"
            " labels. Give class folders."
        )
    if (statistics.bands, statistics.dtype) != (
        3,
        "uint8",
    ) or data.survey.bands.numbers is not None:
        chosen = (
            "" if data.survey.bands.numbers is None else ", chosen by data.bands or data.leave_out"
        )
        raise InputError(
            f"{_listed(folders)}: what is drawn is RGB of 8 bits. Received images of"
            f" {statistics.bands} bands of {statistics.dtype}{chosen}. Convert the images, or train"
            " without drawn pictures."
        )


def _missing(data: TrainingData) -> NDArray[np.intp]:
    """Class indices (count,), each once for every image that its class lacks to the largest."""
    counts = np.array(data.counts)
    return np.repeat(np.arange(len(counts)), counts.max() - counts)


def _folder_labels(data: TrainingData, folders: Sequence[Path]) -> dict[int, str]:
    """The name of a class folder for each class index: one that its images have in the data.

    The class's own name is preferred, but may be no name of a folder, or mapped to another class.
    """
    classes = {image.path: image.labels[0] for images in data.parts.values() for image in images}
    entries = [
        entry
        for folder in folders
        for entry in read_class_folders(folder)[0]
        if entry.path in classes
    ]
    found: dict[int, str] = {}
    for label, index in sorted({(entry.labels[0], classes[entry.path]) for entry in entries}):
        if index not in found or label.casefold() == data.class_table.names[index].casefold():
            found[index] = label
    return found


def check_generator(
    run: Path, generator: Generator, data: TrainingData, settings: DataSettings, progress: Progress
) -> None:
    """Checks whether a generator's pictures can join the training images.

    Reports pictures that are blurred beside the images, and a generator that may have learned
    images of this validation or test. Where files do not give their ground sampling distance, the
    generator is assumed to have learned images of the same.

    Args:
        run: Run folder of the generator, for messages.
        generator: The generator.
        data: RGB images of 8 bits with one label each.
        settings: How the classifier reads them.
        progress: Where warnings go.

    Raises:
        InputError: If the generator does not know a class that is short of images, or if its
            pictures have other bands, another range of values or another scale than the images.
    """
    missing = _missing(data)
    labels = _known_labels(run, generator, [data.class_table.names[label] for label in missing])
    _require_bands(run, generator, data)
    if not labels:
        return
    _require_range(run, generator, data, labels[:: -(-len(labels) // _CHECKED)])
    larger = _relative_scale(generator, data, settings)
    if not 1 / _TOLERANCE <= larger <= _TOLERANCE:
        raise InputError(
            f"{run}: pictures must show things at the size that images show them at. Received"
            f" {larger:.3g} times that. Give a generator that learned such images whole (its"
            " data.size as large as its data.resize), and set data.resize."
        )
    tile, size = generator.info.tile, shorter_side(data.parts["train"])
    if (settings.resize or tile) / tile > _TOLERANCE * max(settings.resize / size, 1):
        progress.say(
            f"warning: {run}: pictures of {tile} px are enlarged to data.resize={settings.resize}"
            f" and blurred beside images, which gives their class away. Set data.resize={tile}"
            f" data.size={tile}, or train a larger generator"
        )
    if generator.info.training.get("split") != data.split_digest:
        progress.say(
            f"warning: {run}: the generator's training images are not those of this split: if it"
            " learned any that are validated or tested on here, scores flatter. Train it on the"
            " same data with the same data.split_seed"
        )


def _known_labels(run: Path, generator: Generator, names: Sequence[str]) -> list[int]:
    """The generator's indices of classes. Refuses one that it does not know."""
    known = generator.info.class_table.names
    unknown = [
        name
        for name in dict.fromkeys(names)
        if name.casefold() not in {other.casefold() for other in known}
    ]
    if unknown:
        raise InputError(
            f"{run}: the generator must know each class that is short of images. Received"
            f" {', '.join(map(repr, unknown))}, and it knows {', '.join(known)}. Give a generator"
            " that learned the same classes."
        )
    return [generator.label(name) for name in names]


def _require_bands(run: Path, generator: Generator, data: TrainingData) -> None:
    bands, drawn = data.survey.bands, label_info(generator.info)
    if drawn.rgb != bands.rgb or (
        drawn.band_names and bands.names and drawn.band_names != bands.names
    ):
        raise InputError(
            f"{run}: pictures must have the images' bands in their order. "
            f"Received {_order(drawn.rgb, drawn.band_names)} for {_order(bands.rgb, bands.names)}. "
            "Give a generator that learned such images."
        )


def _order(rgb: tuple[int, int, int], names: list[str]) -> str:
    """Three bands in words."""
    return ", ".join(
        names or [color for _, color in sorted(zip(rgb, ("red", "green", "blue"), strict=True))]
    )


def _require_range(run: Path, generator: Generator, data: TrainingData, labels: list[int]) -> None:
    """Refuses pictures whose mean is darker or brighter than any pixel of the training images."""
    found, statistics = generator.draw(labels).mean(axis=(0, 1, 2)), data.survey.statistics
    if (found < statistics.minimum).any() or (found > statistics.maximum).any():
        raise InputError(
            f"{run}: pictures must have the images' range of values. Received a mean of"
            f" {found.mean():.0f} for images of {statistics.minimum.min():.0f} to"
            f" {statistics.maximum.max():.0f}. Give a generator that learned such images."
        )


def _relative_scale(generator: Generator, data: TrainingData, settings: DataSettings) -> float:
    """How many times as large the network sees things in pictures as in images."""
    drawn, enlarged = generator.info, (settings.resize or generator.info.tile) / generator.info.tile
    real = ground_sampling_distance(data.parts["train"], settings.resize)
    if real and drawn.ground_sampling_distance:
        return real / (drawn.ground_sampling_distance / enlarged)
    size = shorter_side(data.parts["train"])
    return (label_info(drawn).resize or size) * enlarged / (settings.resize or size)


def _write_raster(bands: Sequence[str], path: Path, pixels: NDArray[np.uint8]) -> None:
    """Writes a picture as TIFF that names its bands.

    The order of red, green and blue is taken from the names that most files have.
    """
    height, width, count = pixels.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        writable(path),
        rasterio.open(
            path, "w", driver="GTiff", height=height, width=width, count=count, dtype="uint8"
        ) as file,
    ):
        file.write(pixels.transpose(2, 0, 1))
        file.descriptions = bands
