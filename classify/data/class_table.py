"""Class tables: order and colours of the classes, and the class of each label."""

import colorsys
import difflib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from classify.config import ImageSettings
from classify.data.labels_csv import Entry
from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable, load_class_table

# The twenty colours of Tableau, saturated ones first
_COLORS = (
    "#1F77B4", "#FF7F0E", "#2CA02C", "#D62728", "#9467BD",
    "#8C564B", "#E377C2", "#7F7F7F", "#BCBD22", "#17BECF",
    "#AEC7E8", "#FFBB78", "#98DF8A", "#FF9896", "#C5B0D5",
    "#C49C94", "#F7B6D2", "#C7C7C7", "#DBDB8D", "#9EDAE5",
)  # fmt: skip


def find_class_table(
    data: Sequence[Path], settings: ImageSettings
) -> tuple[ClassTable | None, str]:
    """Finds the class table for the data.

    It is taken from the settings, else from `classes.yaml` in the first data folder that has one.

    Args:
        data: Data folders or CSVs.
        settings: Settings that can hold the class table.

    Returns:
        The class table and where it is defined, for messages. None and an empty string if there is
        none; the labels found are then the classes.

    Raises:
        InputError: If the class table is not valid.
    """
    if settings.classes is not None:
        return ClassTable(settings.classes), "data.classes"
    files = [(root if root.is_dir() else root.parent) / "classes.yaml" for root in data]
    file = next((f for f in files if f.is_file()), None)
    return (None, "") if file is None else (load_class_table(file), str(file))


def resolve_labels(
    spellings: dict[str, str], label_map: dict[str, str | None], ignored: Sequence[str]
) -> dict[str, str | None]:
    """Maps each label of the data to its class.

    Args:
        spellings: Labels as the data spell them, by their lower-case form.
        label_map: Class by label; None leaves the images of a label out.
        ignored: Names of classes whose images are left out.

    Returns:
        Class name by label in lower case; None where images are left out.

    Raises:
        InputError: If a key of the label map is not a label of the data, or repeats another except
            for case.
    """
    mapped: dict[str, str | None] = {}
    for key, target in label_map.items():
        if key.casefold() not in spellings:
            near = difflib.get_close_matches(key.casefold(), spellings, n=1)
            hint = f" Did you mean {spellings[near[0]]!r}?" if near else ""
            there = ", ".join(sorted(spellings.values()))
            raise InputError(
                f"data.label_map: the data have no label {key!r}.{hint} There are: {there}."
            )
        if key.casefold() in mapped:
            raise InputError(
                f"data.label_map: {key!r} is listed twice, case does not matter. Remove one."
            )
        mapped[key.casefold()] = target
    leaves_out = {name.casefold() for name in ignored}
    targets = spellings | mapped
    return {
        key: None if name is None or name.casefold() in leaves_out else name
        for key, name in targets.items()
    }


def unknown_label(
    entry: Entry, label: str, name: str, classes: Sequence[str], source: str
) -> InputError:
    """Makes the error for a label that is not in the class table.

    Args:
        entry: Image with the label.
        label: Label as the data spell it.
        name: Class that the label is mapped to.
        classes: Names in the class table.
        source: Where the class table is defined.

    Returns:
        The error to raise.
    """
    near = (difflib.get_close_matches(name, classes, n=1) or classes)[0]
    shown = repr(label) if name == label else f"{label!r}, mapped to {name!r},"
    cure = (
        f"Set data.label_map: {{{label}: null}} to leave its images out, or {{{label}: {near}}} to"
        " count them to a class"
    )
    return InputError(
        f"{entry.source}: label {shown} is not in the class table ({source}). {cure}."
    )


def unlearned_label(entry: Entry, label: str, classes: Sequence[str]) -> InputError:
    """Makes the error for a label that a model did not learn.

    Args:
        entry: Image with the label.
        label: Label as the data spell it.
        classes: Class names of the model.

    Returns:
        The error to raise.
    """
    return InputError(
        f"{entry.source}: the model has no label {label!r}, only {', '.join(classes)}. Move its"
        " images elsewhere, or rename it to the class that they show."
    )


def color_classes(names: set[str], data: Sequence[Path]) -> ClassTable:
    """Makes a class table of names in alphabetical order, each with its own colour.

    Args:
        names: Names of the classes. Names that differ only in case are one class.
        data: Data folders, for messages.

    Returns:
        The class table.

    Raises:
        InputError: If there are no names, or a name is blank, has several lines or is not UTF-8.
    """
    unique = {name.casefold(): name for name in sorted(names, reverse=True)}
    if not unique:
        raise InputError(
            f"No classes found in {', '.join(map(str, data))}. Label images, or map fewer labels to"
            " null."
        )
    table = []
    for key, color in zip(sorted(unique), _colors(len(unique)), strict=True):
        try:
            table.append(Class(name=unique[key], color=color))
        except ValidationError as error:
            raise InputError(
                f"{unique[key]!r} cannot be the name of a class: it is blank, has several lines, or"
                " is not UTF-8. Rename it."
            ) from error
    return ClassTable(table)


def _colors(number: int) -> list[str]:
    colors = dict.fromkeys(_COLORS)
    step = 0
    while len(colors) < number:
        # steps of the golden ratio spread hues evenly, however many classes there are
        rgb = colorsys.hsv_to_rgb(
            step * 0.618034 % 1, (0.9, 0.55, 0.75)[step % 3], (0.6, 0.95)[step % 2]
        )
        colors.setdefault("#" + "".join(f"{round(255 * value):02X}" for value in rgb))
        step += 1
    return list(colors)[:number]
