"""Class folders: images sorted by what they show."""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from classify.data.labels_csv import Entry, plain_label, read_labels
from segment.core.errors import InputError, counted
from segment.core.file_search import folders_below
from segment.core.inputs.left_out import ending_notes
from segment.core.raster.sources import SUFFIXES
from segment.core.splits import PARTS, Part, part_named, part_notes

LAYOUT = "class folders with images, train/val/test with class folders, or labels.csv"


def read_class_folders(root: Path) -> tuple[list[Entry], list[Path]]:
    """Lists the images of a data folder with class folders.

    Images in subfolders of a class folder belong to the class, also behind links. Hidden files and
    folders are skipped.

    Args:
        root: Folder with class folders, or with train, val and test that hold class folders.

    Returns:
        The images, sorted by path, and the class folders without images.

    Raises:
        InputError: If there are no class folders or no images, or if other folders with images are
            next to train, val and test.
    """
    entries: list[Entry] = []
    empty: list[Path] = []
    for part, folder in _class_folders(root):
        images = sorted(_images(folder))
        entries += [Entry(path, (plain_label(folder.name),), part, str(folder)) for path in images]
        if not images:
            empty.append(folder)
    if not entries:
        raise InputError(
            f"{root}: folders have no images ({', '.join(SUFFIXES)}). Needed are {LAYOUT}. Check"
            " the path."
        )
    return sorted(entries, key=lambda entry: entry.path), empty


def folder_notes(root: Path) -> list[str]:
    """Reports images that are left out, and folders that name a part, or nearly do.

    Args:
        root: Data folder, or a CSV. Images beside those that it lists are left out.

    Returns:
        One line per remark.
    """
    table = root / "labels.csv" if root.is_dir() else root
    if table.is_file():
        listed = {Path(os.path.abspath(entry.path)) for entry in read_labels(table)}
        return _left_out({path.parent for path in listed}, f"{table} has no row for", listed)
    folders = _folders(root)
    parts = _part_of(folders)
    notes = _left_out({root, *parts}, "no class folder holds", set())
    notes += part_notes(folder.name for folder in folders if not parts or folder in parts)
    classes = (
        folders
        if not parts
        else [found for part in parts for found in part.iterdir() if found.is_dir()]
    )
    within = sorted(
        path
        for found in classes
        for path in found.iterdir()
        if path.is_dir() and part_named(path.name)
    )
    if within:
        notes.append(
            f"{within[0].relative_to(root)}: a folder inside a class folder assigns no part, put"
            f" {within[0].name} above the classes"
        )
    return [*notes, *ending_notes(below for found in classes for below in folders_below(found))]


def _left_out(folders: Iterable[Path], why: str, used: Collection[Path]) -> list[str]:
    """Reports images that are in folders themselves, unless they are used."""
    paths = (path for folder in folders for path in folder.iterdir() if _is_image(path.name))
    left = sorted(path for path in paths if path not in used and path.is_file())
    return [f"{why} {counted(len(left), 'image')}, left out, e.g. {left[0]}"] if left else []


def _part_of(folders: list[Path]) -> dict[Path, Part]:
    """Those folders that are parts.

    Folders are parts if one is called train, val or test, or if all have other names of parts.
    """
    parts = {folder: part for folder in folders if (part := part_named(folder.name))}
    return (
        parts
        if len(parts) == len(folders) or any(f.name.casefold() in PARTS for f in parts)
        else {}
    )


def _class_folders(root: Path) -> Iterator[tuple[Part | None, Path]]:
    folders = _folders(root)
    parts = _part_of(folders)
    if not parts:
        for folder in folders:
            if part_named(folder.name) and any(
                any(_images(path)) for path in folder.iterdir() if path.is_dir()
            ):
                raise InputError(
                    f"{folder}: {folder.name!r} is a part, the folders beside it are classes. Move"
                    " those into a folder train."
                )
            yield None, folder
        return
    for folder in folders:
        if folder in parts:
            yield from ((parts[folder], found) for found in _folders(folder))
        elif any(_images(folder)):
            raise InputError(
                f"{folder}: images beside train, val and test are not used. Move {folder.name!r}"
                " into one of them, or out of the data folder."
            )


def _folders(root: Path) -> list[Path]:
    found = sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if not found:
        images = sum(_is_image(path.name) for path in root.iterdir())
        found_here = f"{images} images, but no folder" if images else "no folder"
        cure = "Name the folder above, if this is one class." if images else "Check the path."
        raise InputError(f"{root}: holds {found_here}. Needed are {LAYOUT}. {cure}")
    return found


def _images(folder: Path) -> Iterator[Path]:
    for below in folders_below(folder):
        yield from (path for path in below.iterdir() if _is_image(path.name) and not path.is_dir())


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
