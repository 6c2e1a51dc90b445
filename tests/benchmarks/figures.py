"""Tables of figures in the pages, made from docs/results/figures/*.json.

Usage: python -m tests.benchmarks.figures

A file of figures has the columns of one table, and its rows. A row has its cells as templates
("{0.value:.2f}x", see `str.format`), and the figures that these show, in order. Each figure has
its name, its value or scores, and where these are from: command, date, machine. What all figures
of a file have in common is given once, beside the columns. A figure with `reached: false` is shown
as not reached.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = DOCS / "results" / "figures"
_TABLE = re.compile(r"(<!-- figures ([\w-]+) -->\n\n)((?:\|.*\n)*(?:\n\*Measured .*\n)?)")


def table(name: str) -> str:
    """Makes the table of a file of figures, in Markdown, and a line on when and where."""
    content = json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
    rows = [content["columns"], ["---"] * len(content["columns"])]
    sources = []
    for row in content["rows"]:
        figures = [SimpleNamespace(**figure) for figure in row["figures"]]
        cells = [cell.format(*figures) for cell in row["cells"]]
        if any(figure.get("reached") is False for figure in row["figures"]):
            cells[content["columns"].index("measured")] += ", **not reached**"
        rows.append(cells)
        sources += ["{date}, {machine}".format(**content | figure) for figure in row["figures"]]
    lines = [f"| {' | '.join(cells)} |\n" for cells in rows]
    return "".join([*lines, f"\n*Measured on {'; on '.join(dict.fromkeys(sources))}.*\n"])


def with_tables(page: str) -> str:
    """Returns a page with its tables as the files of figures have them now."""
    return _TABLE.sub(lambda found: found[1] + table(found[2]) + ("" if found[3] else "\n"), page)


def keep(figures: Iterable[dict[str, Any]], file: Path) -> None:
    """Writes measured figures into a file, in place of earlier ones of the same names.

    A figure that the file does not have becomes a row of its own.
    """
    content: dict[str, Any] = {"columns": ["figure", "measured"], "rows": []}
    if file.exists():
        content = json.loads(file.read_text(encoding="utf-8"))
    known = {f["figure"]: f for row in content["rows"] for f in row["figures"]}
    for figure in figures:
        if figure["figure"] in known:
            earlier = known[figure["figure"]]
            earlier.clear()
            earlier.update(figure)
            continue
        blank = [""] * (len(content["columns"]) - 2)
        cells = ["{0.figure}", *blank, "{0.value:.3g}"]
        content["rows"].append({"cells": cells, "figures": [figure]})
    text = json.dumps(content, indent=1, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Brings all pages up to date."""
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        if (new := with_tables(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(page.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
