"""Labelled images, found in class folders or a CSV."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from classify.config import ImageSettings
from classify.data.class_folders import LAYOUT, read_class_folders
from classify.data.class_table import (
    color_classes,
    find_class_table,
    resolve_labels,
    unknown_label,
    unlearned_label,
)
from classify.data.labels_csv import Entry, plain_label, read_labels
from classify.label_sets import LabelMap
from segment.core.errors import InputError, counted
from segment.core.labels.classes import ClassTable
from segment.core.splits import Part

Data = Sequence[Path | str] | Path | str
"""One data folder or CSV, or several."""

_MOST = 255  # classes: maps of labels have one byte per cell, and one value is nodata


@dataclass(frozen=True)
class LabelledImage:
    """An image file and its labels.

    Attributes:
        path: Image file.
        labels: Class indices, ascending; exactly one unless images can have several labels.
        part: Part that a folder train, val or test, or the CSV, assigns the image to; None if it is
            to be drawn.
        collection: Name of the data folder that the image comes from.
    """

    path: Path
    labels: tuple[int, ...]
    part: Part | None
    collection: str


@dataclass(frozen=True)
class Collection:
    """All images of a run and their classes.

    Attributes:
        class_table: Class table.
        images: The images.
        multi_label: Whether an image can have any number of labels.
        label_maps: Classes that each label may be, by the names of `data.collections`.
        digests: Digest of the split of each, see `digest_split`.
        notes: Remarks for the user.
    """

    class_table: ClassTable
    images: list[LabelledImage]
    multi_label: bool
    label_maps: dict[str, LabelMap] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def data_folders(data: Data | None) -> list[Path]:
    """Converts one data folder or several to a list of paths.

    Args:
        data: One data folder or CSV, or several; None for none.

    Returns:
        The paths.
    """
    given = [data] if isinstance(data, (str, Path)) else data or []
    return [Path(folder) for folder in given]


def collection_name(data: Path) -> str:
    """Returns the name of a data folder, or of the folder of a CSV.

    Args:
        data: Data folder or CSV.

    Returns:
        The name of the folder.
    """
    return (data if data.is_dir() else data.parent).resolve().name


def find_images(data: Sequence[Path], settings: ImageSettings, complete: bool = True) -> Collection:
    """Finds the images of data folders or CSVs as one collection.

    A data folder holds class folders, or train, val and test with class folders each, or
    `labels.csv` (see `read_labels`), in which images have any number of labels. Class names are
    compared without case, after `settings.label_map`. Images with a label that is mapped to null or
    to an ignored class are left out, whatever else they show.

    Classes and their order come from `settings.classes`, else from `classes.yaml` in the first data
    folder that has one. Without a class table they are the names found, in alphabetical order.

    Args:
        data: Data folders or CSVs.
        settings: Class table and label map.
        complete: Whether each class must have images and each key of the label map must be a label
            of the data, as for training.

    Returns:
        The images in the order of `data`, then of their paths, and their classes.

    Raises:
        InputError: If the data have another layout, if labels and class table do not agree, if a
            class has no images (with `complete`), or if there are fewer than two classes (with
            several labels: none) or more than 255.
    """
    if getattr(settings, "collections", None):
        raise InputError(
            "data.collections is given, which only classify-train reads. Leave it out, and name"
            " data folders, DATA."
        )
    found, empty, multi_label = gather_entries(data)
    spellings: dict[str, str] = {}
    others: dict[str, set[str]] = {}
    for label in [
        *(label for _, entry in found for label in entry.labels),
        *(plain_label(folder.name) for folder in empty),
    ]:
        others.setdefault(label.casefold(), set()).add(label)
        spellings.setdefault(label.casefold(), label)
    table, source = find_class_table(data, settings)
    label_map = settings.label_map
    if not complete:
        label_map = {
            label: name for label, name in label_map.items() if label.casefold() in spellings
        }
    targets = resolve_labels(
        spellings, label_map, [] if table is None else [c.name for c in table.ignored]
    )
    for folder in empty:
        if targets[plain_label(folder.name).casefold()] is not None:
            cure = "Remove it" + (
                f", or map it to null: data.label_map: {{{folder.name}: null}}."
                if complete
                else "."
            )
            raise InputError(f"{folder}: class folder has no images. {cure}")
    kept = [
        (name, e)
        for name, e in found
        if all(targets[label.casefold()] is not None for label in e.labels)
    ]
    if table is None:
        table = color_classes(
            {targets[label.casefold()] or "" for _, entry in kept for label in entry.labels}, data
        )
    indices = {name.casefold(): index for index, name in enumerate(table.names)}
    images = []
    for collection, entry in kept:
        names = [targets[label.casefold()] or "" for label in entry.labels]
        for label, name in zip(entry.labels, names, strict=True):
            if name.casefold() not in indices:
                if complete:
                    raise unknown_label(entry, label, name, table.names, source)
                raise unlearned_label(entry, label, table.names)
        labels = sorted({indices[name.casefold()] for name in names})
        images.append(LabelledImage(entry.path, tuple(labels), entry.part, collection))
    missing = sorted(set(indices.values()) - {label for image in images for label in image.labels})
    if missing and complete:
        listed = ", ".join(table.names[index] for index in missing)
        raise InputError(
            f"{source}: no images of {listed}. Add some, or remove the class from the table."
        )
    if len(table) > _MOST:
        raise InputError(
            f"{len(table)} classes, at most {_MOST} are possible. Join some by data.label_map."
        )
    if len(table) < 2 and not multi_label:
        raise InputError(
            f"{', '.join(map(str, data))}: only one class found, {table.names[0]!r}. Name a folder"
            f" with {LAYOUT}."
        )
    notes = [
        f"labels {', '.join(sorted(some))} are one class: case does not matter"
        for some in others.values()
        if len(some) > 1
    ]
    if left := len(found) - len(kept):
        notes.append(f"{counted(left, 'image')} of labels that are ignored or null, left out")
    return Collection(table, images, multi_label, notes=notes)


def gather_entries(data: Sequence[Path]) -> tuple[list[tuple[str, Entry]], list[Path], bool]:
    """Lists the images of data folders or CSVs, with their labels as they are spelled there.

    Args:
        data: Data folders or CSVs.

    Returns:
        Entries with the names of their collections, empty class folders, and whether the data are
        CSVs.

    Raises:
        InputError: If there is no data, or a path is neither a data folder nor a CSV.
    """
    if not data:
        raise InputError(f"No data folder given. Name one with {LAYOUT}.")
    tables = [_table(root) for root in data]
    kinds = ["class folders" if table is None else "a CSV" for table in tables]
    for root, kind in zip(data, kinds, strict=True):
        if kind != kinds[0]:
            cure = "List the images of all in CSVs, or sort all into class folders."
            raise InputError(f"{root}: has {kind}, {data[0]} has {kinds[0]}. {cure}")
    folders = [
        root if table is None else table.parent for root, table in zip(data, tables, strict=True)
    ]
    names = [folder.resolve().name for folder in folders]
    found: dict[str, tuple[str, Entry]] = {}
    empty: list[Path] = []
    for number, (root, table, name) in enumerate(zip(data, tables, names, strict=True), 1):
        entries, without = read_class_folders(root) if table is None else (read_labels(table), [])
        empty += without
        for entry in entries:
            key = os.path.abspath(entry.path)
            if key in found:
                other = found[key][1].source
                raise InputError(
                    f"{entry.source}: {entry.path} is also listed in {other}. Remove one."
                )
            found[key] = (name if names.count(name) == 1 else f"{name} ({number})", entry)
    return list(found.values()), empty, tables[0] is not None


def _table(root: Path) -> Path | None:
    """The CSV that lists the images; None for a folder with class folders."""
    if root.is_dir():
        return root / "labels.csv" if (root / "labels.csv").is_file() else None
    if not root.exists():
        raise InputError(
            f"{root}: no such path. Check it, or name a folder with {LAYOUT}, or a CSV."
        )
    if root.suffix.lower() != ".csv":
        raise InputError(f"{root}: is neither a folder nor a CSV. Name a folder with {LAYOUT}.")
    return root
