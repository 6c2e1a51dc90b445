"""Search for files and folders by patterns, where links may lead in circles."""

import glob
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def folders_below(root: Path | str) -> Iterator[Path]:
    """Walks through a folder and all folders below it.

    Links are followed. Each folder comes once, and none that contains `root`. Hidden folders below
    `root` are skipped.

    Args:
        root: Folder to start at.

    Yields:
        The folders, first those that are reached without a link.
    """
    seen = {str(folder) for folder in Path(os.path.realpath(root)).parents}
    folders, links = deque([Path(root)]), deque[Path]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        yield folder
        with suppress(OSError):  # a folder without permission to read
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                if os.path.isdir(entry.path) and not entry.name.startswith("."):
                    (links if entry.is_symlink() else folders).append(folder / entry.name)


def files_matching(pattern: str) -> list[Path]:
    """Finds the files and folders that match a pattern.

    Args:
        pattern: Path with *, ?, [...], and ** for any depth.

    Returns:
        Paths, sorted. One that several links lead to comes once.
    """
    found: dict[tuple[str, str], str] = {}
    for path in _matches(pattern):
        folder, name = os.path.split(path)
        real = os.path.realpath(folder)
        place = (real, name)
        if place not in found or os.path.abspath(folder) == real:  # preferred to a link
            found[place] = path
    return [Path(path) for path in sorted(found.values())]


def _leads_up(link: str) -> bool:
    return (
        Path(os.path.realpath(link))
        in Path(os.path.realpath(os.path.dirname(link) or os.curdir), "_").parents
    )


def _matches(pattern: str) -> Iterator[str]:
    """Paths as from a recursive `glob.glob`, which would follow links without end."""
    parts = pattern.replace(os.altsep or os.sep, os.sep).split(os.sep)
    if "**" not in parts:
        yield from glob.glob(pattern)
        return
    first = parts.index("**")
    before, after = os.sep.join(parts[:first]), [part for part in parts[first + 1 :] if part]
    for start in glob.glob(before or os.sep) if first else [os.curdir]:
        if glob.has_magic(before) and os.path.islink(start) and _leads_up(start):
            continue
        for folder in folders_below(start):
            yield from _matches(os.path.join(glob.escape(str(folder)), *(after or "*")))
