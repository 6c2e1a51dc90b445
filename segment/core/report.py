"""Reports as one HTML page that needs nothing from outside, and the figures both packages put there."""

import base64
import html
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.output import staged

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; } th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; } img { max-width: 100%; }
.swatch { display: inline-block; width: .9em; height: .9em; margin-right: .4em; border: 1px solid #0003; vertical-align: -.1em; }
.note { color: #666; }
"""


_NUMBERED = 20  # classes of a confusion matrix whose shares are written out


class Report:
    """A page that is put together from top to bottom."""

    def __init__(self, title: str):
        self._title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]], colors: Sequence[str] | None = None) -> None:
        """colors: "#RRGGBB" per row, shown as a swatch before its first cell."""
        lines = ["<tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in header) + "</tr>"]
        for i, row in enumerate(rows):
            cells = [html.escape(format_number(cell)) for cell in row]
            if colors:
                cells[0] = f'<span class="swatch" style="background:{colors[i]}"></span>{cells[0]}'
            lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        self._parts.append("<table>" + "\n".join(lines) + "</table>")

    def figure(self, figure: "Figure", caption: str) -> None:
        """The figure as it is, within the page, under words for those who cannot see it."""
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # of letters that the font lacks, a line each
            figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
        data = base64.b64encode(buffer.getvalue()).decode()
        text = html.escape(caption)
        self._parts.append(f'<p><img alt="{text}" src="data:image/png;base64,{data}"></p><p class="note">{text}</p>')

    def write(self, path: Path) -> None:
        """Writes the page, whole or not at all."""
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(self._title)}</title>'
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
            + "\n".join(self._parts)
            + "</body></html>\n"
        )
        with staged(path, overwrite=True) as partial:
            partial.write_text(page, encoding="utf-8")


def format_number(value: object) -> str:
    """A table cell: three digits for fractions, thousands apart for counts, a dash for what does not exist."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


REPORT_FILES = REPORT_FILE, PAGE_FILE = "report.json", "report.html"


def write_report_folder(output: Path, figures: Mapping[str, Any], page: Report, overwrite: bool) -> None:
    """Writes a folder of report.json and report.html, whole or not at all."""
    with staged(output, overwrite, REPORT_FILES) as folder:
        folder.mkdir()
        (folder / REPORT_FILE).write_text(json.dumps(figures, indent=2))
        page.write(folder / PAGE_FILE)


def training_report(
    title: str,
    facts: Sequence[tuple[str, object]],
    history: Sequence[dict[str, float]],
    panels: Mapping[str, Sequence[str]],
) -> Report:
    """The beginning of a training's report: facts and curves. panels: see `plot_history`."""
    report = Report(title)
    report.table(("Run", ""), facts)
    report.heading("Curves")
    report.figure(plot_history(history, panels), "Loss, validation scores and learning rate by epoch.")
    return report


def plot_history(history: Sequence[dict[str, float]], panels: Mapping[str, Sequence[str]]) -> "Figure":
    """Curves over the epochs, one panel per title, which names the columns drawn in it."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(5 * len(panels), 3.4), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axes, (title, columns) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for column in columns:
            axes.plot(epochs, [row[column] for row in history], marker=".", label=column.replace("_", " "))
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def plot_confusion(matrix: NDArray[np.int64], names: Sequence[str]) -> "Figure":
    """A confusion matrix (classes, classes), rows truth, as shares of each row; many classes are told by colour alone."""
    from matplotlib.figure import Figure

    few = len(names) <= _NUMBERED

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = 2.2 + (0.65 if few else 0.28) * len(names)
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape) if few else ():
        shade = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", color=shade, fontsize=9)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    return figure


def displayable(pixels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Pixels (rows, columns, bands) as RGB (rows, columns, 3) uint8 to look at: the first three bands, or the first as grey.

    8 bits stay as they are; in other depths each band is stretched from the 2nd to the 98th percentile of its
    valid (rows, columns) and finite values.
    """
    shown: NDArray[Any] = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
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
