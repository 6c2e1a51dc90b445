"""Parts of labelled data (train, val, test), and how folders and tables name them."""

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
_WORD = "|".join(
    sorted({*_NAMES, "eval", "evaluation", "trainval", "holdout"}, key=len, reverse=True)
)
_NEARLY = re.compile(rf"(?<![a-z])({_WORD})s?[ _.-]?(set|data|split|part)?(?![a-z])")
_CAMEL = re.compile("(?<=[a-z])(?=[A-Z])")  # between the words of a name such as trainImages
_LISTED = 5


def part_named(name: str) -> Part | None:
    """Returns the part that a folder name or a table cell stands for.

    Args:
        name: Name in upper or lower case, e.g. "train" or "Validation".

    Returns:
        The part, or None if the name stands for none.
    """
    return _NAMES.get(name.strip().casefold())


def part_notes(names: Iterable[str]) -> list[str]:
    """Describes folder names that users should check.

    These are folders taken for a part under another name, several folders taken for the same part,
    and folders whose names only resemble those of parts.

    Args:
        names: Names of folders.

    Returns:
        A note for each case, empty if there is none.
    """
    distinct = sorted(set(names))
    notes = []
    for part in PARTS:
        same = [name for name in distinct if part_named(name) == part]
        if len(same) > 1:
            notes.append(f"folders {', '.join(same)} are all read as {part}")
        elif same and same[0] != part:
            notes.append(f"folder {same[0]} is read as {part}")
    nearly = [
        name
        for name in distinct
        if not part_named(name) and _NEARLY.search(_CAMEL.sub(" ", name).casefold())
    ]
    if nearly:
        more = f" and {len(nearly) - _LISTED} more" if len(nearly) > _LISTED else ""
        folders = "folders {} are" if len(nearly) > 1 else "folder {} is"
        notes.append(
            f"{folders.format(', '.join(nearly[:_LISTED]) + more)} read as no part: only those"
            " called train, val (valid, validation, dev) or test are"
        )
    return notes
