"""Tables of reports as HTML."""

import html
from collections.abc import Sequence

from segment.core.reports.legend import format_share


class Share(float):
    """A share, 0 to 1, which a table shows in percent, with a bar in the colour of its row."""

    def __str__(self) -> str:
        return format_share(self)


def table_html(
    header: Sequence[str], rows: Sequence[Sequence[object]], colors: Sequence[str] | None = None
) -> str:
    """Makes a table with a header.

    Args:
        header: Titles of the columns.
        rows: Cells of each row, formatted with `format_number`.
        colors: "#RRGGBB" for each row, shown as a swatch in its first cell.

    Returns:
        HTML of the table.
    """
    titles = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in header)
    lines = [f"<tr>{titles}</tr>"]
    for i, row in enumerate(rows):
        color = colors[i] if colors else "#777777"
        cells = [
            _bar(cell, color) if isinstance(cell, Share) else html.escape(format_number(cell))
            for cell in row
        ]
        if colors:
            cells[0] = f'<span class="swatch" style="background:{color}"></span>{cells[0]}'
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    # it can be scrolled, by keys too, where the screen is narrower
    kind = ' class="colored"' if colors else ""
    return f'<div class="wide" tabindex="0"><table{kind}>' + "\n".join(lines) + "</table></div>"


def facts_html(rows: Sequence[tuple[str, object]]) -> str:
    """Makes a table of names and values, without a header.

    Args:
        rows: Name and value of each fact, formatted with `format_number`.

    Returns:
        HTML of the table.
    """
    lines = [
        f'<tr><th scope="row">{html.escape(name)}</th>'
        f"<td>{html.escape(format_number(value))}</td></tr>"
        for name, value in rows
    ]
    return '<table class="facts">' + "\n".join(lines) + "</table>"


def _bar(share: Share, color: str) -> str:
    filled = f'<span style="width:{share:.2%};background:{color}"></span>'
    bar = f'<span class="bar" aria-hidden="true">{filled}</span>'
    return f'<span class="share">{bar}<span class="percent">{html.escape(str(share))}</span></span>'


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
