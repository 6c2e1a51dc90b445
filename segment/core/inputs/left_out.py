"""Pictures in folders that a search leaves out, or takes without being meant: masks."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from segment.core.errors import InputError, counted
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import SUFFIXES, Source

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


def unsearched_notes(names: Iterable[str], output: Path) -> list[str]:
    """Reports what `find_sources` leaves out of folders: other endings, and folders in them.

    Args:
        names: What a user names.
        output: Folder of the outputs, which is not reported.

    Returns:
        One line per remark.
    """
    folders = [Path(name) for name in names if os.path.isdir(name)]
    inside = [path for folder in folders for path in sorted(folder.glob("*")) if path.is_dir()]
    below = [
        path
        for path in inside
        if not path.name.startswith(".")
        and path.resolve() != output.resolve()
        and any(file.suffix.lower() in SUFFIXES for file in path.glob("*"))
    ]
    notes = ending_notes(folders)
    if below:
        notes.append(
            f"{counted(len(below), 'folder')} with images in {below[0].parent} not searched, e.g."
            f" {below[0].name}: name it, or a pattern such as {below[0].parent / '**' / '*.png'}"
        )
    return notes


def mask_notes(sources: Iterable[Source]) -> list[str]:
    """Reports rasters of one band beside scenes of three or more in a folder: they may be masks.

    Args:
        sources: Scenes of a command.

    Returns:
        One line with the count; empty if there are none.
    """
    bands: dict[Path, int] = {}
    files = [source.path for source in sources if isinstance(source.path, Path)]
    for path in files if len(files) > 1 else ():
        with suppress(InputError), open_raster(path) as raster:
            bands[path] = raster.dataset.count
    colored = {path.parent for path, count in bands.items() if count >= 3}
    single = [path for path, count in bands.items() if count == 1 and path.parent in colored]
    if not single:
        return []
    return [
        f"{counted(len(single), 'raster')} of one band beside scenes of more, e.g. {single[0]}:"
        " mapped, too. If these are masks, name the scenes alone"
    ]
