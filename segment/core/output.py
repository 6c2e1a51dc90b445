"""Outputs that appear whole or not at all: written beside their place, then renamed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segment.core.errors import InputError


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raises InputError when `path` exists and may not be replaced."""
    if path.exists() and not overwrite:
        raise InputError(f"Outputs do not replace what exists. Received {path}. Choose another place or add --overwrite.")


@contextmanager
def staged(target: Path, overwrite: bool = False) -> Iterator[Path]:
    """A path beside `target` to write to; it becomes `target` on success and vanishes on failure.

    The body may make a file or a folder there. Folders above `target` are made, and removed again
    on failure if nothing else came into them.
    """
    refuse_existing(target, overwrite)
    made = _make_parents(target.parent)
    partial = target.with_name(f".{target.name}.partial")
    _remove(partial)
    try:
        yield partial
        if overwrite:
            _remove(target)
        partial.rename(target)
    except BaseException:
        _remove(partial)
        for folder in made:
            if not any(folder.iterdir()):
                folder.rmdir()
        raise


def _make_parents(folder: Path) -> list[Path]:
    """Makes `folder`; returns those that did not exist, innermost first."""
    made = [f for f in (folder, *folder.parents) if not f.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"Outputs go into folders. Received {folder}, which is a file. Choose another place.") from error
    return made


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
