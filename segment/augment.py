"""Random changes of training tiles with albumentations; masks move along and never interpolate."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.config import AugmentSettings
from segment.core.augment import blur, light, pipeline, require_rgb, symmetries
from segment.core.normalise import BandStatistics

Change = Callable[[NDArray[Any], NDArray[np.uint8]], tuple[NDArray[Any], NDArray[np.uint8]]]


def augmentation(settings: AugmentSettings, statistics: BandStatistics, seed: int) -> Change:
    """A function of an image (rows, columns, bands) and its mask (rows, columns) that changes both at random.

    Every depth and any number of bands is treated alike: changes are made over the range of 8 bits, or else of the
    training data. What comes in from outside the tile is its reflection. The same seed makes the same changes.

    Raises InputError when a hue is asked of anything but RGB of 8 bits.
    """
    import albumentations as A

    if settings.hue:
        require_rgb("hue", statistics)
    steps = symmetries(settings.flip, settings.flip, settings.quarter_turns)
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
    steps += light(settings.brightness, settings.contrast)
    if settings.hue:
        steps.append(A.HueSaturationValue(settings.hue, 0, 0, p=1.0))
    steps += blur(settings.blur)
    if settings.noise:
        steps.append(A.GaussNoise(std_range=(0, settings.noise), p=1.0))
    changes = pipeline(steps, statistics, seed)

    def change(image: NDArray[Any], mask: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        changed = changes(image=image, mask=mask)
        return changed["image"], changed["mask"]

    return change
