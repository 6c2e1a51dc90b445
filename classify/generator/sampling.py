"""Pictures that a generator draws, as files: new ones, and interpolations between two images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.generator.autoencoder import Pictures
from classify.generator.generator import Generator, load_generator
from classify.generator.latents import check_draw
from classify.generator.sample_grids import arrange, arrange_in_rows
from classify.labelling.inference import read_input
from segment.core.choices import BANDWIDTH
from segment.core.errors import InputError
from segment.core.outputs import refuse_existing, staged
from segment.core.progress import Progress, Silent
from segment.core.raster.sources import Source
from segment.core.reports.picture import write_picture

GRID_FILE = "grid.png"
_COLUMNS, _SHOWN = 10, 100  # columns of the grid, and most pictures in it
_BATCH = 256  # pictures in memory
_STEPS = 250  # most steps of a strip: with pictures of 256 px it is as wide as a JPEG can be


@dataclass(frozen=True)
class Samples:
    """Pictures that were drawn.

    Attributes:
        folder: Folder with a class folder for each class.
        counts: Number of pictures of each class, by name.
    """

    folder: Path
    counts: dict[str, int]

    @classmethod
    def of(cls, folder: Path, names: Sequence[str], labels: NDArray[np.intp]) -> "Samples":
        """Counts the pictures of each class.

        Args:
            folder: As in the attributes.
            names: Class names.
            labels: Class index of each picture.

        Returns:
            The pictures.
        """
        found = zip(*np.unique(labels, return_counts=True), strict=True)
        return cls(folder, {names[label]: int(count) for label, count in found})

    def __str__(self) -> str:
        listed = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return f"{self.folder}: {sum(self.counts.values()):,} pictures: {listed}"


def write_samples(
    generator: Generator | Path | str,
    output: Path | str,
    count: int,
    *,
    name: str | None = None,
    bandwidth: float = BANDWIDTH,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Samples:
    """Draws pictures and writes them as PNG into class folders.

    `classify.train` takes these folders. grid.png shows the first hundred pictures side by side,
    with a column for each class. The first pictures of many are the same as those of few.

    Args:
        generator: Run folder, or a loaded generator.
        output: Folder to write.
        count: Number of pictures, at least 1.
        name: Class to draw. By default each class in turn.
        bandwidth: Bandwidth of the draws, see `Generator.draw`.
        seed: Seed of the draws, see `Generator.draw`.
        overwrite: Whether an existing `output` is replaced.
        progress: Where progress is reported.

    Returns:
        The folder, and the number of pictures of each class.

    Raises:
        InputError: If `count` is below 1, the generator does not know the class, or `output` exists
            or cannot be written, and as in `check_draw`.
    """
    if count < 1:
        raise InputError(f"count is {count}. Give 1 or more.")
    check_draw(seed, bandwidth)
    output, progress = Path(output), progress or Silent()
    generator = load_generator(generator) if isinstance(generator, (str, Path)) else generator
    names = generator.info.class_table.names
    classes = np.arange(len(names)) if name is None else np.array([generator.label(name)])
    labels, folders = np.resize(classes, count), _folder_names(names)
    with staged(output, overwrite, (*folders, GRID_FILE)) as partial:
        files = [partial / folders[label] / f"{i:06}.png" for i, label in enumerate(labels)]
        write_pictures(generator, labels, files, seed, progress, bandwidth)
        columns = len(classes) if 1 < len(classes) <= _SHOWN // 4 else _COLUMNS
        shown = generator.draw(labels[:_SHOWN], seed, bandwidth=bandwidth)
        write_picture(partial / GRID_FILE, arrange_in_rows(shown, columns))
    return Samples.of(output, names, labels)


def write_pictures(
    generator: Generator,
    labels: NDArray[np.intp],
    files: Sequence[Path],
    seed: int,
    progress: Progress,
    bandwidth: float = BANDWIDTH,
    write: Callable[[Path, NDArray[np.uint8]], None] = write_picture,
) -> None:
    """Draws a picture of each class and writes it to the file of its number.

    Args:
        generator: Generator that draws.
        labels: Class indices of the generator, (count,).
        files: A file for each of them.
        seed: Seed of the draws, see `Generator.draw`.
        progress: Where progress is reported.
        bandwidth: Bandwidth of the draws, see `Generator.draw`.
        write: Writes pixels (size, size, 3) of RGB to a file.
    """
    for first in range(0, len(labels), _BATCH):
        drawn = generator.draw(labels[first : first + _BATCH], seed, first, bandwidth)
        for file, picture in zip(files[first:], drawn, strict=False):
            write(file, picture)
        progress.advance("drawing", first + len(drawn), len(labels))


def _folder_names(names: Sequence[str]) -> list[str]:
    """A folder name for each class, whose own name might not be valid for a folder."""
    folders = [name.replace("/", "_") if name.strip(".") else "_" * len(name) for name in names]
    taken = set(names) & set(folders)
    for number, name in enumerate(names):
        while folders[number] != name and folders[number] in taken:
            folders[number] += "_"
        taken.add(folders[number])
    return folders


def interpolate(
    generator: Generator | Path | str,
    first: Path | str,
    second: Path | str,
    output: Path | str,
    *,
    steps: int = 8,
    bands: Sequence[int] | None = None,
    overwrite: bool = False,
) -> Pictures:
    """Interpolates between the latents of two images and writes a strip of pictures.

    The strip shows the first image, its reconstruction, pictures at even steps in between, the
    reconstruction of the second image, and the second image. If the generator uses the class, each
    image gets the class that reconstructs it best, and classes are interpolated, too.

    Args:
        generator: Run folder, or a loaded generator.
        first: Image to start from.
        second: Image to end at.
        output: Picture to write, .png or .jpg.
        steps: Number of steps from one reconstruction to the other, 1 to 250.
        bands: Band numbers from 1 to read from both images. By default those of the training.
        overwrite: Whether an existing `output` is replaced.

    Returns:
        The pictures of the strip, (steps + 3, size, size, 3).

    Raises:
        InputError: If images cannot be read or are not RGB of 8 bits, `steps` is out of range, or
            `output` exists, cannot be written or is not named as a picture.
    """
    output = Path(output)
    if not 1 <= steps <= _STEPS:
        raise InputError(f"steps is {steps}. Give 1 to {_STEPS}.")
    if output.suffix.lower() not in (".png", ".jpg"):
        raise InputError(f"{output}: the strip is a picture. Name it .png or .jpg.")
    refuse_existing(output, overwrite)
    generator = load_generator(generator) if isinstance(generator, (str, Path)) else generator
    ends = np.stack(
        [read_input(Source.of(path, bands), generator.info) for path in (first, second)]
    )
    labels = [_best_label(generator, image) for image in ends]
    latents, classes = generator.encode(ends, labels)[0], generator.one_hot(labels)
    shares = np.linspace(0, 1, steps + 1, dtype=np.float32)[:, None]
    between = generator.decode(
        latents[0] + shares * (latents[1] - latents[0]),
        classes[0] + shares * (classes[1] - classes[0]),
    )
    strip: Pictures = np.concatenate([ends[:1], between, ends[1:]])
    write_picture(output, arrange([strip]), overwrite)
    return strip


def _best_label(generator: Generator, image: NDArray[np.uint8]) -> int:
    """The class with which an image (size, size, 3) has the least squared reconstruction error."""
    labels = np.arange(len(generator.info.class_table))
    found = generator.reconstruct(np.repeat(image[None], len(labels), axis=0), labels)
    return int(np.square(found.astype(np.float64) - image).mean(axis=(1, 2, 3)).argmin())
