"""Reports as single HTML pages without external files."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.outputs import staged
from segment.core.reports.figures import encode_figure
from segment.core.reports.tables import facts_html, table_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = Path(__file__).with_name("page.css")
_QUALITIES = range(90, 20, -10)  # of JPEG


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
        self._parts.append(table_html(header, rows, colors))

    def facts(self, rows: Sequence[tuple[str, object]]) -> None:
        """Adds a table of names and values, without a header.

        Args:
            rows: Name and value of each fact, formatted with `format_number`.
        """
        self._parts.append(facts_html(rows))

    def items(self, texts: Sequence[str]) -> None:
        """Adds a list.

        Args:
            texts: Plain text of each item.
        """
        lines = "\n".join(f"<li>{html.escape(text)}</li>" for text in texts)
        self._parts.append(f"<ul>{lines}</ul>")

    def warning(self, text: str) -> None:
        """Adds a paragraph that cannot be overlooked.

        Args:
            text: Plain text.
        """
        self._parts.append(f'<p class="finding"><b>{html.escape(text)}</b></p>')

    def figure(self, figure: "Figure", caption: str, photographs: bool = False) -> None:
        """Adds a figure, embedded in the page.

        Args:
            figure: Figure of matplotlib.
            caption: Text below the figure, also for readers who cannot see it.
            photographs: Whether the figure shows photographs. It then becomes a JPEG, a fifth of
                the size of a PNG.
        """
        kind = "jpeg" if photographs else "png"
        self.image(encode_figure(figure, kind), kind, caption)

    def image(self, encoded: bytes, kind: str, caption: str, alt: str | None = None) -> None:
        """Adds an image that is encoded already, embedded in the page.

        Args:
            encoded: Content of an image file.
            kind: "png" or "jpeg".
            caption: Text below the image, also for readers who cannot see it.
            alt: Text for these readers, where it differs, as in `picture`.
        """
        data, text = base64.b64encode(encoded).decode(), html.escape(caption)
        image = f'<img alt="{html.escape(alt or caption)}" src="data:image/{kind};base64,{data}">'
        self._parts.append(
            f'<p>{image}</p><p class="note">{text}</p>'
            if alt is None
            else f"<figure>{image}<figcaption>{text}</figcaption></figure>"
        )

    def picture(
        self, pixels: NDArray[np.uint8], caption: str, alt: str | None = None, most: int = 10**9
    ) -> None:
        """Adds an image, embedded in the page pixel by pixel.

        Args:
            pixels: RGB (rows, columns, 3) uint8.
            caption: Text below the image, also for readers who cannot see it.
            alt: Text for these readers, where it differs. Where the screen is wide enough,
                what follows the image is then beside it.
            most: Bytes that the image should take at most; its quality is lowered for them.
        """
        import cv2

        turned = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        for quality in (95, *_QUALITIES):
            encoded = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            if len(encoded) <= most:
                break
        self.image(encoded.tobytes(), "jpeg", caption, alt)

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
            f' content="width=device-width"><style>{_STYLE.read_text()}</style></head><body><main>'
            + "\n".join(self._parts)
            + "</main></body></html>\n"
        )
        with staged(path, overwrite=True) as partial:
            partial.write_text(page, encoding="utf-8")


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


def training_report(title: str, facts: Sequence[tuple[str, object]], curves: bytes) -> Report:
    """Creates the beginning of a report on a training: facts and curves.

    Args:
        title: Title of the page.
        facts: Names and values for the table of facts.
        curves: Content of a PNG with the curves of the training.

    Returns:
        The report, to which more can be added.
    """
    report = Report(title)
    report.table(("Run", ""), facts)
    report.heading("Curves")
    report.image(curves, "png", "Loss, validation scores and learning rate by epoch.")
    return report
