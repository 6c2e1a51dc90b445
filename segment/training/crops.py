"""Random crops of images without masks, to distil encoders on."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from segment.augment_settings import AugmentSettings
from segment.core.errors import InputError, counted
from segment.core.pixels.cache import Cache
from segment.core.pixels.geometry import resize
from segment.core.pixels.normalise import BandStatistics
from segment.core.raster.opening import open_raster
from segment.data.augment import augmentation

RGB_STATISTICS = BandStatistics(
    "uint8", 1, np.zeros(3), np.full(3, 255.0), np.full(3, 128.0), np.full(3, 64.0)
)
"""Statistics of RGB of 8 bits; only dtype and range matter."""

_ZOOM = -0.5, 1.0
"""Octaves by which crops may be smaller and larger than the size they are resized to."""

_CHANGES = AugmentSettings(brightness=0.2, contrast=0.2)


class Crops(keras.utils.PyDataset):
    """Batches of random crops of images, for distillation.

    Crops are random squares at random scales, turned, and in other light. The second array of a
    batch holds zeros, because there is nothing to compare with. What batch i of an epoch holds
    depends on `seed`, `epoch` and i alone.

    Args:
        images: Images to crop, RGB of 8 bits.
        size: Edge of a crop, pixels.
        batch_size: Crops in a batch.
        crops: Crops in an epoch, rounded up to whole batches.
        seed: Seed of all that is random.
        workers: Threads that prepare batches.

    Attributes:
        epoch: Number of the current epoch.
    """

    def __init__(
        self,
        images: Sequence[Path],
        size: int,
        batch_size: int,
        crops: int,
        *,
        seed: int = 0,
        workers: int = 1,
    ):
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self._images, self._size, self._batch_size, self._crops = images, size, batch_size, crops
        self._seed, self.epoch, self._cache = (
            seed,
            0,
            Cache[NDArray[np.uint8]](4096, lambda pixels: pixels.nbytes),
        )

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return math.ceil(self._crops / self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Returns the crops (batch, size, size, 3) of a batch, and zeros."""
        random = np.random.default_rng([self._seed, self.epoch, index])
        change = augmentation(_CHANGES, RGB_STATISTICS, int(random.integers(2**31)))
        mask = np.zeros((self._size, self._size), np.uint8)
        crops = np.stack([change(self._crop(random), mask)[0] for _ in range(self._batch_size)])
        return crops, np.zeros((len(crops), 1), np.float32)

    def _crop(self, random: np.random.Generator) -> NDArray[np.uint8]:
        path = self._images[random.integers(len(self._images))]
        image = self._cache.get(path, lambda: read_image(path))
        edge = min(round(self._size * 2 ** random.uniform(*_ZOOM)), *image.shape[:2])
        row, column = (int(random.integers(length - edge + 1)) for length in image.shape[:2])
        square = image[row : row + edge, column : column + edge]
        return resize(square, self._size, self._size)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads an image to learn from.

    Args:
        path: File.

    Returns:
        Pixels (rows, columns, 3).

    Raises:
        InputError: If the image is not RGB of 8 bits.
    """
    with open_raster(path) as raster:
        if len(raster.bands) != 3 or raster.dtype != np.uint8:
            raise InputError(
                f"{path}: {counted(len(raster.bands), 'band')} of {raster.dtype}. Export it in"
                " three bands of uint8."
            )
        return raster.read()[0]
