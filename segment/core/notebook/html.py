"""Results as HTML: a table of classes beside a picture."""

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

_SHOWN = 480  # pixels, longest side of a picture, which is enlarged below half of that
_TABLE = "border-collapse:collapse;margin:0;color:inherit"
_CELL = "padding:2px 8px;text-align:left;white-space:nowrap"
_NUMBER = "padding:2px 8px;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"


def result_html(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    colors: Sequence[str] = (),
    picture: NDArray[np.uint8] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Formats a result as HTML that needs nothing else, in the colours of the notebook.

    Args:
        title: Line above the table.
        header: Headings of the columns; all but the first are aligned to the right.
        rows: Cells of each row.
        colors: "#RRGGBB" for each row; by default rows have none.
        picture: RGB, (rows, columns, 3) uint8, shown beside the table, 240 to 480 pixels large.
        notes: Lines below the table.

    Returns:
        The HTML.
    """
    cells = [
        "".join(
            f'<{tag} style="{_NUMBER if i else _CELL}">{cell}</{tag}>' for i, cell in enumerate(row)
        )
        for tag, row in [
            ("th", [escape(name) for name in header]),
            *(("td", _with_color(row, colors, i)) for i, row in enumerate(rows)),
        ]
    ]
    table = "".join(f"<tr>{row}</tr>" for row in cells)
    lines = "".join(f"<div>{escape(note)}</div>" for note in notes)
    image = "" if picture is None else f'<div style="flex:none">{_image(picture)}</div>'
    return (
        f'<div><div style="margin-bottom:4px"><b>{escape(title)}</b></div>'
        '<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start">'
        f'{image}<table style="{_TABLE}">{table}</table></div>'
        f'<div style="margin-top:4px;max-width:60em">{lines}</div></div>'
    )


def _with_color(row: Sequence[str], colors: Sequence[str], index: int) -> list[str]:
    first, *others = map(escape, row)
    if colors:
        square = f"background:{colors[index]};border:1px solid #888;display:inline-block"
        first = f'<span style="{square};width:0.8em;height:0.8em"></span> {first}'
    return [first, *others]


def _image(picture: NDArray[np.uint8]) -> str:
    height, width = picture.shape[:2]
    longest = max(height, width)
    factor = _SHOWN / longest if longest > _SHOWN else max(_SHOWN // 2 // longest, 1)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    # pixels, such as cells, stay sharp; what is reduced is as small as a photograph
    way, kind = (cv2.INTER_AREA, "jpeg") if factor < 1 else (cv2.INTER_NEAREST, "png")
    shown = cv2.resize(picture, size, interpolation=way)
    _, encoded = cv2.imencode(f".{kind}", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
    text = base64.b64encode(encoded.tobytes()).decode()
    return f'<img src="data:image/{kind};base64,{text}" style="max-width:100%" alt="map">'
