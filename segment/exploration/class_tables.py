"""Class tables beside masks, in the form of this toolkit or others, compared with the masks."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segment.config import DataSettings
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, Class, ClassTable, load_class_table
from segment.data.masks.census import MaskCensus
from segment.data.masks.reading import MaskReading, choose_reading, find_class_table
from segment.exploration.image_statistics import TileStatistics
from segment.exploration.material import Material

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_MOST_CLASSES = 40  # values that are taken for classes where there is no class table


@dataclass(frozen=True)
class DeclaredTable:
    """Names of classes by how masks show them.

    Attributes:
        file: File of the table.
        colors: Names by "#RRGGBB".
        values: Colours by value or by map colour, where the table gives them.
    """

    file: Path
    colors: dict[str, str]
    values: dict[str, str]

    @classmethod
    def of(cls, class_table: ClassTable, file: Path) -> "DeclaredTable":
        """Describes a class table.

        Args:
            class_table: The class table.
            file: Its file.

        Returns:
            Names by colour, and colours by value and map colour.
        """
        values = {str(c.value): c.color for c in class_table.table}
        values |= {shown: c.color for shown, c in class_table.mask_colors().items()}
        return cls(file, {c.color: c.name for c in class_table.table}, values)

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
        """Returns the classes that no mask shows.

        Args:
            held: Pixels by value or colour, see `count_values`.

        Returns:
            Names of the classes by colour.
        """
        shown = {self.values.get(value, value) for value in held}
        return {color: name for color, name in self.colors.items() if color not in shown}


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
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        try:
            if file.suffix == ".json":
                colors = dict(_named_colors(json.loads(file.read_text(encoding="utf-8"))))
                found += [DeclaredTable(file, colors, {})] if colors else []
            elif file.name in ("classes.yaml", "classes.yml"):
                found.append(DeclaredTable.of(load_class_table(file), file))
        except (InputError, OSError, ValueError, RecursionError):
            continue
    return found


def _named_colors(content: Any) -> Iterator[tuple[str, str]]:
    """Yields the colour and name of everything in a JSON that has both."""
    if isinstance(content, dict):
        texts = {key: value for key, value in content.items() if isinstance(value, str)}
        color = next((value for key, value in texts.items() if "color" in key.lower()), "")
        name = next((texts[k] for k in ("name", "title", "label", "class") if k in texts), "")
        if name and _COLOR.fullmatch(color):
            yield color.upper(), name
        content = list(content.values())
    if isinstance(content, list):
        for value in content:
            yield from _named_colors(value)


def choose_class_table(
    material: Material, found: TileStatistics, settings: DataSettings
) -> tuple[ClassTable, MaskReading | None, list[str]]:
    """Chooses the class table that masks are read with.

    A declared table is used if it names anything that the masks hold. Labels of scenes have one.

    Args:
        material: Images and masks.
        found: What the masks hold.
        settings: Classes, if they are not declared beside the masks.

    Returns:
        The class table, how masks are read with the declared one, if any, and why class tables
        cannot be used.

    Raises:
        InputError: As in `class_table_of`, and if the classes of the settings are invalid.
    """
    masks = found.masks
    if material.reading is not None:
        return material.reading.class_table, material.reading, []
    if settings.classes:
        declared: ClassTable | None = ClassTable(settings.classes)
    else:
        try:
            declared = find_class_table(material.root, found.pairs)
        except InputError as error:
            return class_table_of(masks), None, [str(error)]
    if declared is None:
        return class_table_of(masks), None, []
    reading = choose_reading(declared, masks)
    table = reading.class_table
    known = {shown for shown, c in table.mask_colors().items() if not c.ignore}
    known |= {str(c.value) for c in table.classes}
    fits = known & masks.read_with(table).held.keys()
    return (table if fits else class_table_of(masks)), reading, []


def class_table_of(masks: MaskCensus) -> ClassTable:
    """Makes a class table of the 40 values or colours that masks hold most of.

    Each class is named by how masks show it. Colours get values that no mask holds, as long as
    there are some.

    Args:
        masks: Census of the masks.

    Returns:
        The class table.

    Raises:
        InputError: If masks hold nothing that a class may have.
    """
    if masks.values == {"0", str(IGNORED)}:  # with no other values, these are two classes
        masks = replace(masks, held=masks.held + Counter({str(IGNORED): masks.at_255}), at_255=0)
    possible = {str(value) for value in range(IGNORED + 1)}
    held = [v for v, _ in masks.held.most_common() if v.startswith("#") or v in possible]
    held = held[:_MOST_CLASSES]
    if not held:
        values = ", ".join(value for value, _ in masks.held.most_common(3)) or "nodata only"
        raise InputError(
            f"Masks must hold a colour or a value from 0 to 254 for each class, not {values}."
            " Export them so."
        )
    shades = (
        f"#{255 * (i + 1) // (len(held) + 1) % 256:02X}"
        f"{(97 * i) % 256:02X}{(193 * i + 64) % 256:02X}"
        for i in range(2 * len(held))
    )
    unused = (shade for shade in shades if shade not in held)
    others = [value for value in range(IGNORED) if str(value) not in held]
    free = iter(sorted(others, key=lambda value: str(value) in masks.held))
    return ClassTable(
        [
            (
                Class(name=name, color=name, value=next(free))
                if name.startswith("#")
                else Class(name=name, color=next(unused), value=int(name))
            )
            for name in held
        ]
    )
