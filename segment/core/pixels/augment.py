"""Random changes with albumentations that mean the same for tiles and for images: over which range, and which steps."""

import os
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from segment.core.errors import InputError
from segment.core.pixels.normalise import BandStatistics

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or its import would ask the network for a newer version


def pipeline(steps: Sequence[Any], statistics: BandStatistics, seed: int) -> Callable[..., dict[str, Any]]:
    """albumentations' `Compose` of `steps`, called alike: `change(image=...)` or `change(image=..., mask=...)`.

    Every depth and any number of bands is treated alike: 8 bits are changed as they are, which is several times faster; other
    pixels (rows, columns, bands) are scaled to 0..1 (see `value_range`), changed as float32, and brought back to the image's
    dtype. statistics: of the training pixels. Masks are passed on as they are. The same seed makes the same changes.
    """
    import albumentations as A

    compose = A.Compose(list(steps), seed=seed)
    if statistics.dtype == "uint8":
        return cast("Callable[..., dict[str, Any]]", compose)
    low, high = value_range(statistics)

    def change(image: NDArray[Any], **others: NDArray[Any]) -> dict[str, Any]:
        scaled = (image.astype(np.float32) - low) / (high - low)
        changed: dict[str, Any] = compose(image=scaled, **others)
        return changed | {"image": as_dtype(changed["image"] * (high - low) + low, image.dtype)}

    return change


def value_range(statistics: BandStatistics) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest value of each band, (bands,) float32: 0 and 255, or those of the training pixels."""
    if statistics.dtype == "uint8":
        return np.zeros(statistics.bands, np.float32), np.full(statistics.bands, 255, np.float32)
    low, high = statistics.minimum.astype(np.float32), statistics.maximum.astype(np.float32)
    return low, np.where(high > low, high, low + 1)


def as_dtype(pixels: NDArray[np.float32], dtype: DTypeLike) -> NDArray[Any]:
    """Pixels in another dtype, with integers rounded and held within its range, so that none wraps around."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        return pixels.astype(kind)
    limits = np.iinfo(kind)
    highest = np.float32(limits.max)
    if int(highest) > limits.max:  # 32 bits and more: float32 rounds up
        highest = np.nextafter(highest, np.float32(0))
    return np.clip(np.rint(pixels), np.float32(limits.min), highest).astype(kind)


def require_rgb(quality: str, statistics: BandStatistics) -> None:
    """Raises InputError where the setting of augmentation called `quality` (hue, say) meets anything but RGB of 8 bits."""
    if (statistics.bands, statistics.dtype) != (3, "uint8"):
        received = f"{statistics.bands} bands of {statistics.dtype}"
        raise InputError(f"augment.{quality}: only RGB of 8 bits has a {quality}. Received {received}. Set it to 0.")


def symmetries(horizontal: float, vertical: float, quarter_turns: bool) -> list[Any]:
    """Flips with their probabilities, then turns by 0, 90, 180 or 270 degrees, as often each."""
    import albumentations as A

    steps: list[Any] = [A.HorizontalFlip(p=horizontal)] if horizontal else []
    if vertical:
        steps.append(A.VerticalFlip(p=vertical))
    if quarter_turns:
        steps.append(A.RandomRotate90(p=1.0))
    return steps


def light(brightness: float, contrast: float) -> list[Any]:
    """Pixels times 1 ± contrast, plus or minus up to `brightness` of the full range, clipped to the range."""
    import albumentations as A

    return [A.RandomBrightnessContrast(brightness, contrast, p=1.0)] if brightness or contrast else []


def blur(probability: float) -> list[Any]:
    """A Gaussian blur of 3 or 5 pixels."""
    import albumentations as A

    return [A.GaussianBlur(blur_limit=(3, 5), p=probability)] if probability else []
