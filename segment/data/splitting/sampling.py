"""Balanced sampling: each class is shown equally often, however few pixels are labelled so."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


class BalancedSampling:
    """Draws a class, then one of its pixels, then the tile that holds the pixel.

    All classes of a collection that have a training pixel are drawn equally often.

    Args:
        pixels: Labelled pixels of each class, or code of a label set, in each tile, (tiles, codes).
        collections: Collection of each tile.
        weights: Share of the tiles drawn from each collection; 1 where it has none.

    Attributes:
        shares: Probability that a tile is drawn, (tiles,), with sum 1.
    """

    def __init__(
        self, pixels: NDArray[np.int64], collections: Sequence[str], weights: Mapping[str, float]
    ):
        names, numbers = np.unique(np.array(collections), return_inverse=True)
        self._chances = np.zeros(pixels.shape)
        for number, name in enumerate(names.tolist()):
            own = numbers == number
            totals = pixels[own].sum(axis=0)
            if present := np.count_nonzero(totals):
                share = weights.get(name, 1.0) / present
                self._chances[own] = share * pixels[own] / np.maximum(totals, 1)
        sums = self._chances.sum(axis=1)
        self.shares: NDArray[np.float64] = sums / sums.sum()

    def draw_code(self, tile: int, random: np.random.Generator) -> int:
        """Draws the class that a tile is shown for.

        Args:
            tile: Position of a tile that was drawn by `shares`.
            random: Source of random numbers.

        Returns:
            Position of the class, or of the code, in `pixels`.
        """
        chances = self._chances[tile]
        return int(random.choice(len(chances), p=chances / chances.sum()))


def shares_by_collection(
    collections: Sequence[str], weights: Mapping[str, float]
) -> NDArray[np.float64]:
    """Computes how often tiles are drawn, alike within a collection.

    Args:
        collections: Collection of each tile.
        weights: Share of the tiles drawn from each collection; 1 where it has none.

    Returns:
        Probability that a tile is drawn, (tiles,), with sum 1.
    """
    counts = Counter(collections)
    shares = np.array([weights.get(one, 1.0) / counts[one] for one in collections])
    return np.asarray(shares / shares.sum())


def draw_pixel(
    mask: NDArray[np.uint8], code: int, random: np.random.Generator
) -> tuple[int, int] | None:
    """Draws a pixel of a class.

    Args:
        mask: (rows, columns) uint8.
        code: Value of the class in the mask.
        random: Source of random numbers.

    Returns:
        Row and column; None if no pixel has the value.
    """
    found = np.flatnonzero(mask == code)
    if not len(found):
        return None
    row, column = divmod(int(found[random.integers(len(found))]), mask.shape[1])
    return row, column
