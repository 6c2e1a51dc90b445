"""Class tables beside masks, in the form of this toolkit or others, compared with the masks."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segment.core.errors import InputError
from segment.core.raster.classes import ClassTable, load_class_table

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class DeclaredTable:
    """Names of classes by how masks show them.

    Attributes:
        file: File of the table.
        colors: Names by "#RRGGBB".
        values: Names by value or by map colour, where the table gives them.
    """

    file: Path
    colors: dict[str, str]
    values: dict[str, str]

    def unknown(self, held: Counter[str]) -> dict[str, int]:
        """Returns what masks hold that the table does not name.

        Args:
            held: Pixels by value or colour, see `count_values`.

        Returns:
            Pixels by value or colour, the most frequent first.
        """
        known = self.colors.keys() | self.values.keys()
        return {value: count for value, count in held.most_common() if value not in known}

    def absent(self, held: Counter[str]) -> dict[str, str]:
        """Returns the classes that no mask shows, in masks that hold colours.

        Args:
            held: Pixels by value or colour, see `count_values`.

        Returns:
            Names of the classes by colour.
        """
        return {
            color: name
            for color, name in self.colors.items()
            if color not in held and not held.keys() & self._values(name)
        }

    def _values(self, name: str) -> set[str]:
        return {value for value, other in self.values.items() if other == name}


def find_class_tables(root: Path) -> list[DeclaredTable]:
    """Finds all class tables in a tile folder.

    These are `classes.yaml`, and any JSON in which things have a name and a colour, as labelling
    tools write it. What cannot be read as a class table is skipped.

    Args:
        root: The tile folder.

    Returns:
        The class tables, sorted by path.
    """
    found = []
    for file in sorted(
        p for p in root.rglob("*") if p.suffix in (".yaml", ".yml", ".json") and p.is_file()
    ):
        if file.suffix == ".json":
            colors = _json_colors(file)
            if colors:
                found.append(DeclaredTable(file, colors, {}))
        elif file.stem == "classes":
            try:
                class_table = load_class_table(file)
            except InputError:
                continue
            found.append(as_class_table(class_table, file))
    return found


def as_class_table(class_table: ClassTable, file: Path) -> DeclaredTable:
    """Returns a class table that is already loaded in the form of `DeclaredTable`.

    Args:
        class_table: The class table.
        file: Its file.

    Returns:
        Names by colour and value.
    """
    values = {str(c.value): c.name for c in class_table.table} | {
        k: c.name for k, c in class_table.mask_colors().items()
    }
    return DeclaredTable(file, {c.color: c.name for c in class_table.table}, values)


def _json_colors(file: Path) -> dict[str, str]:
    try:
        return dict(_named_colors(json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, RecursionError):
        return {}


def _named_colors(content: Any) -> Iterator[tuple[str, str]]:
    if isinstance(content, dict):
        color = next(
            (v for k, v in content.items() if "color" in k.lower() and isinstance(v, str)), None
        )
        name = next(
            (
                content[k]
                for k in ("name", "title", "label", "class")
                if isinstance(content.get(k), str)
            ),
            None,
        )
        if color and name and _COLOR.fullmatch(color):
            yield color.upper(), name
        for value in content.values():
            yield from _named_colors(value)
    elif isinstance(content, list):
        for value in content:
            yield from _named_colors(value)
