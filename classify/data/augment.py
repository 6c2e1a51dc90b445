"""Random changes of training images with albumentations: where they are cropped and turned, then how they look."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classify.config import ChangeSettings
from classify.data.pixels import fill_up
from segment.core.pixels.augment import as_dtype, blur, light, pipeline, require_rgb, symmetries, value_range
from segment.core.pixels.normalise import BandStatistics

Change = Callable[[NDArray[Any]], NDArray[Any]]
WARPED_BY_OPENCV = ("uint8", "uint16", "int16", "float32")


def augmentation(settings: ChangeSettings, size: int, statistics: BandStatistics, seed: int) -> Change:
    """A function of an image (rows, columns, bands) that returns a changed crop of it, (size, size, bands), same dtype.

    size: edge of the crop, pixels. Images smaller than that are filled up by reflection on all sides, as is what
    comes in from outside when they turn. Crops, turns and deformations move pixels as they are; brightness and the
    like are changed over the range of 8 bits, or else of the training data. Any number of bands is treated alike.
    The same seed makes the same changes, one after the other: not to be called by several threads at once.

    Raises InputError when saturation or hue is asked of anything but RGB of 8 bits.
    """
    import albumentations as A

    for quality in ("saturation", "hue"):
        if getattr(settings, quality):
            require_rgb(quality, statistics)
    first, second = np.random.default_rng(seed).integers(2**31, size=2).tolist()
    move = A.Compose(_geometry(settings, size), seed=first)
    steps = _appearance(settings, statistics)
    paint = pipeline(steps, statistics, second)

    def change(image: NDArray[Any]) -> NDArray[Any]:
        pixels = image if image.dtype.name in WARPED_BY_OPENCV else image.astype(np.float32)
        pixels = move(image=fill_up(pixels, size))["image"]
        if steps:
            pixels = paint(image=pixels)["image"]
        return as_dtype(pixels, image.dtype) if pixels.dtype != image.dtype else np.ascontiguousarray(pixels)

    return change


def _geometry(settings: ChangeSettings, size: int) -> list[Any]:
    """Steps that move pixels. Turns by any angle come before the crop, which leaves most of their borders out.

    Resized crops lie at random places, whatever `random_crop` says.
    """
    import albumentations as A

    steps: list[Any] = []
    if settings.rotation:
        steps.append(A.Rotate(settings.rotation, border_mode=cv2.BORDER_REFLECT_101, p=1.0))
    if settings.resized_crop < 1:
        scale = (settings.resized_crop, 1.0)
        steps.append(A.RandomResizedCrop((size, size), scale, ratio=(3 / 4, 4 / 3), area_for_downscale="image"))
    else:
        steps.append(A.RandomCrop(size, size) if settings.random_crop else A.CenterCrop(size, size))
    steps += symmetries(settings.horizontal_flip, settings.vertical_flip, settings.quarter_turns)
    if settings.elastic:
        steps.append(_elastic(size, settings.elastic))
    return steps


def _elastic(size: int, probability: float) -> Any:
    """Deformation by random displacements, smoothed (Simard et al. 2003), of 1.5 % of the edge (standard deviation).

    alpha follows from that: white noise, uniform in -1..1, has a deviation of 1/sqrt(3), and 2 sqrt(pi) sigma times
    less after a Gaussian of sigma. Near its border the transform displaces up to ten times more, which the margin keeps out.
    """
    import albumentations as A

    sigma = size / 16
    alpha = 0.015 * size * math.sqrt(3) * 2 * math.sqrt(math.pi) * sigma
    wide = size + 2 * math.ceil(2 * sigma)
    steps = [
        A.PadIfNeeded(wide, wide, border_mode=cv2.BORDER_REFLECT_101),
        A.ElasticTransform(alpha, sigma, noise_distribution="uniform", border_mode=cv2.BORDER_REFLECT_101, p=1.0),
        A.CenterCrop(size, size),
    ]
    return A.Sequential(steps, p=probability)


def _appearance(settings: ChangeSettings, statistics: BandStatistics) -> list[Any]:
    """Steps that change values. Holes are filled with the training mean, nothing to the network (DeVries and Taylor 2017)."""
    import albumentations as A

    steps = light(settings.brightness, settings.contrast)
    if settings.saturation or settings.hue:
        saturation, hue = settings.saturation, settings.hue / 360
        steps.append(A.ColorJitter((1, 1), (1, 1), (1 - saturation, 1 + saturation), (-hue, hue), p=1.0))
    steps += blur(settings.blur)
    if settings.cutout:
        low, high = value_range(statistics)
        fill = statistics.mean if statistics.dtype == "uint8" else (statistics.mean - low) / (high - low)
        steps.append(A.CoarseDropout((1, 1), (0.1, 1 / 3), (0.1, 1 / 3), tuple(fill.tolist()), p=settings.cutout))
    return steps
