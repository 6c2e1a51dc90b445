"""Figures about data: amounts, distributions, similarity and appearance."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.exploration.image_statistics import EDGE
from segment.core.reports.figures import displayable, plot_gallery, shorten_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from segment.core.pixels.components import Components

_EIGEN_IMAGES = 12
_NAMED = 20  # classes that a legend can distinguish
_BLUE = "#4878a8"


def plot_amounts(
    amounts: Sequence[float], names: Sequence[str], colors: Sequence[str], unit: str
) -> "Figure":
    """Plots the amount of each class as bars.

    Args:
        amounts: Amount of each class.
        names: Names of the classes.
        colors: "#RRGGBB" for each class.
        unit: Label of the axis of amounts.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    figure = Figure(figsize=(7, 1.1 + 0.26 * len(names)), layout="constrained")
    axes = figure.subplots()
    rows = range(len(names))
    axes.barh(rows, amounts, color=colors, edgecolor="0.4", lw=0.5, height=0.75)
    axes.set_yticks(rows, names, fontsize=9, parse_math=False)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel(unit)
    axes.grid(axis="x", alpha=0.3)
    return figure


def plot_histograms(values: NDArray[np.floating[Any]], names: Sequence[str]) -> "Figure":
    """Plots the distribution of the values of each band as a line.

    The axis covers the values between the 0.1st and the 99.9th percentile of all bands. Red, green
    and blue are drawn in their colours.

    Args:
        values: Pixels (pixels, bands).
        names: Names of the bands.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    known = {"red": "#c44e52", "green": "#55a868", "blue": "#4c72b0"}
    finite = values[np.isfinite(values).all(axis=1)]
    low, high = np.percentile(finite, (0.1, 99.9)) if len(finite) else (0.0, 1.0)
    edges = np.linspace(low, max(high, low + 1e-6), 65)
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    lines = []
    for band, name in enumerate(names):
        share = np.histogram(finite[:, band], edges)[0] / max(len(finite), 1)
        lines.append(axes.stairs(share, edges, color=known.get(name), lw=1.4))
    axes.set_xlabel("pixel value")
    axes.set_ylabel("share of pixels")
    axes.grid(alpha=0.3)
    _name(axes, lines, names, ncols=1 + len(names) // 8)
    return figure


def plot_variance(ratios: NDArray[np.floating[Any]]) -> "Figure":
    """Plots the share of variance that principal components explain, singly and cumulatively.

    Args:
        ratios: Share of each component, (components,).

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    numbers = np.arange(1, len(ratios) + 1)
    axes.bar(numbers, ratios, color=_BLUE, label="each")
    axes.plot(numbers, np.cumsum(ratios), ".-", color="0.3", lw=1, label="together")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("principal component")
    axes.set_ylabel("share of the variance")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def plot_scatter(
    positions: NDArray[np.floating[Any]],
    labels: Sequence[int],
    names: Sequence[str],
    colors: Sequence[str],
    named: Mapping[int, str],
) -> "Figure":
    """Plots images along the first two principal components, in the colours of their classes.

    Args:
        positions: Coordinates (images, components), with one component or more.
        labels: Class index of each image.
        names: Names of the classes. Those beyond the first 20 have no entry in the legend.
        colors: Colour of each class.
        named: Names written beside images, by row.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 6), layout="constrained")
    axes = figure.subplots()
    second = positions[:, 1] if positions.shape[1] > 1 else np.zeros(len(positions))
    drawn: dict[str, Any] = {}
    for label, name in enumerate(names):
        rows = np.flatnonzero(np.asarray(labels) == label)
        if len(rows):
            points = axes.scatter(
                positions[rows, 0], second[rows], s=12, color=colors[label], alpha=0.65, lw=0
            )
            if label < _NAMED:
                drawn[name] = points
    for row, name in named.items():
        place = positions[row, 0], second[row]
        axes.annotate(
            name, place, fontsize=7, xytext=(3, 3), textcoords="offset points", parse_math=False
        )
        axes.plot(positions[row, 0], second[row], "o", ms=8, mfc="none", mec="black", mew=0.8)
    axes.set_xlabel("first component")
    axes.set_ylabel("second component")
    axes.grid(alpha=0.3)
    _name(
        axes,
        list(drawn.values()),
        [shorten_name(name) for name in drawn],
        markerscale=1.6,
        loc="best",
    )
    return figure


def _name(axes: "Axes", artists: Sequence[Any], names: Sequence[str], **options: Any) -> None:
    """Adds a legend with any names.

    matplotlib would leave out names that begin with an underscore, and read $ as mathematics.
    """
    legend = axes.legend(
        artists, [str(number) for number in range(len(names))], fontsize=8, **options
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def plot_eigen_images(components: "Components", rgb: Sequence[int] = (0, 1, 2)) -> "Figure":
    """Plots the leading components of images, each stretched over its own range.

    Args:
        components: Components of images of EDGE x EDGE pixels.
        rgb: Positions of the bands shown as red, green and blue.

    Returns:
        The figure.
    """
    images = [
        axis.reshape(EDGE, EDGE, -1).astype(np.float32) for axis in components.axes[:_EIGEN_IMAGES]
    ]
    shown = [
        displayable(image[..., list(rgb)] if image.shape[2] > max(rgb) else image)
        for image in images
    ]
    return plot_gallery(
        shown,
        [f"{number}: {ratio:.1%}" for number, ratio in enumerate(components.ratios, 1)],
        columns=6,
    )
