"""Per-band statistics of training pixels, measured once and put into the network as a layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BandStatistics:
    """Of the valid pixels of a training set, per band, each (bands,) float64, in the pixels' own units."""

    dtype: str
    count: int
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @property
    def bands(self) -> int:
        return len(self.mean)


class BandStatisticsMeter:
    """Adds up statistics image by image, in the memory of one image.

    Means and deviations merge as in Chan, Golub and LeVeque (1979), "Updating formulae and a pairwise
    algorithm for computing sample variances", so that large offsets lose no digits.
    """

    def __init__(self, bands: int, dtype: str):
        self.dtype, self.count = dtype, 0
        self.minimum, self.maximum = np.full(bands, np.inf), np.full(bands, -np.inf)
        self.mean, self.squares = np.zeros(bands), np.zeros(bands)

    def add(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> None:
        """pixels: (rows, columns, bands); valid: (rows, columns). Not finite pixels do not count."""
        values = pixels[valid].astype(np.float64)
        values = values[np.isfinite(values).all(axis=1)]
        if not len(values):
            return
        count, mean = len(values), values.mean(axis=0)
        squares = ((values - mean) ** 2).sum(axis=0)
        total, difference = self.count + count, mean - self.mean
        self.squares += squares + difference**2 * self.count * count / total
        self.mean += difference * count / total
        self.count = total
        self.minimum = np.minimum(self.minimum, values.min(axis=0))
        self.maximum = np.maximum(self.maximum, values.max(axis=0))

    def statistics(self) -> BandStatistics:
        """What was measured. At least one pixel must have been added."""
        assert self.count, "no pixels were added"
        deviation = np.sqrt(self.squares / self.count)
        return BandStatistics(self.dtype, self.count, self.minimum, self.maximum, self.mean, deviation)
