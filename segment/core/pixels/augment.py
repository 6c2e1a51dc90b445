"""Random augmentation with albumentations: value ranges, and steps for tiles and images alike."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from segment.core.errors import InputError, counted
from segment.core.pixels.normalise import BandStatistics


def pipeline(
    steps: Sequence[Any], statistics: BandStatistics, seed: int
) -> Callable[..., dict[str, Any]]:
    """Composes augmentation steps for pixels of any bit depth and any number of bands.

    8-bit pixels are changed as they are, which is several times faster. Other pixels are scaled to
    0..1 (see `value_range`), changed as float32, and converted back to the dtype of the image.
    Masks are passed on as they are. The same seed gives the same changes.

    Args:
        steps: Transforms of albumentations, applied in order.
        statistics: Statistics of the training pixels.
        seed: Seed of the random changes.

    Returns:
        A function that is called like `Compose` of albumentations, `change(image=...)` or
        `change(image=..., mask=...)`, with an image (rows, columns, bands).
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
    """Returns the range of values of each band that augmentation works in.

    Args:
        statistics: Statistics of the training pixels.

    Returns:
        Lowest and highest value, each (bands,) float32: 0 and 255 for 8 bits, otherwise those of
        the training pixels.
    """
    if statistics.dtype == "uint8":
        return np.zeros(statistics.bands, np.float32), np.full(statistics.bands, 255, np.float32)
    low, high = statistics.minimum.astype(np.float32), statistics.maximum.astype(np.float32)
    return low, np.where(high > low, high, low + 1)


def as_dtype(pixels: NDArray[np.float32], dtype: DTypeLike) -> NDArray[Any]:
    """Converts pixels to another dtype.

    Integers are rounded and clipped to the range of the dtype, so that no value wraps around.

    Args:
        pixels: Pixels of any shape, float32.
        dtype: Integer or floating-point dtype.

    Returns:
        The pixels in that dtype.
    """
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        return pixels.astype(kind)
    limits = np.iinfo(kind)
    highest = np.float32(limits.max)
    if int(highest) > limits.max:  # 32 bits and more: float32 has rounded it up
        highest = np.nextafter(highest, np.float32(0))
    return np.clip(np.rint(pixels), np.float32(limits.min), highest).astype(kind)


def require_rgb(quality: str, statistics: BandStatistics) -> None:
    """Checks that a setting of augmentation that needs 8-bit RGB is used with it.

    Args:
        quality: Name of the setting, e.g. hue.
        statistics: Statistics of the training pixels.

    Raises:
        InputError: If the pixels are not 8-bit RGB.
    """
    if (statistics.bands, statistics.dtype) != (3, "uint8"):
        raise InputError(
            f"augment.{quality} needs 8-bit RGB, images have {counted(statistics.bands, 'band')} of"
            f" {statistics.dtype}. Set it to 0."
        )


def symmetries(horizontal: float, vertical: float, quarter_turns: bool) -> list[Any]:
    """Returns steps that flip and rotate.

    Args:
        horizontal: Probability of a horizontal flip.
        vertical: Probability of a vertical flip.
        quarter_turns: Whether to rotate by 0, 90, 180 or 270 degrees, each equally often.

    Returns:
        Transforms of albumentations.
    """
    import albumentations as A

    steps: list[Any] = [A.HorizontalFlip(p=horizontal)] if horizontal else []
    if vertical:
        steps.append(A.VerticalFlip(p=vertical))
    if quarter_turns:
        steps.append(A.RandomRotate90(p=1.0))
    return steps


def light(brightness: float, contrast: float) -> list[Any]:
    """Returns steps that change brightness and contrast.

    Pixels are multiplied by 1 ± `contrast`, shifted by up to ± `brightness` of the full range, and
    clipped to the range.

    Args:
        brightness: Largest change of brightness as a share of the full range.
        contrast: Largest relative change of contrast.

    Returns:
        Transforms of albumentations, none if both are 0.
    """
    import albumentations as A

    return (
        [A.RandomBrightnessContrast(brightness, contrast, p=1.0)] if brightness or contrast else []
    )


def blur(probability: float) -> list[Any]:
    """Returns steps that apply a Gaussian blur of 3 or 5 pixels.

    Args:
        probability: Probability that an image is blurred.

    Returns:
        Transforms of albumentations, none if the probability is 0.
    """
    import albumentations as A

    return [A.GaussianBlur(blur_limit=(3, 5), p=probability)] if probability else []
