"""How notebooks show scores: the confusion matrix, and a table of the classes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from segment.core.notebook.axes import new_axes
from segment.core.notebook.html import result_html
from segment.core.reports.figures import confusion_size, plot_confusion
from segment.scores import Confusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_scores(confusion: Confusion, axes: "Axes | None" = None) -> "Axes":
    """Draws a confusion matrix as shares of each class of the reference.

    Args:
        confusion: The scores.
        axes: Axes of Matplotlib to draw on; by default those of a new figure.

    Returns:
        The axes.
    """
    rows = confusion.labels.labels
    axes = new_axes(axes, confusion_size(confusion.names, rows))
    plot_confusion(confusion.matrix, confusion.names, rows, axes)
    return axes


def scores_html(title: str, confusion: Confusion, collections: Mapping[str, Confusion]) -> str:
    """Formats scores as HTML: a row for each class, and its Jaccard in each collection.

    Args:
        title: The scores of all classes in a line.
        confusion: Scores over all pixels.
        collections: Scores of each of several collections; empty where there is only one.

    Returns:
        The HTML.
    """
    report = confusion.report()
    pixels = confusion.matrix.sum(axis=1)[: len(confusion.names)]
    shares = pixels / max(confusion.matrix.sum(), 1)
    rows = [
        [
            name,
            _figure(report["jaccard"][name]),
            _figure(report["f1"][name]),
            f"{100 * share:.1f} %",
            *(_figure(float(found.jaccard[index])) for found in collections.values()),
        ]
        for index, (name, share) in enumerate(zip(confusion.names, shares, strict=True))
    ]
    header = ["class", "Jaccard", "F1", "share of reference", *collections]
    return result_html(title, header, rows)


def _figure(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.3f}"
