"""Counts of pixels that a model was trained on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.model.record import NEW
from segment.core.splits import PARTS, Part


class Familiarity:
    """Counts how many of the scored pixels a model was trained on."""

    def __init__(self, kind: str | None = "tiles"):
        """Starts without pixels.

        Args:
            kind: Unit that is counted besides pixels, in the plural; None for pixels only.
        """
        self._kind, self._count = kind, 0
        self._pixels, self._each = (np.zeros(NEW + 1, np.int64) for _ in range(2))

    def add(self, codes: NDArray[np.uint8], scored: NDArray[np.bool_] | None = None) -> None:
        """Adds a tile, an image or a section of a scene.

        Args:
            codes: Code of each pixel as from `TrainingRecord.cover`, any shape, uint8.
            scored: Whether each pixel is scored, in the same shape. By default all are.
        """
        counts = np.bincount(
            (codes if scored is None else codes[scored]).ravel(), minlength=NEW + 1
        )
        self._pixels += counts
        self._each += counts > 0
        self._count += 1

    def of(self, part: Part) -> dict[str, Any]:
        """Counts the scored pixels that belonged to a part of the training data.

        Args:
            part: Part of the training data.

        Returns:
            Under "pixels" their number, under "share" their share of all scored pixels, and under
            the name of the unit, if there is one, the number of tiles or images that hold them.
        """
        pixels, each = (int(counts[PARTS.index(part)]) for counts in (self._pixels, self._each))
        found = {"pixels": pixels, "share": pixels / max(int(self._pixels.sum()), 1)}
        return found if self._kind is None else found | {self._kind: each}

    @property
    def report(self) -> dict[str, Any]:
        """Entries for report.json: the counts for training and validation."""
        return {"trained_on": self.of("train"), "validated_on": self.of("val")}

    def __str__(self) -> str:
        """Returns a sentence; empty where no scored pixel was in training or validation data."""
        sentences = []
        uses: dict[Part, str] = {"train": "were trained on", "val": "chose the epoch (validation)"}
        for part, use in uses.items():
            found = self.of(part)
            if found["pixels"]:
                where = (
                    ""
                    if self._kind is None
                    else f" in {found[self._kind]:,} of {self._count:,} {self._kind}"
                )
                share = f"{100 * found['share']:.3g} %"
                sentences.append(
                    f"{found['pixels']:,} of {int(self._pixels.sum()):,} scored pixels"
                    f" ({share}){where} {use}"
                )
        return " and ".join(sentences) + ": scores are too high" if sentences else ""


UNKNOWN: dict[str, Any] = {"trained_on": None, "validated_on": None}
"""Entries for report.json of a model without a record."""
