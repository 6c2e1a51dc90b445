"""Pictures that show how a generator comes along: drawn ones, and reconstructions below their originals."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.data.dataset import ImageDataset
from classify.generator.generator import Generator, Pictures
from segment.core.choices import BANDWIDTH
from segment.core.raster.picture import write_picture

GRIDS = "grids"
"""The folder of a run that they stand in."""

_GAP = 2  # white pixels between pictures
_CLASSES, _COLUMNS = 20, 10  # most that a grid shows


class Album:
    """Two grids for each epoch: of all, the drawn pictures come from the same noise, and the reconstructed ones are the same.

    folder: gets samples-001.png and reconstructions-001.png and so on. dataset: of which pictures are reconstructed, evenly
    spread. epochs: how many there were before.
    """

    def __init__(self, folder: Path, dataset: ImageDataset, epochs: int = 0):
        self._folder, self._epochs = folder, epochs
        folder.mkdir(exist_ok=True)
        chosen = np.linspace(0, len(dataset.images) - 1, _COLUMNS).astype(int)
        self._pictures = np.stack([dataset.image_at(index) for index in chosen])
        self._labels = np.array([dataset.images[index].labels[0] for index in chosen])

    def add(self, generator: Generator) -> None:
        """Writes the grids of another epoch; what is drawn is drawn from the generator's densities of the moment."""
        self._epochs += 1
        write_picture(self._folder / f"samples-{self._epochs:03}.png", draw_classes(generator)[0])
        write_picture(self._folder / f"reconstructions-{self._epochs:03}.png", self.compare(generator))

    def compare(self, generator: Generator) -> NDArray[np.uint8]:
        """The chosen pictures (above) and their reconstructions (below), as one picture."""
        return arrange([self._pictures, generator.reconstruct(self._pictures, self._labels)])


def draw_classes(generator: Generator, seed: int = 0, bandwidth: float = BANDWIDTH) -> tuple[NDArray[np.uint8], str]:
    """A grid of drawn pictures, a row for each class, of the first twenty at most, and the words that say what it shows.

    seed, bandwidth: see `Generator.draw`; of the same seed from the same noise.
    """
    names = generator.info.palette.names
    shown = names[:_CLASSES]
    drawn = generator.draw(np.repeat(np.arange(len(shown)), _COLUMNS), seed, bandwidth=bandwidth)
    left_out = "" if shown == names else f" ({len(shown)} of {len(names)} classes)"
    caption = f"Drawn pictures, a row each of {', '.join(shown)}{left_out}; seed {seed}, bandwidth {bandwidth:g}."
    return arrange(list(drawn.reshape(len(shown), _COLUMNS, *drawn.shape[1:]))), caption


def arrange_in_rows(pictures: Pictures, columns: int) -> NDArray[np.uint8]:
    """One picture (rows, columns, 3) of some, so many side by side; a last row that is not full ends in white."""
    columns = min(len(pictures), columns)
    white = np.full((-len(pictures) % columns, *pictures.shape[1:]), 255, np.uint8)
    filled = np.concatenate([pictures, white])
    return arrange([filled[first : first + columns] for first in range(0, len(filled), columns)])


def arrange(rows: list[Pictures]) -> NDArray[np.uint8]:
    """One picture (rows, columns, 3) of some rows of as many pictures each."""
    padded = [np.pad(row, ((0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for row in rows]
    return np.vstack([np.hstack(list(row)) for row in padded])[:-_GAP, :-_GAP]
