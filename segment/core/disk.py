"""Files and folders on the disk: errors of writers, free space, creation and removal."""

import errno
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from segment.core.errors import InputError

PARTIAL = ".partial"
"""Ending of the temporary files and folders that outputs are written to."""
_VIRTUAL = re.compile(r"^(/vsi\w+/|\d+_\d+,)*")  # GDAL's archives, and parts of files
_PIECES, _PIECE = 16, 4096  # bytes, of a file that is compared with another one


@contextmanager
def writable(path: Path, space: int = 2**20) -> Iterator[None]:
    """Converts errors of writers (disk full, no permission) into an error that names the file.

    Args:
        path: File that is written.
        space: Bytes that must be free beforehand.

    Raises:
        InputError: If writing fails or there is too little space.
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
    """Checks that the disk has enough free space.

    GDAL may lose data on a full disk without an error.

    Args:
        path: File to write, whose folder exists.
        space: Bytes that must be free.

    Raises:
        OSError: If there are fewer.
    """
    if shutil.disk_usage(path.parent).free < space:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def broken_write(path: Path, problem: str) -> InputError:
    """Returns the error to raise when a file could not be written completely.

    Args:
        path: File that was written, also a temporary one of `staged_files`.
        problem: Description of what went wrong.

    Returns:
        The error. It names the output instead of a temporary path of `staged_files`.
    """
    staged_in = next((above for above in path.parents if above.name.endswith(PARTIAL)), None)
    place = path
    if staged_in is not None:  # a path of `staged_files`, or inside a staged folder
        place = staged_in.parent / (
            path.name if path.parent.name == "new" else staged_in.name[1 : -len(PARTIAL)]
        )
    problem = " ".join(problem.split()).rstrip(".")
    refused = any(word in problem for word in ("ermission", "Read-only", "directory", "exists"))
    cure = "Choose another place." if refused else "Free space there, or choose another place."
    return InputError(f"{place}: cannot be written completely: {problem}. {cure}")


def make_folder(folder: Path) -> list[Path]:
    """Creates a folder and its missing parents.

    Args:
        folder: Folder to create. It may exist.

    Returns:
        The folders that did not exist before, innermost first.

    Raises:
        InputError: If the path leads through a file, or the folder cannot be created.
    """
    made = [f for f in (folder, *folder.parents) if not f.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(f for f in (folder, *folder.parents) if f.exists() and not f.is_dir())
        raise InputError(f"{file} is a file, not a folder. Choose another place.") from error
    except OSError as error:
        raise InputError(
            f"{folder}: folder cannot be created: {error.strerror}. Choose another place."
        ) from error
    return made


def remove_empty(folders: Sequence[Path]) -> None:
    """Removes those folders that are empty.

    Args:
        folders: Folders, innermost first; they need not exist.
    """
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def clear_folder(folder: Path, keep: str | None = None) -> None:
    """Removes everything in a folder.

    Args:
        folder: Folder to clear. It is not removed itself.
        keep: Name of an entry that is kept.
    """
    for entry in folder.iterdir():
        if entry.name != keep:
            remove(entry)


def remove(path: Path) -> None:
    """Removes a file, a link or a folder with all that is in it, if it exists.

    Args:
        path: What to remove.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def file_stamp(path: Path | str) -> tuple[int, ...]:
    """Returns what changes when a file does.

    Args:
        path: Path of the file, or of a part of an archive as GDAL names it (/vsizip/a.zip/b.tif),
            which changes with the archive.

    Returns:
        Size in bytes and time of the last change in nanoseconds; empty where there is no such file
        on this machine.
    """
    place = _file_on_disk(path)
    found = place and place.stat()
    return (found.st_size, found.st_mtime_ns) if found else ()


def sample_file(path: Path | str) -> int:
    """Reads a little of a file, which tells it from another one of the same size.

    Args:
        path: As in `file_stamp`.

    Returns:
        CRC-32 of sixteen pieces of 4096 bytes, spread over the file; 0 where there is no such file
        on this machine, or it cannot be read.
    """
    total = 0
    if place := _file_on_disk(path):
        with suppress(OSError), open(place, "rb", buffering=0) as file:
            last = max(os.fstat(file.fileno()).st_size - _PIECE, 0)
            for number in range(_PIECES):
                file.seek(last * number // (_PIECES - 1))
                total = zlib.crc32(file.read(_PIECE), total)
    return total


def _file_on_disk(path: Path | str) -> Path | None:
    inner = _VIRTUAL.sub("", str(path)).replace("{", "").replace("}", "")
    archives = Path(inner).parents if inner != str(path) else ()
    for place in (path, inner, *archives):
        with suppress(OSError, ValueError):
            if S_ISREG(os.stat(place).st_mode):
                return Path(place)
    return None
