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
from classify.data.headers import Bands, ground_sampling_distance, shorter_side
from classify.data.images import Data, LabelledImage, data_folders
from classify.data.splits import find_lacking_validation
from classify.data.training_data import TrainingData
from classify.generator.autoencoder import Pictures
from classify.generator.generator import Generator, load_generator
from classify.generator.latents import check_draw
from classify.generator.reconstruction import require_pictures
from classify.generator.sampling import Samples, write_pictures
from classify.labelling.inference import label_info
from segment.core.choices import BANDWIDTH
from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.model.info import LabelInfo, ModelInfo
from segment.core.outputs import refuse_existing, staged
from segment.core.progress import Progress, Silent
from segment.core.reports.picture import write_picture
from segment.core.splits import Part

_PART: Part = "train"
_TOLERANCE = 1.5  # times that things may differ in size, as they do from image to image
_CHECKED = 16  # drawn pictures
_PICTURE = re.compile(r"drawn-\d+\.(png|tif)")


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
    """Draws the pictures that each class lacks to have as many images as the largest.

    The images are read and split as `classify.train` does with the same settings. The pictures are
    written to `output/train/CLASS`, so that `classify.train([*data, output])` trains on them and
    neither validates nor tests on them. Validation and test of the other data stay the same.

    Pictures are PNG, or TIFF where the images name their bands. Class folders have the names that
    they have in `data`, so that `data.label_map` holds for both.

    Args:
        run: Run folder of the generator's training.
        data: One or several data folders of class folders, RGB of 8 bits, see `find_images`.
        output: Folder to write, outside of the data folders.
        config: Settings of the classifier's training. `data` is used, and `training.seed` where
            `data.split_seed` is not set.
        seed: Seed of the draws, see `Generator.draw`.
        overwrite: Whether to replace pictures that an earlier call wrote to `output`.
        progress: Where progress and warnings are reported.

    Returns:
        The folder, and the number of pictures of each class that was short of images.

    Raises:
        InputError: If no class is short of images, if validation could be drawn from the pictures,
            if `output` exists or cannot be written to, or as in `check_generator`.
    """
    run, output, folders = Path(run), Path(output), data_folders(data)
    config, progress = config or Config(), progress or Silent()
    check_draw(seed, BANDWIDTH)
    _check_output(output, folders, overwrite)
    generator = load_generator(run)
    found = TrainingData.prepare(
        folders, config.data, config.data.preprocess, config.training, progress
    )
    require_pictures(found, folders)
    names, bands = found.class_table.names, found.survey.bands
    listed = ", ".join(map(str, folders))
    if bands.numbers is not None:
        raise InputError(
            f"{listed}: data.bands or data.leave_out choose 3 of the images' bands, which pictures"
            " do not have. Convert the images to RGB of 8 bits, or train without drawn pictures."
        )
    missing = _missing(found)
    if not len(missing):
        raise InputError(
            f"{listed}: no class is short, each has {found.counts[0]} training images. Train"
            " without drawn pictures."
        )
    images = [image for part in found.parts.values() for image in part]
    # refuses data with train alone
    find_lacking_validation([*images, LabelledImage(output, (0,), _PART, str(output))])
    check_generator(run, generator, found, config.data, progress)
    labels = np.array([generator.label(names[label]) for label in missing])
    ending, write = (
        (".tif", partial(_write_raster, bands.names)) if bands.names else (".png", write_picture)
    )
    folder_names = _folder_names(found, folders)
    with staged(output, overwrite, (_PART,)) as place:
        files = [
            place / _PART / folder_names[label] / f"drawn-{number:06}{ending}"
            for number, label in enumerate(missing)
        ]
        write_pictures(generator, labels, files, seed, progress, write=write)
    return Samples.of(output, names, missing)


def _check_output(output: Path, folders: Sequence[Path], overwrite: bool) -> None:
    """Refuses an output that shares files with the data, or holds other files than pictures."""
    for folder in folders:
        root, place = (folder.parent if folder.is_file() else folder).resolve(), output.resolve()
        if place.is_relative_to(root) or root.is_relative_to(place):
            raise InputError(
                f"{output}: is not outside of the data in {folder}. Choose another place."
            )
    refuse_existing(output, overwrite, (_PART,))
    for file in sorted((output / _PART).rglob("*")):
        if not file.is_dir() and not _PICTURE.fullmatch(file.name):
            raise InputError(
                f"{output}: holds {file.relative_to(output)}, and --overwrite replaces drawn"
                " pictures only. Choose another place, or empty it yourself."
            )


def _folder_names(data: TrainingData, folders: Sequence[Path]) -> dict[int, str]:
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


def _missing(data: TrainingData) -> NDArray[np.intp]:
    """Class indices (count,), each once for every image that its class lacks to the largest."""
    counts = np.array(data.counts)
    return np.repeat(np.arange(len(counts)), counts.max() - counts)


def check_generator(
    run: Path, generator: Generator, data: TrainingData, settings: DataSettings, progress: Progress
) -> None:
    """Checks whether a generator's pictures can join the training images.

    Reports blurred pictures, and a generator that may have learned images of this validation or
    test. A ground sampling distance that files do not give is taken as equal.

    Args:
        run: Run folder of the generator, for messages.
        generator: The generator.
        data: RGB images of 8 bits with one label each.
        settings: How the classifier reads them.
        progress: Where warnings are reported.

    Raises:
        InputError: If the generator does not know a class that is short of images, or if its
            pictures have other bands, another range of values or another scale than the images.
    """
    names, info = data.class_table.names, generator.info
    labels = [generator.label(names[label]) for label in _missing(data)]
    _require_bands(run, label_info(info), data.survey.bands)
    _require_range(run, generator.draw(labels[:: -(-len(labels) // _CHECKED)]), data)
    resize, shorter = settings.resize or info.tile, shorter_side(data.parts["train"])
    scale = _relative_scale(info, data, settings)
    if not 1 / _TOLERANCE <= scale <= _TOLERANCE:
        raise InputError(
            f"{run}: things in its pictures are {scale:.3g} times as large as in the images. Use a"
            " generator that learned such images whole (its data.size as large as its data.resize),"
            " and set data.resize."
        )
    if resize / info.tile > _TOLERANCE * max(settings.resize / shorter, 1):
        progress.say(
            f"warning: {run}: pictures of {info.tile} px are enlarged to data.resize={resize}:"
            f" blur gives their class away. Set data.resize={info.tile} data.size={info.tile}, or"
            " train a larger generator"
        )
    if info.training.get("split") != data.split_digest:
        progress.say(
            f"warning: {run}: trained on another split, it may have learned images of this"
            " validation or test, whose scores are then too good. Train it on the same data with"
            " the same data.split_seed"
        )


def _require_bands(run: Path, drawn: LabelInfo, images: Bands) -> None:
    if drawn.rgb != images.rgb or (
        drawn.band_names and images.names and drawn.band_names != images.names
    ):
        raise InputError(
            f"{run}: the bands of its pictures are {_order(drawn.rgb, drawn.band_names)}, those of"
            f" the images {_order(images.rgb, images.names)}. Use a generator that learned such"
            " images."
        )


def _order(rgb: tuple[int, int, int], names: list[str]) -> str:
    """Three bands in words."""
    colors = [color for _, color in sorted(zip(rgb, ("red", "green", "blue"), strict=True))]
    return ", ".join(names or colors)


def _require_range(run: Path, pictures: Pictures, data: TrainingData) -> None:
    """Refuses pictures whose mean is darker or brighter than any pixel of the training images."""
    found, statistics = pictures.mean(axis=(0, 1, 2)), data.survey.statistics
    if (found < statistics.minimum).any() or (found > statistics.maximum).any():
        raise InputError(
            f"{run}: the mean of its pictures is {found.mean():.0f}, the images range from"
            f" {statistics.minimum.min():.0f} to {statistics.maximum.max():.0f}. Use a generator"
            " that learned such images."
        )


def _relative_scale(drawn: ModelInfo, data: TrainingData, settings: DataSettings) -> float:
    """How many times as large the network sees things in pictures as in images."""
    enlarged = (settings.resize or drawn.tile) / drawn.tile
    real = ground_sampling_distance(data.parts["train"], settings.resize)
    if real and drawn.ground_sampling_distance:
        return real / (drawn.ground_sampling_distance / enlarged)
    size = shorter_side(data.parts["train"])
    return (label_info(drawn).resize or size) * enlarged / (settings.resize or size)


def _write_raster(bands: Sequence[str], path: Path, pixels: NDArray[np.uint8]) -> None:
    """Writes a picture as TIFF that names its bands, by which most files give their order."""
    shape = dict(zip(("height", "width", "count"), pixels.shape, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        writable(path),
        rasterio.open(path, "w", driver="GTiff", dtype="uint8", **shape) as file,
    ):
        file.write(pixels.transpose(2, 0, 1))
        file.descriptions = bands
