"""Random changes of training tiles with albumentations; masks are never interpolated."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.augment_settings import AugmentSettings
from segment.core.pixels.augment import blur, light, pipeline, require_rgb, symmetries
from segment.core.pixels.normalise import BandStatistics

Change = Callable[..., tuple[NDArray[Any], NDArray[np.uint8]]]
"""Function of an image (rows, columns, bands), its mask (rows, columns) uint8 and, where the image
has nodata, which pixels are valid (rows, columns). It returns image and mask changed alike.
"""


def augmentation(settings: AugmentSettings, statistics: BandStatistics, seed: int) -> Change:
    """Returns a function that changes an image and its mask at random.

    Images of every bit depth and number of bands are treated alike: changes are made over the range
    of 8 bits, or otherwise over that of the training data. What enters from outside the tile is its
    reflection. Nodata stays 0, as it is when scenes are mapped.

    Args:
        settings: Which changes to make, and how strong.
        statistics: Statistics of the training pixels.
        seed: The same seed makes the same changes.

    Returns:
        The function.

    Raises:
        InputError: If hue, saturation, grey or jpeg are set for anything but RGB of 8 bits.
    """
    import albumentations as A

    from segment.core.pixels.atmosphere import Soften

    for name in ("hue", "saturation", "grey", "jpeg"):
        if getattr(settings, name):
            require_rgb(name, statistics)
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
    steps += _weather(settings)
    steps += light(settings.brightness, settings.contrast)
    if settings.hue or settings.saturation:
        steps.append(A.HueSaturationValue(settings.hue, settings.saturation, 0, p=1.0))
    if settings.grey:
        steps.append(A.ToGray(p=settings.grey))
    steps += blur(settings.blur)
    if settings.soften:
        sizes = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}
        steps.append(Soften(scale_range=(0.33, 0.67), interpolation_pair=sizes, p=settings.soften))
    if settings.jpeg:
        steps.append(A.ImageCompression(quality_range=(30, 90), p=settings.jpeg))
    if settings.noise:
        steps.append(A.GaussNoise(std_range=(0, settings.noise), p=1.0))
    changes = pipeline(steps, statistics, seed)

    def change(
        image: NDArray[Any], mask: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        if valid is None:
            changed = changes(image=image, mask=mask)
            return changed["image"], changed["mask"]
        changed = changes(image=image, masks=[mask, valid.astype(np.uint8)])
        moved, kept = changed["masks"]
        return np.where(kept[..., None] > 0, changed["image"], image.dtype.type(0)), moved

    return change


def _weather(settings: AugmentSettings) -> list[Any]:
    """Returns the changes that sun, air and sensor make to the same ground."""
    import albumentations as A

    from segment.core.pixels.atmosphere import Gamma, Haze, SoftShadow

    steps: list[Any] = [SoftShadow(p=settings.shadow)] if settings.shadow else []
    if settings.gamma:
        steps.append(Gamma((100 * (1 - settings.gamma), 100 * (1 + settings.gamma)), p=1.0))
    if settings.tint:
        factors = (1 - settings.tint, 1 + settings.tint)
        steps.append(A.MultiplicativeNoise(factors, per_channel=True, elementwise=False, p=1.0))
    if settings.haze:
        steps.append(Haze(settings.haze))
    return steps
