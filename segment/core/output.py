"""Outputs that appear whole or not at all: written beside their place, then renamed."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segment.core.errors import InputError

_PARTIAL = ".partial"


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
    partial = target.with_name(f".{target.name}{_PARTIAL}")
    _remove(partial)
    try:
        yield partial
        if overwrite:
            _remove(target)
        partial.rename(target)
    except BaseException:
        _remove(partial)
        _remove_empty(made)
        raise


@contextmanager
def staged_files(folder: Path, names: Sequence[str], overwrite: bool = False) -> Iterator[Path]:
    """A hidden folder inside `folder` to write files to; on success all move into `folder`, on failure none.

    names: all that the body may write, by which what exists is refused or, with `overwrite`, taken away:
    an earlier file that is not written anew does not stay beside the new ones.
    """
    for name in names:
        refuse_existing(folder / name, overwrite)
    made = _make_parents(folder)
    partial = folder / f".{names[0]}{_PARTIAL}"
    moved: list[tuple[Path, Path]] = []
    try:
        with writable(folder):
            _remove(partial)
            (partial / "replaced").mkdir(parents=True)
            (partial / "new").mkdir()
        yield partial / "new"
        with writable(folder):
            earlier = [(folder / n, partial / "replaced" / n) for n in names if (folder / n).exists()]
            for source, target in earlier + [(f, folder / f.name) for f in sorted((partial / "new").iterdir())]:
                moved.append((source, target))
                source.rename(target)
    except BaseException:
        for source, target in reversed(moved):
            if target.exists() and not source.exists():
                target.rename(source)
        _remove(partial)
        _remove_empty(made)
        raise
    _remove(partial)


@contextmanager
def writable(path: Path, space: int = 2**20) -> Iterator[None]:
    """Turns a writer's complaint (disk full, no permission) into an InputError that names the file.

    space: bytes that must be free beforehand.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    try:
        require_space(path, space)
        yield
    except InputError:
        raise
    except (OSError, RasterioError, CPLE_BaseError) as error:
        raise broken_write(path, str(getattr(error, "strerror", None) or error)) from error


def require_space(path: Path, space: int) -> None:
    """Raises OSError when fewer than `space` bytes are free: GDAL may lose a write on a full disk without a word."""
    if shutil.disk_usage(path.parent).free < space:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def broken_write(path: Path, problem: str) -> InputError:
    """The error to raise when a file could not be written to its end."""
    staged_in = path.parent.parent
    place = staged_in.parent / path.name if staged_in.name.endswith(_PARTIAL) else path
    return InputError(
        f"{place}: outputs must be written to their end. Received: {' '.join(problem.split()).rstrip('.')}. "
        "Free space there, or choose another place."
    )


def _make_parents(folder: Path) -> list[Path]:
    """Makes `folder`; returns those that did not exist, innermost first."""
    made = [f for f in (folder, *folder.parents) if not f.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"Outputs go into folders. Received {folder}, which is a file. Choose another place.") from error
    except OSError as error:
        raise InputError(f"{folder}: must be a folder to write to. Received: {error.strerror}. Choose another place.") from error
    return made


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
