"""`labels.csv`: a table with any number of labels for each image."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segment.core.errors import InputError
from segment.core.labels.classes import composed
from segment.core.splits import PARTS, Part, part_named

_COLUMNS = (["file", "labels"], ["file", "labels", "part"])
_EXAMPLE = "tiles/a.jpg,water;ships"


@dataclass(frozen=True)
class Entry:
    """An image and the names of its labels, as they were found.

    Attributes:
        path: Image file.
        labels: Names of the labels.
        part: Part that the image is assigned to; None if it is to be drawn.
        source: Class folder, or CSV and line number, for messages.
    """

    path: Path
    labels: tuple[str, ...]
    part: Part | None
    source: str


def plain_label(text: str) -> str:
    """Returns a label without spaces around it, see `composed`.

    Args:
        text: Name of a class folder, or cell of a CSV.

    Returns:
        The label; empty for a blank text.
    """
    return composed(text.strip())


def read_labels(table: Path) -> list[Entry]:
    """Reads a CSV that lists images and their labels.

    The header is `file,labels` or `file,labels,part`. Files are relative to the folder of the CSV.
    Labels are separated by `;`, and there can be none. The part is train, val, test or empty.

    Args:
        table: CSV in UTF-8.

    Returns:
        The rows, sorted by file.

    Raises:
        InputError: If the header or a row has another form, or a file does not exist or is listed
            twice; the message names the line. Also if there are no rows or the CSV cannot be read.
    """
    entries: dict[Path, Entry] = {}
    for line, (file, labels, part) in _rows(table):
        source = f"{table}, line {line}"
        path = table.parent / file
        if not path.is_file():
            raise InputError(
                f"{source}: there is no file {file!r} in the CSV's folder. Correct the path, which"
                " starts from there."
            )
        if path in entries:
            raise InputError(
                f"{source}: {file!r} has another row, {entries[path].source}. Join them."
            )
        known = part_named(part)
        if part and not known:
            raise InputError(
                f"{source}: unknown part {part!r}. Use {', '.join(PARTS)} or leave it empty."
            )
        names = dict.fromkeys(filter(None, map(plain_label, labels.split(";"))))
        entries[path] = Entry(path, tuple(names), known, source)
    if not entries:
        raise InputError(f"{table}: has a header, but no rows. Add rows, e.g. {_EXAMPLE}.")
    return [entries[path] for path in sorted(entries)]


def _rows(table: Path) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """Line numbers and cells; a missing part is an empty cell."""
    try:
        reader = csv.reader(
            io.StringIO(table.read_text(encoding="utf-8-sig"), newline=""), strict=True
        )
        header = [cell.strip().casefold() for cell in next(reader, [])]
        if header not in _COLUMNS:
            raise InputError(
                f"{table}: header is {','.join(header)!r}. Write `file,labels` or"
                " `file,labels,part`."
            )
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise InputError(
                    f"{table}, line {reader.line_num}: row has {len(row)} cells, the header"
                    f" {','.join(header)}. Separate labels by `;`, e.g. {_EXAMPLE}."
                )
            file, labels, part = (cell.strip() for cell in [*row, ""][:3])
            yield reader.line_num, (file, labels, part)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{table}: cannot be read: {error}. Save it as a CSV in UTF-8.") from error
