"""Batches of labelled images for training: read, resized, augmented, drawn by class."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from classify.data.augment import Change
from classify.data.images import LabelledImage
from classify.data.pixels import centre_crop
from segment.core.cache import Cache

Mix = Callable[[NDArray[Any], NDArray[np.float32], np.random.Generator], tuple[NDArray[Any], NDArray[np.float32]]]
"""Of a batch's images and labels, see `mix`."""


class ImagePixels:
    """Images as the network gets them but for the crop; the most recently used ones stay in memory.

    read: a file's pixels (rows, columns, bands), resized. megabytes: at most this much is kept. Safe to use from several
    threads.
    """

    def __init__(self, read: Callable[[Path], NDArray[Any]], megabytes: int):
        self._read, self._cache = read, Cache[NDArray[Any]](megabytes, lambda pixels: pixels.nbytes)

    def load(self, image: LabelledImage) -> NDArray[Any]:
        return self._cache.get(image.path, lambda: self._read(image.path))


class ImageDataset(keras.utils.PyDataset):
    """Batches of (images, labels): (batch, size, size, bands) in the files' dtype, and (batch, classes) float32 of 0 to 1.

    augment: a change of images by seed (see `augmentation`), which crops them to `size`. Without, images come cropped to
    their middle and in order. mix: of whole batches, see `mix`. weighted: draws each class equally often, as many images
    an epoch as there are; one of several labels counts to its rarest. rgb: positions of the bands to look at it by.
    seed, epoch: what batch i holds depends on these and i alone, so that a run can be repeated and resumed.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        pixels: ImagePixels,
        classes: int,
        size: int,
        batch_size: int,
        *,
        augment: Callable[[int], Change] | None = None,
        mix: Mix | None = None,
        weighted: bool = False,
        seed: int = 0,
        epoch: int = 0,
        workers: int = 1,
        rgb: tuple[int, int, int] = (0, 1, 2),
    ):
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self.images, self.batch_size, self.epoch = list(images), batch_size, epoch
        self._pixels, self._size, self._augment, self._mix, self._seed = pixels, size, augment, mix, seed
        self.rgb = rgb
        self._labels = one_hot(images, classes)
        self._chances = draw_chances(images) if weighted else None

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        random = np.random.default_rng([self._seed, self.epoch, index])
        chosen = self._order()[index * self.batch_size : (index + 1) * self.batch_size]
        if self._augment is None:
            return np.stack([self.image_at(i) for i in chosen]), self._labels[chosen]
        change = self._augment(int(random.integers(2**31)))
        images = np.stack([change(self._pixels.load(self.images[i])) for i in chosen])
        return self._mix(images, self._labels[chosen], random) if self._mix else (images, self._labels[chosen])

    def image_at(self, index: int) -> NDArray[Any]:
        """One of `images` as it is scored, (size, size, bands)."""
        return centre_crop(self._pixels.load(self.images[index]), self._size)

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def _order(self) -> NDArray[np.intp]:
        count = len(self.images)
        if self._augment is None:
            return np.arange(count)
        random = np.random.default_rng([self._seed, self.epoch])
        return random.permutation(count) if self._chances is None else random.choice(count, count, p=self._chances)


def one_hot(images: Sequence[LabelledImage], classes: int) -> NDArray[np.float32]:
    """(images, classes) of 0 and 1; several ones where images carry several labels."""
    labels = np.zeros((len(images), classes), np.float32)
    for row, image in zip(labels, images, strict=True):
        row[list(image.labels)] = 1
    return labels


def draw_chances(images: Sequence[LabelledImage]) -> NDArray[np.float64]:
    """Chance of each image to be drawn, (images,) summing to 1: the same for each class in all."""
    frequency = Counter(label for image in images for label in image.labels)
    rarest = [min(image.labels, key=lambda label: (frequency[label], label), default=-1) for image in images]
    counts = Counter(rarest)
    chances = np.array([1 / counts[label] for label in rarest])
    shares: NDArray[np.float64] = chances / chances.sum()
    return shares
