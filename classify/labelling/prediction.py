"""Prediction: the labels of one image, with their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segment.core.errors import InputError, printable
from segment.core.notebook.axes import new_axes
from segment.core.notebook.html import result_html

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Prediction:
    """Labels of one image.

    Attributes:
        image: Name of the image.
        labels: Most probable classes and their probabilities, the most probable first.
        given: Labels that the image is given: the most probable one or, with several labels, those
            that reach their thresholds; "unsure" where the model doubts that any applies.
        problem: Why there are no labels, if the image cannot be used; else None.
        notes: Remarks on how the image was read.
        unsure: Whether the image may show none of the model's classes, see `Doubt`.
    """

    image: str
    labels: list[tuple[str, float]]
    given: list[str]
    problem: str | None = None
    notes: tuple[str, ...] = ()
    unsure: bool = False

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draws the probabilities as bars, those of given labels in blue.

        Args:
            axes: Axes of Matplotlib to draw on; by default those of a new figure.

        Returns:
            The axes.

        Raises:
            InputError: If the image has no labels.
        """
        if self.problem is not None:
            raise InputError(self.problem)
        axes = new_axes(axes, (6, 0.8 + 0.35 * len(self.labels)))
        names, probabilities = zip(*reversed(self.labels), strict=True)
        colors = ["#4878a8" if name in self.given else "0.7" for name in names]
        bars = axes.barh(range(len(names)), probabilities, color=colors)
        axes.bar_label(bars, fmt="%.3f", padding=3)
        axes.set_yticks(range(len(names)), names, parse_math=False)
        axes.set_xlim(0, 1.12)
        axes.set_xlabel("probability")
        title = printable(f"{self.image}: unsure" if self.unsure else self.image)
        axes.set_title(title, fontsize=10, parse_math=False)
        return axes

    def _repr_html_(self) -> str:
        rows = [
            (name, f"{probability:.3f}", "yes" if name in self.given else "")
            for name, probability in self.labels
        ]
        notes = [] if self.problem is None else [self.problem]
        title = printable(f"{self.image}: unsure" if self.unsure else self.image)
        return result_html(title, ("label", "probability", "given"), rows, notes=notes)

    def __str__(self) -> str:
        doubt = "unsure  " if self.unsure else ""
        return self.problem or f"{printable(self.image)}  {doubt}{describe(self.labels)}"


def describe(labels: Sequence[tuple[str, float]]) -> str:
    """Formats labels with their probabilities in one line.

    Args:
        labels: Class names and probabilities.

    Returns:
        The line.
    """
    return "  ".join(f"{name} {probability:.3f}" for name, probability in labels)
