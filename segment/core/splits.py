"""What labelled data are divided into, and how folders and tables name it."""

import re
from collections.abc import Iterable
from typing import Literal, get_args

Part = Literal["train", "val", "test"]
PartChoice = Literal["all", "train", "val", "test"]
"""A part, or all of them."""

PARTS: tuple[Part, ...] = get_args(Part)

_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_NEARLY = re.compile(
    rf"({'|'.join(sorted(_NAMES, key=len, reverse=True))}|eval|evaluation)[ _.-]?(set|data|split|part)?[ _.-]?\d*"
)
_LISTED = 5


def part_named(name: str) -> Part | None:
    """The part that a folder or a cell of a table names, whatever its case; None where it names none."""
    return _NAMES.get(name.strip().casefold())


def part_notes(names: Iterable[str]) -> list[str]:
    """What should be known of names of folders: taken for a part under another name, together with another, or nearly one."""
    distinct = sorted(set(names))
    notes = []
    for part in PARTS:
        same = [name for name in distinct if part_named(name) == part]
        if len(same) > 1:
            notes.append(f"folders {', '.join(same)} are all taken for {part}")
        elif same and same[0] != part:
            notes.append(f"folder {same[0]} is taken for {part}")
    nearly = [name for name in distinct if not part_named(name) and _NEARLY.fullmatch(name.casefold())]
    if nearly:
        more = f" and {len(nearly) - _LISTED} more" if len(nearly) > _LISTED else ""
        listed = ", ".join(nearly[:_LISTED]) + more
        notes.append(f"folders {listed} name no part: those called train, val (valid, validation, dev) or test do")
    return notes
