"""Labelled images: found in class folders or a CSV, read, resized and cropped."""

import colorsys
import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from classify.class_folders import LAYOUT, read_class_folders
from classify.config import DataSettings
from classify.labels_csv import Entry, read_labels
from segment.core.errors import InputError
from segment.core.palette import Class, Palette, load_palette
from segment.core.parts import Part
from segment.core.raster import open_raster, readable

_MOST = 255  # classes: maps of labels have a byte a cell, and one value is nodata
# Tableau's twenty, the strong ones first
_COLORS = (
    "#1F77B4", "#FF7F0E", "#2CA02C", "#D62728", "#9467BD", "#8C564B", "#E377C2", "#7F7F7F", "#BCBD22", "#17BECF",
    "#AEC7E8", "#FFBB78", "#98DF8A", "#FF9896", "#C5B0D5", "#C49C94", "#F7B6D2", "#C7C7C7", "#DBDB8D", "#9EDAE5",
)  # fmt: skip


@dataclass(frozen=True)
class LabelledImage:
    """An image file and its labels.

    labels: class indices, ascending; exactly one unless the collection has several.
    part: what a folder train/val/test, or the CSV, fixes it to; None where it is to be drawn.
    collection: name of the data folder it comes from.
    """

    path: Path
    labels: tuple[int, ...]
    part: Part | None
    collection: str


@dataclass(frozen=True)
class Collection:
    """All images of a run and their classes. multi_label: whether an image may carry any number of labels."""

    palette: Palette
    images: list[LabelledImage]
    multi_label: bool


def find_images(data: Sequence[Path], settings: DataSettings, complete: bool = True) -> Collection:
    """The images of some data folders or CSVs as one collection, in the order of `data`, then of their paths.

    A data folder holds class folders, or train, val and test with class folders each, or `labels.csv` (see `read_labels`),
    in which images have any number of labels. Names of classes are compared without case, after `settings.label_map`;
    images with a label that is mapped to null, or to an ignored class, are left out, whatever else they show. Classes and
    their order come from `settings.classes`, else from `classes.yaml` in the first data folder that has one, else they are
    the names found, in alphabetical order.

    complete: whether each class needs images, and each key of the label map a label, as for training.

    Raises InputError when data are not laid out so, when labels and class table do not agree, when a class has no images, or
    when there are fewer than two classes (with several labels: none).
    """
    found, empty, multi_label = _gather(data)
    spellings: dict[str, str] = {}
    for label in [*(label for _, entry in found for label in entry.labels), *(folder.name for folder in empty)]:
        spellings.setdefault(label.casefold(), label)
    table, source = _class_table(data, settings)
    label_map = settings.label_map
    if not complete:
        label_map = {label: name for label, name in label_map.items() if label.casefold() in spellings}
    targets = _targets(spellings, label_map, [] if table is None else [c.name for c in table.ignored])
    for folder in empty:
        if targets[folder.name.casefold()] is not None:
            cure = "Remove it" + (f", or map it to null: data.label_map: {{{folder.name}: null}}." if complete else ".")
            raise InputError(f"{folder}: class folders hold images. Received an empty one. {cure}")
    kept = [(name, e) for name, e in found if all(targets[label.casefold()] is not None for label in e.labels)]
    if table is None:
        table = _colored({targets[label.casefold()] or "" for _, entry in kept for label in entry.labels}, data)
    indices = {name.casefold(): index for index, name in enumerate(table.names)}
    images = []
    for collection, entry in kept:
        names = [targets[label.casefold()] or "" for label in entry.labels]
        for label, name in zip(entry.labels, names, strict=True):
            if name.casefold() not in indices:
                raise _unknown(entry, label, name, table.names, source) if complete else _not_learned(entry, label, table.names)
        labels = sorted({indices[name.casefold()] for name in names})
        images.append(LabelledImage(entry.path, tuple(labels), entry.part, collection))
    missing = sorted(set(indices.values()) - {label for image in images for label in image.labels})
    if missing and complete:
        listed = ", ".join(table.names[index] for index in missing)
        raise InputError(f"{source}: each class needs images. Received none of {listed}. Add some, or remove it from the table.")
    if len(table) > _MOST:
        raise InputError(f"There are at most {_MOST} classes. Received {len(table)}. Join some by data.label_map.")
    if len(table) < 2 and not multi_label:
        received = f"only {table.names[0]!r} in {', '.join(map(str, data))}"
        raise InputError(f"There are two classes or more to tell apart. Received {received}. Name a folder with {LAYOUT}.")
    return Collection(table, images, multi_label)


def _gather(data: Sequence[Path]) -> tuple[list[tuple[str, Entry]], list[Path], bool]:
    """Entries with the name of their collection, empty class folders, and whether CSVs list them."""
    if not data:
        raise InputError(f"There are images to learn from. Received no data folder. Name one with {LAYOUT}.")
    tables = [_table(root) for root in data]
    kinds = ["class folders" if table is None else "a CSV" for table in tables]
    for root, kind in zip(data, kinds, strict=True):
        if kind != kinds[0]:
            cure = "List the images of all in CSVs, or sort all into class folders."
            raise InputError(f"{root}: data are all of one kind. Received {kind}, but {kinds[0]} in {data[0]}. {cure}")
    folders = [root if table is None else table.parent for root, table in zip(data, tables, strict=True)]
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
                raise InputError(f"{entry.source}: an image comes once. Received {entry.path} again, as in {other}. Remove one.")
            found[key] = (name if names.count(name) == 1 else f"{name} ({number})", entry)
    return list(found.values()), empty, tables[0] is not None


def _table(root: Path) -> Path | None:
    """The CSV that lists the images; None where class folders hold them."""
    if root.is_dir():
        return root / "labels.csv" if (root / "labels.csv").is_file() else None
    if not root.exists():
        raise InputError(f"{root}: must be a folder with {LAYOUT}, or a CSV. Received: no such path. Check it.")
    if root.suffix.lower() != ".csv":
        raise InputError(f"{root}: must be a folder with {LAYOUT}, or a CSV. Received another file. Name its folder.")
    return root


def _class_table(data: Sequence[Path], settings: DataSettings) -> tuple[Palette | None, str]:
    """The classes asked for and where they are written; None where the names found are the classes."""
    if settings.classes is not None:
        return Palette(settings.classes), "data.classes"
    files = [(root if root.is_dir() else root.parent) / "classes.yaml" for root in data]
    file = next((f for f in files if f.is_file()), None)
    return (None, "") if file is None else (load_palette(file), str(file))


def _targets(spellings: dict[str, str], label_map: dict[str, str | None], ignored: Sequence[str]) -> dict[str, str | None]:
    """The class that each label (in lower case) stands for, None where its images are left out."""
    mapped: dict[str, str | None] = {}
    for key, target in label_map.items():
        if key.casefold() not in spellings:
            near = difflib.get_close_matches(key.casefold(), spellings, n=1)
            hint = f" Did you mean {spellings[near[0]]!r}?" if near else ""
            there = ", ".join(sorted(spellings.values()))
            raise InputError(f"data.label_map: keys are labels of the data. Received {key!r}.{hint} There are: {there}.")
        if key.casefold() in mapped:
            raise InputError(f"data.label_map: keys differ by more than case. Received {key!r} again. Remove one.")
        mapped[key.casefold()] = target
    leaves_out = {name.casefold() for name in ignored}
    targets = spellings | mapped
    return {key: None if name is None or name.casefold() in leaves_out else name for key, name in targets.items()}


def _unknown(entry: Entry, label: str, name: str, classes: Sequence[str], source: str) -> InputError:
    near = (difflib.get_close_matches(name, classes, n=1) or classes)[0]
    received = repr(label) if name == label else f"{label!r}, mapped to {name!r}"
    cure = f"Set data.label_map: {{{label}: null}} to leave its images out, or {{{label}: {near}}} to count them to a class"
    return InputError(f"{entry.source}: labels stand in the class table ({source}). Received {received}. {cure}.")


def _not_learned(entry: Entry, label: str, classes: Sequence[str]) -> InputError:
    return InputError(
        f"{entry.source}: labels are those that the model learned ({', '.join(classes)}). Received {label!r}. "
        "Move its images elsewhere, or name it like the class that they show."
    )


def _colored(names: set[str], data: Sequence[Path]) -> Palette:
    """Classes in alphabetical order, each with a colour of its own. Names that differ in case only are one class."""
    unique = {name.casefold(): name for name in sorted(names, reverse=True)}
    if not unique:
        received = f"none in {', '.join(map(str, data))}"
        raise InputError(f"There are classes to learn. Received {received}. Label images, or map fewer labels to null.")
    table = []
    for key, color in zip(sorted(unique), _colors(len(unique)), strict=True):
        try:
            table.append(Class(name=unique[key], color=color))
        except ValidationError as error:
            received = repr(unique[key])
            raise InputError(f"Names of classes are not blank, in one line. Received {received}. Rename it.") from error
    return Palette(table)


def _colors(number: int) -> list[str]:
    colors = dict.fromkeys(_COLORS)
    step = 0
    while len(colors) < number:
        # the golden ratio spreads hues, however many there come to be
        rgb = colorsys.hsv_to_rgb(step * 0.618034 % 1, (0.9, 0.55, 0.75)[step % 3], (0.6, 0.95)[step % 2])
        colors.setdefault("#" + "".join(f"{round(255 * value):02X}" for value in rgb))
        step += 1
    return list(colors)[:number]


def read_image(path: Path | str, bands: Sequence[int] | None = None) -> NDArray[Any]:
    """The pixels of an image (rows, columns, bands) as stored, 0 where nodata.

    bands: numbers from 1; by default all but alpha, and a picture with a palette of 8 bits as its colours (3 bands).
    Raises InputError when the file cannot be read to its end or lacks a band.
    """
    return read_pixels(path, bands)[0]


def read_pixels(path: Path | str, bands: Sequence[int] | None = None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """As `read_image`, and which pixels are not nodata (rows, columns)."""
    with open_raster(path, bands) as raster:
        pixels, valid = raster.read()
        if bands is None and raster.info.colors == ("palette",) and raster.dtype == np.uint8:
            colors = np.zeros((256, 3), np.uint8)
            with readable(path):
                for index, color in raster._dataset.colormap(1).items():
                    colors[index] = color[:3]
            pixels = colors[pixels[..., 0]]
            pixels[~valid] = 0
        return np.ascontiguousarray(pixels), valid


def prepare(pixels: NDArray[Any], resize: int) -> NDArray[Any]:
    """An image (rows, columns, bands) whose shorter side has `resize` pixels, with its aspect and dtype; 0: as it is.

    Means of the pixels covered where it shrinks, bilinear where it grows. Any number of bands, any real dtype.
    """
    height, width, bands = pixels.shape
    shorter = min(height, width)
    if resize in (0, shorter):
        return pixels
    size = (max(1, round(width * resize / shorter)), max(1, round(height * resize / shorter)))
    interpolation = cv2.INTER_AREA if resize < shorter else cv2.INTER_LINEAR
    dtype = pixels.dtype
    source = pixels if dtype in (np.uint8, np.uint16, np.int16, np.float32) else pixels.astype(np.float64)
    resized = np.empty((size[1], size[0], bands), source.dtype)
    for first in range(0, bands, 4):  # OpenCV averages no more at a time
        group = np.ascontiguousarray(source[..., first : first + 4])
        resized[..., first : first + 4] = cv2.resize(group, size, interpolation=interpolation).reshape(size[1], size[0], -1)
    return (np.rint(resized) if dtype.kind in "iub" and resized.dtype == np.float64 else resized).astype(dtype, copy=False)


def centre_crop(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """The middle (size, size, bands) of an image; one that is smaller is continued by its mirror image first."""
    pixels = fill_up(pixels, size)
    top, left = ((edge - size) // 2 for edge in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])  # no view: it would keep the whole image


def fill_up(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """An image that is smaller than `size` along an axis, continued by its mirror image on both sides."""
    missing = [max(0, size - edge) for edge in pixels.shape[:2]]
    if not any(missing):
        return pixels
    return np.pad(pixels, [*((gap // 2, gap - gap // 2) for gap in missing), (0, 0)], mode="symmetric")
