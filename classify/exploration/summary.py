"""Results of an exploration, as figures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.images import Collection, LabelledImage
from classify.exploration.image_statistics import Header, ImageStatistics
from segment.core.pixels.components import Components, find_outliers
from segment.core.pixels.near_duplicates import Twins, find_twins
from segment.core.splits import PARTS


def disagree(twins: Twins[LabelledImage]) -> bool:
    """Returns whether two duplicate images have different labels.

    Args:
        twins: A pair of images.

    Returns:
        True if the labels differ.
    """
    return twins.first.labels != twins.second.labels


@dataclass(frozen=True)
class ImageSummary:
    """A collection with everything that was found out about it.

    Components are those of the usable images, in their order.

    Attributes:
        collection: Images and their classes.
        headers: Headers by position.
        looks: Image statistics.
        components: Principal components of the pixels; None if there are too few images.
        features: Principal components of a classifier's features; None if there are too few images
            or the classifier does not take them.
        without_features: Why the classifier does not take the images; else None.
    """

    collection: Collection
    headers: Mapping[int, Header]
    looks: ImageStatistics
    components: Components | None
    features: Components | None
    without_features: str | None = None

    @cached_property
    def usable(self) -> list[LabelledImage]:
        """Images that can be used."""
        return [self.collection.images[position] for position in self.looks.usable]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of usable images of each class, (classes,) int64."""
        labels = [label for image in self.usable for label in image.labels]
        return np.bincount(np.array(labels, np.int64), minlength=len(self.collection.class_table))

    @cached_property
    def twins(self) -> list[Twins[LabelledImage]]:
        """Usable images that resemble an earlier one, each with that image."""
        return find_twins(self.usable, self.looks.prints)

    @cached_property
    def outliers(self) -> list[LabelledImage]:
        """Images unlike all others, by their features or, without features, by their pixels."""
        told = self.features or self.components
        return [self.usable[row] for row in find_outliers(told)] if told else []

    @cached_property
    def figures(self) -> dict[str, Any]:
        """Content of report.json, except for the checks."""
        headers = [self.headers[position] for position in self.looks.usable]
        distances = [header.gsd for header in headers if header.gsd is not None]
        values, names = self.looks.values, self.collection.class_table.names
        return {
            "images": len(self.collection.images),
            "usable": len(headers),
            "unusable": {
                str(self.collection.images[i].path): problem
                for i, problem in self.looks.problems.items()
            },
            "classes": dict(zip(names, self.counts.tolist(), strict=True)),
            "parts": {part: sum(image.part == part for image in self.usable) for part in PARTS},
            "bands": self.looks.kind[0],
            "dtype": self.looks.kind[1],
            "sizes": {
                f"{w}x{h}": n
                for (w, h), n in Counter((h.width, h.height) for h in headers).most_common()
            },
            "ground_sampling_distance": (
                [min(distances), float(np.median(distances)), max(distances)] if distances else None
            ),
            "band_mean": values.mean(axis=0, dtype=np.float64).tolist(),
            "band_deviation": values.std(axis=0, dtype=np.float64).tolist(),
            "explained_variance": _ratios(self.components),
            "explained_variance_of_features": _ratios(self.features),
            "without_features": self.without_features,
            "duplicates": [
                {
                    "images": [str(twins.first.path), str(twins.second.path)],
                    "exact": twins.exact,
                    "same_labels": not disagree(twins),
                }
                for twins in self.twins
            ],
            "outliers": [str(image.path) for image in self.outliers],
        }


def _ratios(components: Components | None) -> list[float] | None:
    return None if components is None else components.ratios.tolist()
