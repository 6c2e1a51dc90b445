"""Summary of an exploration: what is known of labelled images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segment.core.exploration.summary import Summary
from segment.core.splits import PARTS


@dataclass(frozen=True, kw_only=True)
class ImageSummary(Summary):
    """What is known of labelled images.

    Attributes:
        unusable: Why images cannot be used, by path.
    """

    labels = "labels"

    unusable: Mapping[str, str]

    @property
    def parts(self) -> dict[str, int]:
        """Number of images that are assigned to each part."""
        return {part: sum(image.part == part for image in self.images) for part in PARTS}

    @property
    def figures(self) -> dict[str, Any]:
        """Content of report.json, except for the findings."""
        distances = self.distances
        return super().figures | {
            "images": len(self.images) + len(self.unusable),
            "usable": len(self.images),
            "unusable": dict(self.unusable),
            "classes": dict(zip(self.class_table.names, self.class_counts.tolist(), strict=True)),
            "parts": self.parts,
            "ground_sampling_distance": (
                [min(distances), float(np.median(distances)), max(distances)] if distances else None
            ),
        }
