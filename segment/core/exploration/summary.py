"""Summary of an exploration: what is known of the images of either package."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from segment.core.exploration.image_statistics import PixelStatistics
from segment.core.labels.classes import ClassTable
from segment.core.pixels.components import Components, find_outliers
from segment.core.pixels.near_duplicates import find_duplicates
from segment.core.raster.sources import Source

Window = tuple[int, int, int, int]
"""First row, first column, rows and columns of a part of a scene, in pixels."""


def place_name(window: Window) -> str:
    """Names a window by its first pixel, as `segment-tile` names tiles.

    Args:
        window: The window.

    Returns:
        A text such as " r000256_c000512".
    """
    return f" r{window[0]:06}_c{window[1]:06}"


@dataclass(frozen=True)
class ExploredImage:
    """An image that can be read.

    Attributes:
        source: Its file, and how it is opened.
        name: Its name in findings.
        part: Part that folders or tables assign it to, if any.
        labels: Names of its classes; in tile folders, the name of its group.
        width: Columns in pixels.
        height: Rows in pixels.
        gsd: Ground sampling distance in metres per pixel; None if the file has none.
        window: First row and column, rows and columns, if it is a window of a scene.
    """

    source: Source
    name: str
    part: str | None
    labels: tuple[str, ...]
    width: int
    height: int
    gsd: float | None
    window: Window | None = None

    @property
    def path(self) -> str:
        """Path of its file, with the place of a window."""
        return f"{self.source.path}{'' if self.window is None else place_name(self.window)}"

    @property
    def title(self) -> str:
        """Its name under pictures."""
        return f"{self.source.name}{'' if self.window is None else place_name(self.window)}"

    @property
    def label(self) -> str:
        """Its labels in one line."""
        return ", ".join(self.labels) or "no label"


@dataclass(frozen=True)
class Copy:
    """An image that is like an earlier one.

    Attributes:
        image: The image.
        original: The earlier one.
        exact: Whether the pixels are the same; otherwise nearly so.
    """

    image: ExploredImage
    original: ExploredImage
    exact: bool

    @property
    def same_part(self) -> bool:
        """Whether both are assigned to the same part."""
        return self.image.part == self.original.part

    @property
    def same_labels(self) -> bool:
        """Whether both have the same labels or group."""
        return self.image.labels == self.original.labels


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What is known of images.

    Attributes:
        images: The images that can be read.
        bands: Number of bands of all images.
        dtype: Name of the dtype of all images.
        band_names: Names of the bands.
        class_table: Class table.
        class_counts: Images or pixels of each class, (classes,).
        problems: Why other files cannot be used.
        pixels: Statistics of the pixels, in the order of `images`.
        features: Principal components of what a model computes of the images; None for fewer than
            three images, without a model, or if the model does not take the images.
        without_features: Why the model does not take the images; else None.
    """

    labels: ClassVar[str]
    """What the labels of images are: "labels" or "group"."""

    images: Sequence[ExploredImage]
    bands: int
    dtype: str
    band_names: Sequence[str]
    class_table: ClassTable
    class_counts: NDArray[np.int64]
    problems: Sequence[str]
    pixels: PixelStatistics
    features: Components | None
    without_features: str | None

    @cached_property
    def copies(self) -> list[Copy]:
        """Images that are like an earlier one."""
        return [
            Copy(self.images[found.first], self.images[found.second], found.exact)
            for found in find_duplicates(self.pixels.prints)
        ]

    @property
    def components(self) -> Components | None:
        """Principal components of the features or, without features, of the pixels."""
        return self.features or self.pixels.components

    @cached_property
    def outliers(self) -> list[int]:
        """Positions of images unlike all others, the most different first."""
        return find_outliers(self.components) if self.components else []

    @property
    def distances(self) -> list[float]:
        """Ground sampling distances of the images that have one, metres per pixel."""
        return [image.gsd for image in self.images if image.gsd]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of images by size, as "COLUMNSxROWS", the most frequent first."""
        return dict(Counter(f"{i.width}x{i.height}" for i in self.images).most_common())

    @property
    def figures(self) -> dict[str, Any]:
        """Content of report.json, except for the findings."""
        values, pixels, features = self.pixels.values, self.pixels.components, self.features
        return {
            "bands": self.bands,
            "dtype": self.dtype,
            "sizes": self.sizes,
            "band_mean": values.mean(axis=0, dtype=np.float64).tolist(),
            "band_deviation": values.std(axis=0, dtype=np.float64).tolist(),
            "explained_variance": pixels and pixels.ratios.tolist(),
            "explained_variance_of_features": features and features.ratios.tolist(),
            "without_features": self.without_features,
            "duplicates": [
                {
                    "images": [copy.original.path, copy.image.path],
                    "exact": copy.exact,
                    f"same_{self.labels}": copy.same_labels,
                }
                for copy in self.copies
            ],
            "outliers": [self.images[row].path for row in self.outliers],
        }


def name_bands(bands: int, dtype: str) -> list[str]:
    """Returns names for bands that files do not name.

    Args:
        bands: Number of bands.
        dtype: Name of the dtype.

    Returns:
        red, green and blue for three bands of 8 bits, otherwise numbered bands.
    """
    if (bands, dtype) == (3, "uint8"):
        return ["red", "green", "blue"]
    return [f"band {number}" for number in range(1, bands + 1)]
