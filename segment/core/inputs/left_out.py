"""Pictures in folders that a search leaves out: of other endings, and in folders below."""

import os
from collections.abc import Iterable
from pathlib import Path

from segment.core.errors import counted
from segment.core.raster.sources import SUFFIXES

_OTHER = (
    *(".gif", ".heic", ".heif", ".avif", ".jxl", ".jfif", ".jpe", ".jpf", ".j2k", ".jp2k"),
    *(".ppm", ".pgm", ".pnm", ".tga", ".psd", ".dng", ".cr2", ".nef", ".arw", ".ecw", ".sid"),
)
"""Endings of pictures that are not searched for in folders, and are reported there."""


def ending_notes(folders: Iterable[Path]) -> list[str]:
    """Reports pictures that a search in folders leaves out because of their endings.

    Args:
        folders: The folders themselves, not those below them.

    Returns:
        One line with the count and the endings; empty if there are none.
    """
    left = sorted(
        path
        for folder in folders
        for path in folder.glob("*")
        if path.name.lower().endswith(_OTHER) and not path.name.startswith(".")
    )
    endings = ", ".join(sorted({path.suffix.lower() for path in left}))
    return (
        [
            f"{counted(len(left), 'picture')} with other endings ({endings}) left out, e.g."
            f" {left[0]}: convert them to PNG or TIFF"
        ]
        if left
        else []
    )


def unsearched_notes(names: Iterable[str]) -> list[str]:
    """Reports what `find_sources` leaves out of folders: other endings, and folders in them.

    Args:
        names: What a user names.

    Returns:
        One line per remark.
    """
    folders = [Path(name) for name in names if os.path.isdir(name)]
    inside = [path for folder in folders for path in sorted(folder.glob("*")) if path.is_dir()]
    below = [
        path
        for path in inside
        if not path.name.startswith(".")
        and any(file.suffix.lower() in SUFFIXES for file in path.glob("*"))
    ]
    notes = ending_notes(folders)
    if below:
        notes.append(
            f"{counted(len(below), 'folder')} with images in {below[0].parent} not searched, e.g."
            f" {below[0].name}: name it, or a pattern such as {below[0].parent / '**' / '*.png'}"
        )
    return notes
