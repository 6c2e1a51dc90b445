"""Figures that the reports of both packages share."""

import io
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from segment.core.model.calibration import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBERED = 20  # largest number of classes whose shares are written into a confusion matrix


def plot_history(
    history: Sequence[dict[str, float]], panels: Mapping[str, Sequence[str]]
) -> "Figure":
    """Plots curves over the epochs.

    Args:
        history: A row of values by column for each epoch, with the column "epoch".
        panels: Columns drawn in each panel, by the title of the panel.

    Returns:
        The figure, with the panels side by side.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(5 * len(panels), 3.4), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axes, (title, columns) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for column in columns:
            axes.plot(
                epochs, [row[column] for row in history], marker=".", label=column.replace("_", " ")
            )
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def plot_confusion(
    matrix: NDArray[np.int64],
    names: Sequence[str],
    labels: Sequence[str] | None = None,
    axes: "Axes | None" = None,
) -> "Figure":
    """Plots a confusion matrix as shares of each row.

    With more than 20 classes the shares are shown by colour only, without numbers.

    Args:
        matrix: Counts (labels, classes); rows are the reference, columns the predictions.
        names: Names of the classes.
        labels: Names of the rows; by default those of the classes.
        axes: Axes to draw on; by default those of a new figure.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    labels = labels or names
    if axes is None:
        figure = Figure(figsize=confusion_size(names, labels), layout="constrained")
        axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape) if len(names) <= _NUMBERED else ():
        shade = "white" if shares[row, column] > 0.5 else "black"
        axes.text(
            column,
            row,
            f"{shares[row, column]:.2f}",
            ha="center",
            va="center",
            color=shade,
            fontsize=9,
        )
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", parse_math=False)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("reference")
    return cast("Figure", axes.figure)


def confusion_size(names: Sequence[str], labels: Sequence[str]) -> tuple[float, float]:
    """Chooses the size of a figure of a confusion matrix.

    Args:
        names: Names of the classes.
        labels: Names of the rows.

    Returns:
        Width and height in inches.
    """
    cell = 0.65 if len(names) <= _NUMBERED else 0.28
    return 3 + cell * len(names), 2.2 + cell * len(labels)


def plot_reliability(found: Reliability) -> "Figure":
    """Plots how often predictions of each probability are correct, above their number.

    Args:
        found: Counts per bin of probability.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    shorten = EngFormatter(sep="")
    bins = len(found.counts)
    centres, filled = (np.arange(bins) + 0.5) / bins, found.counts > 0
    mean, share, counts = found.mean[filled], found.share[filled], found.counts[filled]
    figure = Figure(figsize=(6, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(centres[filled], share, 1 / bins, color="#a9c4de", edgecolor="white", label="correct")
    upper.plot(mean, mean, "_", color="#c44e52", ms=14, mew=2, label="mean probability")
    upper.plot([0, 1], [0, 1], "--", color="0.2", lw=1, label="perfectly calibrated")
    upper.set_ylabel("share of correct predictions")
    upper.set_ylim(0, 1.02)
    upper.set_title(f"Expected calibration error {found.error:.3f}")
    upper.grid(alpha=0.3)
    upper.legend(loc="upper left", fontsize=9)
    lower.bar(centres[filled], counts, 1 / bins, color="0.6", edgecolor="white")
    for centre, count in zip(centres[filled], counts, strict=True):
        lower.text(
            centre, count, shorten(float(f"{count:.3g}")), ha="center", va="bottom", fontsize=7
        )
    lower.set_xlim(0, 1)
    lower.margins(y=0.2)
    lower.yaxis.set_major_formatter(shorten)
    lower.set_xlabel("probability of the prediction")
    lower.set_ylabel("predictions")
    return figure


def encode_figure(figure: "Figure", kind: str = "png") -> bytes:
    """Draws a figure.

    Args:
        figure: Figure of matplotlib.
        kind: "png" or "jpeg".

    Returns:
        Content of an image file.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # one warning for each letter that the font lacks
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(buffer, format=kind, dpi=110, bbox_inches="tight")
    return buffer.getvalue()


def displayable(pixels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Converts pixels to RGB for display: the first three bands, or the first band as grey.

    8-bit pixels are not changed. In other bit depths each band is stretched from the 2nd to the
    98th percentile of its valid and finite values.

    Args:
        pixels: Image (rows, columns, bands).
        valid: Mask (rows, columns) of valid pixels; by default all are valid.

    Returns:
        RGB (rows, columns, 3) uint8.
    """
    shown: NDArray[Any] = (
        pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    )
    if shown.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    seen = np.ones(shown.shape[:2], bool) if valid is None else valid
    return np.stack([_stretch(shown[..., band], seen) for band in range(3)], axis=2)


def _stretch(band: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    seen = band[valid & np.isfinite(band)]
    low, high = np.percentile(seen, (2, 98)) if len(seen) else (0, 1)
    scaled = (band.astype(np.float32) - low) * (255 / max(high - low, 1e-6))
    stretched: NDArray[np.uint8] = np.nan_to_num(scaled).clip(0, 255).astype(np.uint8)
    return stretched


def plot_gallery(
    images: Sequence[NDArray[np.uint8]], titles: Sequence[str], columns: int = 5
) -> "Figure":
    """Plots images in a grid, each under its title.

    Args:
        images: RGB images (rows, columns, 3) uint8 of any sizes.
        titles: Title of each image; long lines are wrapped.
        columns: Largest number of columns of the grid.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    columns = max(min(columns, len(images)), 1)
    rows = max(-(-len(images) // columns), 1)
    tallest = max((image.shape[0] / image.shape[1] for image in images), default=1)
    height = 2.3 * min(max(tallest, 0.5), 2.2) + 0.4
    figure = Figure(figsize=(2.3 * columns, height * rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in cells[len(images) :]:
        axes.axis("off")
    for axes, image, title in zip(cells, images, titles, strict=False):
        axes.imshow(image)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("0.8")  # white pictures have edges, too
        lines = [part for line in title.splitlines() for part in textwrap.wrap(line, 30)]
        axes.set_title("\n".join(lines), fontsize=8, parse_math=False)
    return figure


def shorten_name(name: str) -> str:
    """Shortens the name of a class for a legend.

    Args:
        name: Name of a class.

    Returns:
        The name, or its beginning and end if it is longer than 32 characters.
    """
    return name if len(name) <= 32 else f"{name[:20]}…{name[-11:]}"
