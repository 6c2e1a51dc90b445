"""Grids of a generator's progress: drawn pictures, and reconstructions with originals."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.data.dataset import ImageDataset
from classify.generator.autoencoder import Pictures
from classify.generator.generator import Generator
from segment.core.choices import BANDWIDTH
from segment.core.reports.page import Report
from segment.core.reports.picture import write_picture

GRIDS = "grids"
"""Folder of the grids in a run folder."""

_GAP = 2  # white pixels between pictures
_CLASSES, _COLUMNS = 20, 10  # most classes and columns of a grid


class SampleGrids:
    """Two grids of pictures for each epoch.

    In all epochs, pictures are drawn from the same noise, and the same pictures are reconstructed.

    Args:
        folder: Folder for samples-001.png, reconstructions-001.png and so on.
        dataset: Images, of which some, evenly spread, are reconstructed.
        epochs: Number of earlier epochs.
    """

    def __init__(self, folder: Path, dataset: ImageDataset, epochs: int = 0):
        """Makes the folder and chooses the pictures to reconstruct."""
        self._folder, self._epochs = folder, epochs
        folder.mkdir(exist_ok=True)
        chosen = np.linspace(0, len(dataset.images) - 1, _COLUMNS).astype(int)
        self._pictures = np.stack([dataset.image_at(index) for index in chosen])
        self._labels = np.array([dataset.images[index].labels[0] for index in chosen])

    def add(self, generator: Generator) -> None:
        """Writes the grids of the next epoch.

        Args:
            generator: Generator after the epoch; samples are drawn from its densities.
        """
        self._epochs += 1
        pictures = {
            "samples": draw_classes(generator)[0],
            "reconstructions": self._compare(generator),
        }
        for name, picture in pictures.items():
            # a training that was killed before its checkpoint has left those of the epoch
            file = self._folder / f"{name}-{self._epochs:03}.png"
            write_picture(file, picture, overwrite=True)

    def report(self, page: Report, generator: Generator) -> None:
        """Adds the grids of a finished generator to the report of its training.

        Args:
            page: Report of the training.
            generator: Generator with densities of training images.
        """
        page.picture(self._compare(generator), "Images (above) and their reconstructions (below).")
        page.text(
            f"{GRIDS} holds two pictures for each epoch: drawn ones, around the latents of"
            " validation pictures (not from N(0, I)) and from the same noise throughout, and"
            " reconstructions below their originals. The pictures drawn below, and all that the"
            " finished generator draws, lie around the latents of training pictures."
        )
        page.picture(*draw_classes(generator))

    def _compare(self, generator: Generator) -> NDArray[np.uint8]:
        """The chosen pictures (above) and their reconstructions (below)."""
        return arrange([self._pictures, generator.reconstruct(self._pictures, self._labels)])


def draw_classes(
    generator: Generator, seed: int = 0, bandwidth: float = BANDWIDTH
) -> tuple[NDArray[np.uint8], str]:
    """Draws a grid of pictures with a row for each class, at most the first twenty.

    Args:
        generator: Generator that draws.
        seed: Seed of the draws, see `Generator.draw`. The same seed gives the same noise.
        bandwidth: Bandwidth of the draws, see `Generator.draw`.

    Returns:
        RGB picture (rows, columns, 3), and its caption.
    """
    names = generator.info.class_table.names
    shown = names[:_CLASSES]
    drawn = generator.draw(np.repeat(np.arange(len(shown)), _COLUMNS), seed, bandwidth=bandwidth)
    left_out = "" if shown == names else f" ({len(shown)} of {len(names)} classes)"
    caption = (
        f"Drawn pictures, a row each of {', '.join(shown)}{left_out}; seed {seed}, bandwidth"
        f" {bandwidth:g}."
    )
    return arrange(list(drawn.reshape(len(shown), _COLUMNS, *drawn.shape[1:]))), caption


def arrange_in_rows(pictures: Pictures, columns: int) -> NDArray[np.uint8]:
    """Arranges pictures in rows; a last row that is not full is filled with white.

    Args:
        pictures: Pictures (count, size, size, 3).
        columns: Pictures per row.

    Returns:
        RGB picture (rows, columns, 3).
    """
    columns = min(len(pictures), columns)
    white = np.full((-len(pictures) % columns, *pictures.shape[1:]), 255, np.uint8)
    filled = np.concatenate([pictures, white])
    return arrange([filled[first : first + columns] for first in range(0, len(filled), columns)])


def arrange(rows: list[Pictures]) -> NDArray[np.uint8]:
    """Arranges rows of pictures as one picture.

    Args:
        rows: Rows with the same number of pictures each.

    Returns:
        RGB picture (rows, columns, 3).
    """
    padded = [
        np.pad(row, ((0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for row in rows
    ]
    return np.vstack([np.hstack(list(row)) for row in padded])[:-_GAP, :-_GAP]
