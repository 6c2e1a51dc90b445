"""Statistics of training pixels per band, and the network layer that normalises with them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import Normalisation
from segment.core.errors import InputError, counted

Affine = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Matrix (3, 3) and offset (3,) of a preprocessing of 8-bit RGB.

It computes `pixels @ matrix + offset`.
"""

_IMAGENET_MEAN, _IMAGENET_DEVIATION = (
    np.array([0.485, 0.456, 0.406]),
    np.array([0.229, 0.224, 0.225]),
)


@dataclass(frozen=True)
class BandStatistics:
    """Statistics of the valid pixels of a training set.

    Attributes:
        dtype: Name of the dtype of the pixels.
        count: Number of pixels.
        minimum: Smallest value per band, (bands,) float64, in the units of the pixels. So are the
            following.
        maximum: Largest value per band.
        mean: Mean per band.
        deviation: Standard deviation per band.
    """

    dtype: str
    count: int
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.mean)


class BandStatisticsMeter:
    """Accumulates statistics image by image, in the memory of one image.

    Means and deviations merge as in Chan, Golub and LeVeque (1979), "Updating formulae and a
    pairwise algorithm for computing sample variances", so that large offsets lose no digits.

    Args:
        bands: Number of bands.
        dtype: Name of the dtype of the pixels.

    Attributes:
        dtype: Name of the dtype of the pixels.
        count: Number of pixels so far.
        minimum: Smallest value per band, (bands,) float64.
        maximum: Largest value per band, (bands,) float64.
        mean: Mean per band, (bands,) float64.
        squares: Sum of the squared differences from the mean per band, (bands,) float64.
    """

    def __init__(self, bands: int, dtype: str):
        self.dtype, self.count = dtype, 0
        self.minimum, self.maximum = np.full(bands, np.inf), np.full(bands, -np.inf)
        self.mean, self.squares = np.zeros(bands), np.zeros(bands)

    def add(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> None:
        """Adds the pixels of an image.

        Args:
            pixels: Image (rows, columns, bands).
            valid: Mask (rows, columns), True where pixels count. Pixels that are not finite do not
                count either.
        """
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
        """Returns the statistics of all pixels so far, at least one.

        Returns:
            The statistics.
        """
        assert self.count, "no pixels were added"
        deviation = np.sqrt(self.squares / self.count)
        return BandStatistics(
            self.dtype, self.count, self.minimum, self.maximum, self.mean, deviation
        )


def scaling(scale: float | NDArray[np.float64], offset: float | NDArray[np.float64]) -> Affine:
    """Returns the preprocessing `pixels * scale + offset`.

    Args:
        scale: A number for all three channels, or (3,).
        offset: A number for all three channels, or (3,).

    Returns:
        Matrix and offset.
    """
    return np.diag(np.broadcast_to(scale, 3)), np.array(np.broadcast_to(offset, 3))


def imagenet_statistics() -> Affine:
    """Returns the preprocessing that networks from PyTorch and MXNet were trained with.

    Pixels are scaled to 0..1, then normalised by the mean and standard deviation of ImageNet.

    Returns:
        Matrix and offset.
    """
    return scaling(1 / (255 * _IMAGENET_DEVIATION), -_IMAGENET_MEAN / _IMAGENET_DEVIATION)


def resolve_auto(
    mode: Normalisation, source: str, statistics: BandStatistics, rgb_first: bool = True
) -> Normalisation:
    """Returns the normalisation that `auto` stands for, see `Normalisation`.

    Args:
        mode: Normalisation from the settings. Modes other than `auto` are returned as they are.
        source: Source of the initial weights, e.g. "imagenet" or "bundled".
        statistics: Statistics of the training pixels.
        rgb_first: Whether the bands, if there are three or more, begin with red, green and blue.

    Returns:
        A normalisation other than `auto`.
    """
    if mode != "auto":
        return mode
    if source == "imagenet":
        return "imagenet"
    fits = rgb_first and statistics.bands >= 3 and statistics.dtype == "uint8"
    return "imagenet_statistics" if source == "bundled" and fits else "standardise"


def normalisation(
    statistics: BandStatistics, mode: Normalisation, affine: Callable[[], Affine]
) -> Callable[[Any], Any]:
    """Builds the first step of a network from Keras layers, which normalises a batch of pixels.

    Bands beyond the first three, which are assumed to be RGB, get the mean of what those get.

    Args:
        statistics: Statistics of the training pixels.
        mode: Any normalisation other than `auto`.
        affine: Returns the preprocessing that the ImageNet weights of the backbone expect.

    Returns:
        A function of a batch of pixels.

    Raises:
        InputError: If the normalisation is made for 8-bit RGB and the pixels are different.
    """
    assert mode != "auto", "see resolve_auto"
    if mode == "imagenet":
        return _rgb_preprocessing(statistics, mode, affine())
    if mode == "imagenet_statistics":
        return _rgb_preprocessing(statistics, mode, imagenet_statistics())
    if mode == "minmax":
        offset, scale = statistics.minimum, statistics.maximum - statistics.minimum
    else:
        offset, scale = statistics.mean, statistics.deviation
    scale = np.where(scale > 0, scale, 1)  # a constant band carries no information
    return _layer(offset, scale**2)


def _layer(mean: NDArray[np.float64], variance: NDArray[np.float64]) -> Callable[[Any], Any]:
    import keras

    layer: Callable[[Any], Any] = keras.layers.Normalization(
        mean=mean.tolist(), variance=variance.tolist(), dtype="float32", name="normalisation"
    )
    return layer


def _rgb_preprocessing(
    statistics: BandStatistics, mode: Normalisation, affine: Affine
) -> Callable[[Any], Any]:
    import keras

    if statistics.dtype != "uint8" or statistics.bands < 3:
        raise InputError(
            f"data.normalise: {mode} needs 8-bit RGB, images have"
            f" {counted(statistics.bands, 'band')} of {statistics.dtype}. Use standardise."
        )
    matrix, offset = affine
    swapped = not np.allclose(matrix, np.diag(np.diag(matrix)))
    if swapped:  # BGR: model families that come from Caffe
        matrix = matrix[::-1]
    scale = np.diag(matrix)
    further = statistics.bands - 3
    mean = np.concatenate([-offset / scale, np.full(further, (-offset / scale).mean())])
    variance = np.concatenate([1 / scale**2, np.full(further, (1 / scale**2).mean())])
    layer = _layer(mean, variance)
    if not swapped:
        return layer

    def from_rgb(pixels: Any) -> Any:
        ordered = [2, 1, 0, *range(3, statistics.bands)]
        return layer(keras.ops.take(pixels, ordered, axis=-1))

    return from_rgb
