"""Maps of images in memory: labels, probabilities, and how notebooks show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.maps.class_picture import plot_classes
from segment.core.maps.scene_outputs import note_lines
from segment.core.notebook.html import result_html
from segment.core.reports.map_pictures import overlay_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = 1024
"""Longest side in pixels of the photograph that a map is shown over."""


@dataclass(frozen=True, repr=False, eq=False)
class ImageMap:
    """The map of an image in memory; prints as a short table.

    Attributes:
        labels: Class values, (rows, columns) uint8; 255 where nodata. For a DataArray, a DataArray
            on the same grid.
        probabilities: Class probabilities, (rows, columns, classes) float32; NaN where nodata. For
            a DataArray, a DataArray with the dimensions class, y and x. None if they were not asked
            for.
        class_table: Class table of the map.
        notes: What was assumed, and what was done to the image.
        photograph: The image for display, (height, width, 3) uint8, at most 1,024 pixels large.
    """

    labels: Any
    probabilities: Any
    class_table: ClassTable
    notes: Sequence[str]
    photograph: NDArray[np.uint8]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the probabilities."""
        return self.class_table.names

    @property
    def values(self) -> dict[str, int]:
        """Value in the labels of each class, by its name."""
        return {c.name: int(c.value or 0) for c in self.class_table.mapped}

    @cached_property
    def pixels(self) -> dict[str, int]:
        """Number of pixels of each class, by its name."""
        counts = np.bincount(np.asarray(self.labels).ravel(), minlength=256)
        return {name: int(counts[value]) for name, value in self.values.items()}

    @property
    def shares(self) -> dict[str, float]:
        """Share of the valid pixels that each class takes, by its name."""
        total = max(sum(self.pixels.values()), 1)
        return {name: pixels / total for name, pixels in self.pixels.items()}

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draws the map over the image, with a legend.

        Args:
            axes: Axes of Matplotlib to draw on; by default those of a new figure.

        Returns:
            The axes.
        """
        colors = {c.name: c.map_color for c in self.class_table.classes}
        return plot_classes(self._picture(), colors, self.pixels, self._title(), axes)

    def __repr__(self) -> str:
        longest = max(map(len, self.classes))
        lines = [
            f"  {name:<{longest}}  {_percent(share):>7}" for name, share in self.shares.items()
        ]
        return "\n".join([self._title(), *lines, *note_lines(self.notes)])

    def _repr_html_(self) -> str:
        rows = [
            (name, str(self.values[name]), _percent(self.shares[name]), f"{self.pixels[name]:,}")
            for name in self.classes
        ]
        return result_html(
            self._title(),
            ("class", "value", "share", "pixels"),
            rows,
            colors=[c.map_color for c in self.class_table.classes],
            picture=self._picture(),
            notes=self.notes,
        )

    def _title(self) -> str:
        rows, columns = self.labels.shape
        return f"Land cover of {columns} x {rows} pixels"

    def _picture(self) -> NDArray[np.uint8]:
        shown = self.photograph
        height, width = shown.shape[:2]
        labels = np.asarray(self.labels)
        rows, columns = (
            np.arange(seen) * size // seen
            for seen, size in zip((height, width), labels.shape, strict=True)
        )
        indices = self.class_table.indices(labels[np.ix_(rows, columns)])
        shown = np.where((indices == IGNORED)[..., None], np.uint8(235), shown)
        return overlay_classes(shown, indices, self.class_table)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
