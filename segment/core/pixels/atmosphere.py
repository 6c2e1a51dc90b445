"""Albumentations transforms that simulate the light, air and pixels of other cameras and days."""

from typing import Any

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray


class _Light(A.ImageOnlyTransform):
    """Computes `pixels * factor + light * (full range)`; the range of floats is 0 to 1.

    Subclasses draw the factor and the light of an image, see `_draw`.
    """

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """Draws the light of an image.

        Args:
            params: Parameters from albumentations; not used.
            data: The image (rows, columns, bands) under "image".

        Returns:
            The factor of the pixels, and the light that is added, from 0 to 1: arrays that
            broadcast to the image, float32.
        """
        factor, light = self._draw(*data["image"].shape)
        return {"factor": factor.astype(np.float32), "light": light.astype(np.float32)}

    def apply(
        self,
        img: NDArray[Any],
        factor: NDArray[np.float32],
        light: NDArray[np.float32],
        **params: Any,
    ) -> NDArray[Any]:
        """Changes an image.

        Args:
            img: Pixels (rows, columns, bands): uint8, or floats from 0 to 1.
            factor: Factor of the pixels.
            light: Light that is added, from 0 to 1.
            **params: Further parameters from albumentations; not used.

        Returns:
            The image in the shape and dtype of `img`.
        """
        if img.dtype != np.uint8:
            changed: NDArray[Any] = (img * factor + light).astype(img.dtype)
            return changed
        mixed = img * factor
        mixed += light * np.float32(255)
        return np.asarray(cv2.convertScaleAbs(mixed.reshape(len(img), -1)), np.uint8).reshape(
            img.shape
        )

    def _draw(self, rows: int, columns: int, bands: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Draws the factor and the light of an image of this shape."""
        raise NotImplementedError


class Haze(_Light):
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

    def _draw(self, rows: int, columns: int, bands: int) -> tuple[NDArray[Any], NDArray[Any]]:
        light = self.py_random.uniform(0.65, 1.0) * (
            1 + self.random_generator.uniform(-0.08, 0.08, bands)
        )
        share = self.py_random.uniform(0, self.most)
        return np.array(1 - share), share * light.clip(0, 1)


class SoftShadow(_Light):
    """Adds a shadow with a soft, straight edge to a part of the image.

    It resembles the shadow of a cloud, a slope or a tower.
    """

    def _draw(self, rows: int, columns: int, bands: int) -> tuple[NDArray[Any], NDArray[Any]]:
        angle, offset = self.py_random.uniform(0, 2 * np.pi), self.py_random.uniform(-0.4, 0.4)
        across = np.cos(angle) * np.linspace(-0.5, 0.5, rows)[:, None] + np.sin(
            angle
        ) * np.linspace(-0.5, 0.5, columns)
        depth = ((across - offset) / self.py_random.uniform(0.01, 0.3)).clip(0, 1)
        if self.py_random.random() < 0.5:  # a strip of shadow, which has a far edge, too
            depth *= ((offset + self.py_random.uniform(0.1, 0.4) - across) / 0.03).clip(0, 1)
        shade = 1 - self.py_random.uniform(0.25, 0.7) * depth
        return shade[..., None], np.array(0.0)


class Gamma(A.RandomGamma):
    """Raises pixels to a power, also where floats are negative, as nodata is: there as if 0."""

    def apply(self, img: NDArray[Any], gamma: float, **params: Any) -> NDArray[Any]:
        """Changes an image.

        Args:
            img: Pixels (rows, columns, bands): uint8, or floats from 0 to 1.
            gamma: The power.
            **params: Further parameters from albumentations; not used.

        Returns:
            The image in the shape and dtype of `img`.
        """
        return np.asarray(super().apply(np.maximum(img, 0), gamma=gamma, **params))


class Soften(A.Downscale):
    """Reduces an image and enlarges it again, whatever its number of bands."""

    def apply(self, img: NDArray[Any], scale: float, **params: Any) -> NDArray[Any]:
        """Changes an image.

        Args:
            img: Pixels (rows, columns, bands): uint8, or floats from 0 to 1.
            scale: Factor of the reduction.
            **params: Further parameters from albumentations; not used.

        Returns:
            The image in the shape and dtype of `img`.
        """
        softened = np.empty_like(img)
        for first in range(0, img.shape[2], 4):  # OpenCV averages at most four bands at a time
            bands = np.ascontiguousarray(img[..., first : first + 4])
            softened[..., first : first + 4] = super().apply(bands, scale, **params)
        return softened
