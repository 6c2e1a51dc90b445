"""Albumentations transforms that simulate the light and air of other cameras and days."""

from typing import Any

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray


class Haze(A.ImageOnlyTransform):
    """Adds white haze to the whole image: `pixels (1 - a) + light a`, with `a` from 0 to `most`.

    The model of Koschmieder (1924) at a single distance. The light is near white, slightly blue or
    warm.

    Args:
        most: Largest share of the haze, 0 to 1.
        p: Probability that haze is added.

    Attributes:
        most: Largest share of the haze, 0 to 1.
    """

    def __init__(self, most: float, p: float = 1.0):
        super().__init__(p=p)
        self.most = most

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """Draws the haze of an image.

        Args:
            params: Parameters from albumentations; not used.
            data: The image (rows, columns, bands) under "image".

        Returns:
            The share of the haze, and its light, (bands,) from 0 to 1.
        """
        bands = data["image"].shape[-1]
        light = self.py_random.uniform(0.65, 1.0) * (
            1 + self.random_generator.uniform(-0.08, 0.08, bands)
        )
        return {"share": self.py_random.uniform(0, self.most), "light": light.clip(0, 1)}

    def apply(
        self, img: NDArray[Any], share: float, light: NDArray[np.float64], **params: Any
    ) -> NDArray[Any]:
        """Adds the haze.

        Args:
            img: Pixels (rows, columns, bands): uint8, or floats from 0 to 1.
            share: Share of the haze, 0 to 1.
            light: Light of the haze, (bands,) from 0 to 1.
            **params: Further parameters from albumentations; not used.

        Returns:
            The hazy image in the shape and dtype of `img`.
        """
        return _blend(img, np.float32(1 - share), (share * light).astype(np.float32))


class SoftShadow(A.ImageOnlyTransform):
    """Adds a shadow with a soft, straight edge to a part of the image.

    It resembles the shadow of a cloud, a slope or a tower.
    """

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """Draws the shadow of an image.

        Args:
            params: Parameters from albumentations; not used.
            data: The image (rows, columns, bands) under "image".

        Returns:
            The light that reaches each pixel: (rows, columns) float32, 1 outside the shadow.
        """
        rows, columns = data["image"].shape[:2]
        angle, offset = self.py_random.uniform(0, 2 * np.pi), self.py_random.uniform(-0.4, 0.4)
        across = np.cos(angle) * np.linspace(-0.5, 0.5, rows)[:, None] + np.sin(
            angle
        ) * np.linspace(-0.5, 0.5, columns)
        depth = ((across - offset) / self.py_random.uniform(0.01, 0.3)).clip(0, 1)
        if self.py_random.random() < 0.5:  # a strip of shadow, which has a far edge, too
            depth *= ((offset + self.py_random.uniform(0.1, 0.4) - across) / 0.03).clip(0, 1)
        return {"light": (1 - self.py_random.uniform(0.25, 0.7) * depth).astype(np.float32)}

    def apply(self, img: NDArray[Any], light: NDArray[np.float32], **params: Any) -> NDArray[Any]:
        """Adds the shadow.

        Args:
            img: Pixels (rows, columns, bands): uint8, or floats from 0 to 1.
            light: Light that reaches each pixel, (rows, columns), 1 outside the shadow.
            **params: Further parameters from albumentations; not used.

        Returns:
            The shaded image in the shape and dtype of `img`.
        """
        return _blend(img, light[..., None], np.float32(0))


def _blend(pixels: NDArray[Any], factor: Any, light: Any) -> NDArray[Any]:
    """Returns `pixels * factor + light * (full range)`, in the dtype of the pixels.

    The range of floats is 0 to 1.
    """
    if pixels.dtype != np.uint8:
        changed: NDArray[Any] = (pixels * factor + light).astype(pixels.dtype)
        return changed
    mixed = pixels * factor
    mixed += light * np.float32(255)
    return np.asarray(cv2.convertScaleAbs(mixed.reshape(len(pixels), -1)), np.uint8).reshape(
        pixels.shape
    )
