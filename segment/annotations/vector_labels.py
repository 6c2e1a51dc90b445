"""Vector labels: how polygons, lines and points are read as classes."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.field_values import listed, plain, text_of
from segment.core.choices import LabelOrder
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, Class, ClassTable, numbered_color

_MOST_CLASSES = 40  # a field of names or numbers has more values than that


@dataclass(frozen=True, kw_only=True)
class VectorLabels:
    """Vector labels and how they are read.

    Attributes:
        path: Vector file that OGR reads: GeoPackage, GeoJSON, Shapefile, FlatGeobuf and others, in
            any CRS.
        field: Field whose values are classes. Features without a value are not labelled.
        layer: Layer of the file, None for the only one.
        width: Width of lines in metres, or the name of the field that holds it.
        radius: Radius of points in metres, or the name of the field that holds it.
        order: Which of two overlapping shapes is on top: the "smaller" or "larger" one by area, or
            the "first" or "last" one in the file.
        background: Name of the class of what no shape covers, None to leave it unlabelled.
        areas: Vector file of the areas that were labelled. Pixels outside of them are unlabelled.
        codes: Name of the class of each value of the field; other values are not labelled. None to
            take the values themselves as names.
    """

    path: Path
    field: str
    layer: str | None = None
    width: float | str | None = None
    radius: float | str | None = None
    order: LabelOrder = "smaller"
    background: str | None = None
    areas: Path | None = None
    codes: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Takes paths as text, too, and brings names and codes to the form of values.

        Raises:
            InputError: If a name is blank, or two codes are one text.
        """
        object.__setattr__(self, "path", Path(self.path))
        object.__setattr__(self, "areas", None if self.areas is None else Path(self.areas))
        if self.background is not None:
            name = _required_name(self.background, "background")
            object.__setattr__(self, "background", name)
        if self.codes is not None:
            named = {
                text_of(code) or "": _required_name(name, f"codes: {code}")
                for code, name in self.codes.items()
            }
            if len(named) < len(self.codes):
                raise InputError(
                    "codes: a value is listed twice, such as 1 and '1'. Keep one of them."
                )
            object.__setattr__(self, "codes", named)

    def names_of(self, texts: Collection[str | None]) -> dict[str | None, str | None]:
        """Returns the names of the classes of values.

        Args:
            texts: The values as text, see `texts_of`.

        Returns:
            The name of each; None for no value, and one that the codes do not list. Codes are
            compared as they are written, then regardless of case, and as numbers (01 is 1).
        """
        if self.codes is None:
            return {text: text for text in texts}
        alike: dict[str, set[str]] = {}
        for code, name in self.codes.items():
            alike.setdefault(plain(code), set()).add(name)
        named: dict[str | None, str | None] = {None: None}
        for text in filter(None, texts):
            found = alike.get(plain(text), set())
            named[text] = self.codes.get(text, min(found) if len(found) == 1 else None)
        return named


def _required_name(name: Any, option: str) -> str:
    if (text := text_of(name)) is None:
        raise InputError(f"{option}: the name of the class is blank. Give one.")
    return text


def texts_of(labels: VectorLabels, values: NDArray[Any]) -> list[str | None]:
    """Returns the values of the field of classes as text.

    Args:
        labels: The labels.
        values: Values of any type, (features,).

    Returns:
        The text of each, see `text_of`; None where there is no value.

    Raises:
        InputError: If they are numbers with fractions that --codes does not map.
    """
    is_number = np.isfinite(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    fractions = values[is_number][values[is_number] % 1 > 0]
    if labels.codes is None and len(fractions):
        raise InputError(
            f"{labels.path}: the field {labels.field!r} holds numbers with fractions"
            f" ({listed([f'{one:g}' for one in fractions[:99]])}), such as areas or lengths. Choose"
            " the field of classes, or name the class of each with --codes."
        )
    return [text_of(value) for value in values.tolist()]


def class_names(
    labels: VectorLabels, texts: Sequence[str | None]
) -> tuple[list[str | None], list[str]]:
    """Decides the class of each feature.

    Args:
        labels: The labels.
        texts: Value of the field of each feature, or None.

    Returns:
        The name of the class of each feature, None for those without one, and notes.

    Raises:
        InputError: If no feature has a value, or none has one that the codes list.
    """
    empty = sum(text is None for text in texts)
    notes = [f"{labels.path}: {empty} features without a value are not labelled"] if empty else []
    if empty == len(texts):
        raise InputError(
            f"{labels.path}: the field {labels.field!r} holds no value in any of {empty} features."
            " Fill it in, or choose another field."
        )
    names = list(texts)
    if labels.codes is not None:
        known = labels.names_of(set(texts))
        names = [known[text] for text in texts]
        if not any(names):
            raise InputError(
                f"{labels.path}: --codes lists no value of the field {labels.field!r}. It lists"
                f" {listed(list(labels.codes))}; the field holds {listed(texts)}. Write a value of"
                " the field and its class a line: 111: urban"
            )
        unlisted = Counter(t for t, name in zip(texts, names, strict=True) if t and name is None)
        notes += [
            f"{labels.path}: {count} features of {text!r} are not labelled, --codes does not list"
            " it"
            for text, count in unlisted.most_common(5)
        ]
    spellings: dict[str, list[str]] = {}
    for name in sorted(filter(None, set(names))):
        spellings.setdefault(name.casefold(), []).append(name)
    notes += [
        f"{labels.path}: {' and '.join(same)} differ in case alone: they are one class"
        for same in spellings.values()
        if len(same) > 1
    ]
    return names, notes


def make_class_table(labels: VectorLabels, names: Sequence[str | None]) -> ClassTable:
    """Makes a class table of all names and the background, in the order of the alphabet.

    Names that differ in case alone are one class, in the spelling that the alphabet has first.
    Names that are different numbers from 0 to 254 are the values of their classes.

    Args:
        labels: The labels.
        names: Name of the class of each feature, or None.

    Returns:
        The class table.

    Raises:
        InputError: If there are too many classes, or one only.
    """
    spellings = sorted(filter(None, {*names, labels.background}), reverse=True)
    held = set({name.casefold(): name for name in spellings}.values())
    if len(held) > _MOST_CLASSES:
        raise InputError(
            f"{labels.path}: the field {labels.field!r} holds {len(held)} values, more than"
            f" {_MOST_CLASSES} classes ({listed(sorted(held))}). Choose the field of classes, or"
            " join values with --codes."
        )
    numbers = all(name.isdecimal() and int(name) < IGNORED for name in held)
    numbers = numbers and len(set(map(int, held))) == len(held)  # not of 1 and 01
    ordered = sorted(held, key=int) if numbers else sorted(held, key=str.casefold)
    if len(ordered) < 2:
        raise InputError(
            f"{labels.path}: the field {labels.field!r} holds one value only ({ordered[0]!r})."
            " Draw shapes of a second class, or name the rest with --background."
        )
    return ClassTable(
        [
            Class(name=name, color=numbered_color(i), value=int(name) if numbers else i)
            for i, name in enumerate(ordered)
        ]
    )


def class_values(class_table: ClassTable, names: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Looks up the values of classes, regardless of case.

    Args:
        class_table: Class table.
        names: Names of classes.

    Returns:
        The value of each name that is a learned class of the table, and a note on those that the
        table does not have.

    Raises:
        InputError: If the table gives the value of unlabelled pixels to a class.
    """
    if any(c.value == IGNORED for c in class_table.classes):
        raise InputError(
            f"Vector labels need {IGNORED} for unlabelled pixels, and the class table gives it to a"
            " class. Give that class another value."
        )
    table = {c.name.casefold(): c.value or 0 for c in class_table.classes}
    ignored = {c.name.casefold() for c in class_table.ignored}
    values = {name: table[name.casefold()] for name in names if name.casefold() in table}
    unknown = [n for n in names if n.casefold() not in table and n.casefold() not in ignored]
    note = f"values that are no class are not labelled: {listed(unknown)}"
    return values, [note] if unknown else []
