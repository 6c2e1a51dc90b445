"""Random changes of training tiles with albumentations; masks move along and never interpolate."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.config import AugmentSettings
from segment.core.errors import InputError
from segment.core.normalise import BandStatistics

Change = Callable[[NDArray[Any], NDArray[np.uint8]], tuple[NDArray[Any], NDArray[np.uint8]]]


def augmentation(settings: AugmentSettings, statistics: BandStatistics, seed: int) -> Change:
    """A function of an image (rows, columns, bands) and its mask (rows, columns) that changes both at random.

    Every depth and any number of bands is treated alike: pixels are scaled to 0..1 over the range of 8 bits, or
    else of the training data, changed as float32, and brought back to the image's dtype. What comes in from
    outside the tile is its reflection. The same seed makes the same changes.

    Raises InputError when a hue is asked of anything but RGB of 8 bits.
    """
    import albumentations as A

    if settings.hue and (statistics.bands, statistics.dtype) != (3, "uint8"):
        received = f"{statistics.bands} bands of {statistics.dtype}"
        raise InputError(f"augment.hue: only RGB of 8 bits has a hue. Received {received}. Set it to 0.")
    steps: list[Any] = []
    if settings.flip:
        steps += [A.HorizontalFlip(p=settings.flip), A.VerticalFlip(p=settings.flip)]
    if settings.quarter_turns:
        steps.append(A.RandomRotate90(p=1.0))
    if settings.scale or settings.shift:
        zoom, shift = settings.scale, settings.shift
        steps.append(
            A.Affine(
                scale=(1 - zoom, 1 + zoom),
                translate_percent=(-shift, shift),
                keep_ratio=True,
                interpolation=cv2.INTER_LINEAR,
                mask_interpolation=cv2.INTER_NEAREST,
                border_mode=cv2.BORDER_REFLECT_101,
                p=1.0,
            )
        )
    if settings.brightness or settings.contrast:
        steps.append(A.RandomBrightnessContrast(settings.brightness, settings.contrast, p=1.0))
    if settings.hue:
        steps.append(A.HueSaturationValue(settings.hue, 0, 0, p=1.0))
    if settings.blur:
        steps.append(A.GaussianBlur(blur_limit=(3, 5), p=settings.blur))
    if settings.noise:
        steps.append(A.GaussNoise(std_range=(0, settings.noise), p=1.0))
    pipeline = A.Compose(steps, seed=seed)
    low, high = value_range(statistics)

    def change(image: NDArray[Any], mask: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        scaled = (image.astype(np.float32) - low) / (high - low)
        changed = pipeline(image=scaled, mask=mask)
        pixels = changed["image"] * (high - low) + low
        return (np.rint(pixels) if image.dtype.kind in "iu" else pixels).astype(image.dtype), changed["mask"]

    return change


def value_range(statistics: BandStatistics) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest value of each band, (bands,) float32: 0 and 255, or those of the training pixels."""
    if statistics.dtype == "uint8":
        return np.zeros(statistics.bands, np.float32), np.full(statistics.bands, 255, np.float32)
    low, high = statistics.minimum.astype(np.float32), statistics.maximum.astype(np.float32)
    return low, np.where(high > low, high, low + 1)
