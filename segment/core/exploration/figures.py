"""Figures about data: amounts, distributions and similarity."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.components import Components
from segment.core.reports.figures import shorten_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMED = 20  # labels that a legend can distinguish
_MARKERS = "os^Dvp*"  # so that labels are distinguished without their colours


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
        color = known.get(name, f"C{band % 10}")
        lines.append(axes.stairs(share, edges, color=color, lw=1.4))
    axes.set_xlabel("pixel value")
    axes.set_ylabel("share of pixels")
    axes.grid(alpha=0.3)
    _name(axes, lines, names, ncols=1 + len(names) // 8)
    return figure


def plot_scatter(
    components: Components,
    labels: Sequence[str],
    colors: Mapping[str, str],
    named: Mapping[int, str],
) -> "Figure":
    """Plots images along the first two principal components, by label.

    Args:
        components: Principal components of the images.
        labels: Label of each image.
        colors: Colour of each label. Labels beyond the first 20 have no entry in the legend.
        named: Names written beside images, by row.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 6), layout="constrained")
    axes = figure.subplots()
    places = np.pad(components.positions, ((0, 0), (0, 1)))[:, :2]  # there may be one component
    shares = [*components.ratios, 0.0]
    drawn: dict[str, Any] = {}
    names = np.array(labels)
    for number, (name, color) in enumerate(colors.items()):
        rows = np.flatnonzero(names == name)
        if len(rows):
            marker = _MARKERS[number % len(_MARKERS)]
            x, y = places[rows].T
            points = axes.scatter(x, y, s=24, marker=marker, color=color, alpha=0.7, lw=0)
            drawn[name] = points
    for row, name in named.items():
        axes.annotate(
            name,
            places[row],
            xytext=(5, 5),
            textcoords="offset points",
            fontsize=8,
            parse_math=False,
        )
        axes.plot(*places[row], "o", ms=10, mfc="none", mec="black", mew=0.8)
    axes.set_xlabel(f"first component, {shares[0]:.0%} of the variance")
    axes.set_ylabel(f"second component, {shares[1]:.0%} of the variance")
    axes.grid(alpha=0.3)
    _name(axes, [*drawn.values()][:_NAMED], [shorten_name(name) for name in drawn][:_NAMED])
    return figure


def _name(axes: "Axes", artists: Sequence[Any], names: Sequence[str], ncols: int = 1) -> None:
    """Adds a legend with any names.

    matplotlib would leave out names that begin with an underscore, and read $ as mathematics.
    """
    numbers = [str(number) for number in range(len(names))]
    legend = axes.legend(artists, numbers, fontsize=8, ncols=ncols)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
