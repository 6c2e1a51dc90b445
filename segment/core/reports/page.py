"""Reports as single HTML pages without external files."""

import base64
import html
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.outputs import staged
from segment.core.reports.figures import plot_history

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222;
  max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; } img { max-width: 100%; }
.swatch { display: inline-block; width: .9em; height: .9em; margin-right: .4em;
  border: 1px solid #0003; vertical-align: -.1em; }
.note { color: #666; }
.finding { margin: .8rem 0; padding: .5rem .9rem;
  border-left: .3rem solid #d08c2a; background: #faf6ef; }
"""


@dataclass(frozen=True)
class Finding:
    """Result of a check of data that the user should know about.

    Attributes:
        what: What was found.
        meaning: What it means for a model.
        cure: What to do about it.
    """

    what: str
    meaning: str
    cure: str

    def __str__(self) -> str:
        return f"{self.what} {self.meaning} {self.cure}"


class Report:
    """HTML page that is built from top to bottom.

    Args:
        title: Title of the page.
    """

    def __init__(self, title: str):
        self._title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Adds a heading.

        Args:
            text: Plain text.
        """
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """Adds a paragraph.

        Args:
            text: Plain text.
        """
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[object]],
        colors: Sequence[str] | None = None,
    ) -> None:
        """Adds a table.

        Args:
            header: Titles of the columns.
            rows: Cells of each row, formatted with `format_number`.
            colors: "#RRGGBB" for each row, shown as a swatch in its first cell.
        """
        lines = ["<tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in header) + "</tr>"]
        for i, row in enumerate(rows):
            cells = [html.escape(format_number(cell)) for cell in row]
            if colors:
                cells[0] = f'<span class="swatch" style="background:{colors[i]}"></span>{cells[0]}'
            lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        self._parts.append("<table>" + "\n".join(lines) + "</table>")

    def figure(self, figure: "Figure", caption: str, photographs: bool = False) -> None:
        """Adds a figure, embedded in the page.

        Args:
            figure: Figure of matplotlib.
            caption: Text below the figure, also for readers who cannot see it.
            photographs: Whether the figure shows photographs. It then becomes a JPEG, a fifth of
                the size of a PNG.
        """
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            # one warning for each letter that the font lacks
            warnings.filterwarnings("ignore", "Glyph")
            kind = "jpeg" if photographs else "png"
            figure.savefig(buffer, format=kind, dpi=110, bbox_inches="tight")
        self._image(buffer.getvalue(), kind, caption)

    def _image(self, encoded: bytes, kind: str, caption: str) -> None:
        data, text = base64.b64encode(encoded).decode(), html.escape(caption)
        self._parts.append(
            f'<p><img alt="{text}" src="data:image/{kind};base64,{data}"></p><p'
            f' class="note">{text}</p>'
        )

    def picture(self, pixels: NDArray[np.uint8], caption: str) -> None:
        """Adds an image, embedded in the page pixel by pixel.

        Args:
            pixels: RGB (rows, columns, 3) uint8.
            caption: Text below the image, also for readers who cannot see it.
        """
        import cv2

        encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1]
        self._image(encoded.tobytes(), "jpeg", caption)

    def findings(self, found: Sequence["Finding"]) -> None:
        """Adds results of checks: what was found, what it means and what to do.

        Args:
            found: The results. If there are none, a sentence replaces them.
        """
        if not found:
            self.text("No problems found.")
        for finding in found:
            lines = (
                f"<b>{html.escape(finding.what)}</b>",
                html.escape(finding.meaning),
                f"→ {html.escape(finding.cure)}",
            )
            self._parts.append(f'<div class="finding">{"<br>".join(lines)}</div>')

    def write(self, path: Path) -> None:
        """Writes the page, completely or not at all.

        Args:
            path: HTML file. An existing file is replaced.

        Raises:
            InputError: As in `staged`.
        """
        page = (
            '<!doctype html><html lang="en"><head><meta'
            f' charset="utf-8"><title>{html.escape(self._title)}</title><meta name="viewport"'
            f' content="width=device-width"><style>{_STYLE}</style></head><body>'
            + "\n".join(self._parts)
            + "</body></html>\n"
        )
        with staged(path, overwrite=True) as partial:
            partial.write_text(page, encoding="utf-8")


def format_number(value: object) -> str:
    """Formats a value for a table cell.

    Args:
        value: Value of any type.

    Returns:
        Three decimals for fractions, thousands separators for whole numbers, a dash for None.
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


REPORT_FILES = REPORT_FILE, PAGE_FILE = "report.json", "report.html"


def write_report_folder(
    output: Path, figures: Mapping[str, Any], page: Report, overwrite: bool
) -> None:
    """Writes a folder with report.json and report.html, completely or not at all.

    Args:
        output: Folder to write.
        figures: Content of report.json.
        page: Content of report.html.
        overwrite: Whether an existing report folder may be replaced.

    Raises:
        InputError: As in `staged`.
    """
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
    """Creates the beginning of a report on a training: facts and curves.

    Args:
        title: Title of the page.
        facts: Names and values for the table of facts.
        history: Rows of values, as in `plot_history`.
        panels: Columns by panel, as in `plot_history`.

    Returns:
        The report, to which more can be added.
    """
    report = Report(title)
    report.table(("Run", ""), facts)
    report.heading("Curves")
    report.figure(
        plot_history(history, panels), "Loss, validation scores and learning rate by epoch."
    )
    return report
