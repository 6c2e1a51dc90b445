"""Batches of labelled images for training: read, resized, augmented and drawn by class."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.augment import Change
from classify.data.images import LabelledImage
from classify.data.pixels import ImagePixels, centre_crop
from classify.label_sets import Unions

Mix = Callable[
    [NDArray[Any], NDArray[np.float32], np.random.Generator],
    tuple[NDArray[Any], NDArray[np.float32]],
]
"""Function that mixes the images and labels of a batch, see `mix`."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How the images of an epoch are drawn and changed.

    Attributes:
        augment: Makes a change of images from a seed (see `augmentation`), which also crops them to
            the size of the dataset. Without it, images are cropped to their centre and come in
            order, and nothing else applies.
        mix: Mixes whole batches, see `mix`.
        weighted: Draws each class equally often, with as many images per epoch as there are. An
            image with several labels counts for its rarest one.
        seed: Seed of order and changes.
        unions: Sets of classes that an image may be. Each has a column of labels of its own.
    """

    augment: Callable[[int], Change] | None = None
    mix: Mix | None = None
    weighted: bool = False
    seed: int = 0
    unions: Unions = ()


class ImageDataset:
    """Batches of labelled images, of which training makes those of Keras.

    An item is (images, labels): (batch, size, size, bands) in the dtype of the files, and (batch,
    classes + unions) float32 of 0 to 1. What batch i holds depends only on the seed, `epoch` and i,
    so that a run can be repeated and resumed.

    Args:
        images: Images of the dataset.
        pixels: Reads the images.
        classes: Number of classes.
        size: Edge of the crop in pixels.
        batch_size: Images per batch.
        drawing: How images are drawn and changed for training; by default they come in order.
        epoch: Number of the first epoch.
        workers: Threads that prepare batches.

    Attributes:
        images: Images of the dataset.
        batch_size: Images per batch.
        epoch: Number of the current epoch.
        rgb: Positions of red, green and blue among the bands.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        pixels: ImagePixels,
        classes: int,
        size: int,
        batch_size: int,
        *,
        drawing: Drawing = Drawing(),
        epoch: int = 0,
        workers: int = 1,
    ):
        # as Keras asks for them; its own class would load it, which scoring does not need
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, False, 4
        self.images, self.batch_size, self.epoch = list(images), batch_size, epoch
        self.rgb = pixels.rgb
        self._pixels, self._size, self._drawing = pixels, size, drawing
        self._labels = one_hot(images, classes, drawing.unions)
        self._chances = draw_chances(images) if drawing.weighted else None

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        drawing = self._drawing
        random = np.random.default_rng([drawing.seed, self.epoch, index])
        chosen = self._order()[index * self.batch_size : (index + 1) * self.batch_size]
        labels = self._labels[chosen]
        if drawing.augment is None:
            return np.stack([self.image_at(i) for i in chosen]), labels
        change = drawing.augment(int(random.integers(2**31)))
        images = np.stack([change(self._pixels.load(self.images[i])) for i in chosen])
        return drawing.mix(images, labels, random) if drawing.mix else (images, labels)

    def image_at(self, index: int) -> NDArray[Any]:
        """Returns an image as it is scored: cropped to its centre, not augmented.

        Args:
            index: Position in `images`.

        Returns:
            Pixels (size, size, bands).
        """
        return centre_crop(self._pixels.load(self.images[index]), self._size)

    def on_epoch_end(self) -> None:
        """Counts the epoch; called by Keras."""
        self.epoch += 1

    def _order(self) -> NDArray[np.intp]:
        count = len(self.images)
        if self._drawing.augment is None:
            return np.arange(count)
        random = np.random.default_rng([self._drawing.seed, self.epoch])
        if self._chances is None:
            return random.permutation(count)
        return random.choice(count, count, p=self._chances)


def one_hot(
    images: Sequence[LabelledImage], classes: int, unions: Unions = ()
) -> NDArray[np.float32]:
    """Encodes the labels of images as 0 and 1.

    Args:
        images: Labelled images.
        classes: Number of classes.
        unions: Sets of classes that an image may be. Each has a column after those of the classes,
            which is 1 in place of theirs, so that mixed labels still tell sets apart.

    Returns:
        Labels (images, classes + unions) float32, with several ones where an image has several
        labels, or may be of several classes and there are no unions.
    """
    columns = {some: [classes + number] for number, some in enumerate(unions)}
    labels = np.zeros((len(images), classes + len(unions)), np.float32)
    for row, image in zip(labels, images, strict=True):
        row[columns.get(image.labels, list(image.labels))] = 1
    return labels


def draw_chances(images: Sequence[LabelledImage]) -> NDArray[np.float64]:
    """Computes the chance of each image to be drawn so that classes are drawn equally often.

    An image with several labels counts for the rarest of them.

    Args:
        images: Labelled images.

    Returns:
        Chances (images,) float64, which sum to 1.
    """
    frequency = Counter(label for image in images for label in image.labels)
    rarest = [
        min(image.labels, key=lambda label: (frequency[label], label), default=-1)
        for image in images
    ]
    counts = Counter(rarest)
    chances = np.array([1 / counts[label] for label in rarest])
    shares: NDArray[np.float64] = chances / chances.sum()
    return shares
