"""Random augmentation of training images with albumentations: first geometry, then appearance."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classify.augment_settings import ChangeSettings
from classify.data.pixels import fill_up
from segment.core.pixels.augment import (
    as_dtype,
    blur,
    light,
    pipeline,
    require_rgb,
    symmetries,
    value_range,
)
from segment.core.pixels.normalise import BandStatistics

Change = Callable[[NDArray[Any]], NDArray[Any]]
WARPED_BY_OPENCV = ("uint8", "uint16", "int16", "float32")


def augmentation(
    settings: ChangeSettings, size: int, statistics: BandStatistics, seed: int
) -> Change:
    """Builds a function that changes an image at random and crops it.

    Images smaller than the crop are padded by reflection on all sides, and so is the area that
    comes in from outside when an image is rotated. Crops, rotations and deformations take pixel
    values as they are. Brightness and the like change them relative to the range of 8 bits or, for
    other dtypes, of the training data. Any number of bands is treated alike.

    The same seed gives the same sequence of changes, so the function must not be called from
    several threads at once.

    Args:
        settings: Which changes are made, and how strong they are.
        size: Edge of the crop in pixels.
        statistics: Statistics of the training pixels.
        seed: Seed of the random changes.

    Returns:
        A function of an image (rows, columns, bands) that returns a changed crop of it, (size,
        size, bands), in the same dtype.

    Raises:
        InputError: If saturation or hue is to be changed and the images are not RGB of 8 bits.
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
        return (
            as_dtype(pixels, image.dtype)
            if pixels.dtype != image.dtype
            else np.ascontiguousarray(pixels)
        )

    return change


def _geometry(settings: ChangeSettings, size: int) -> list[Any]:
    """Steps that move pixels; rotation comes before the crop, which cuts off most of its borders.

    Resized crops are always at random places, whatever `random_crop` is.
    """
    import albumentations as A

    steps: list[Any] = []
    if settings.rotation:
        steps.append(A.Rotate(settings.rotation, border_mode=cv2.BORDER_REFLECT_101, p=1.0))
    if settings.resized_crop < 1:
        scale = (settings.resized_crop, 1.0)
        steps.append(
            A.RandomResizedCrop(
                (size, size), scale, ratio=(3 / 4, 4 / 3), area_for_downscale="image"
            )
        )
    else:
        steps.append(A.RandomCrop(size, size) if settings.random_crop else A.CenterCrop(size, size))
    steps += symmetries(settings.horizontal_flip, settings.vertical_flip, settings.quarter_turns)
    if settings.elastic:
        steps.append(_elastic(size, settings.elastic))
    return steps


def _elastic(size: int, probability: float) -> Any:
    """Deformation by smoothed random displacements (Simard et al. 2003).

    Their standard deviation is 1.5 % of the edge. `alpha` follows from that: uniform white noise in
    -1..1 has a standard deviation of 1/sqrt(3), which a Gaussian of `sigma` divides by 2 sqrt(pi)
    sigma. Near its border the transform displaces up to ten times more; the margin keeps that out
    of the crop.
    """
    import albumentations as A

    sigma = size / 16
    alpha = 0.015 * size * math.sqrt(3) * 2 * math.sqrt(math.pi) * sigma
    wide = size + 2 * math.ceil(2 * sigma)
    steps = [
        A.PadIfNeeded(wide, wide, border_mode=cv2.BORDER_REFLECT_101),
        A.ElasticTransform(
            alpha, sigma, noise_distribution="uniform", border_mode=cv2.BORDER_REFLECT_101, p=1.0
        ),
        A.CenterCrop(size, size),
    ]
    return A.Sequential(steps, p=probability)


def _appearance(settings: ChangeSettings, statistics: BandStatistics) -> list[Any]:
    """Steps that change values.

    Holes are filled with the training mean, which is neutral for the network (DeVries and Taylor
    2017).
    """
    import albumentations as A

    steps = light(settings.brightness, settings.contrast)
    if settings.saturation or settings.hue:
        saturation, hue = settings.saturation, settings.hue / 360
        steps.append(
            A.ColorJitter((1, 1), (1, 1), (1 - saturation, 1 + saturation), (-hue, hue), p=1.0)
        )
    steps += blur(settings.blur)
    if settings.cutout:
        low, high = value_range(statistics)
        fill = (
            statistics.mean
            if statistics.dtype == "uint8"
            else (statistics.mean - low) / (high - low)
        )
        steps.append(
            A.CoarseDropout(
                (1, 1), (0.1, 1 / 3), (0.1, 1 / 3), tuple(fill.tolist()), p=settings.cutout
            )
        )
    return steps
