"""Lock files, which let only one process at a time write an output.

The lock file is beside the output. The operating system releases it when its process dies.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segment.core.errors import InputError

_ENDING = ".lock"
# locked byte, far behind the text, which stays readable where locks prevent reading (Windows)
_BEYOND = 2**30


def is_lock(name: str) -> bool:
    """Checks whether a file name is that of a lock.

    Args:
        name: Name of a file.

    Returns:
        Whether it is a lock, either held or left behind by a process that was killed.
    """
    return name.startswith(".") and name.endswith(_ENDING)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keeps other processes from writing the same file or folder while the context is open.

    The lock file is beside `path` and is removed at the end. The lock of a dead process blocks no
    one. Where no lock file can be written, because nothing can be, there is no lock.

    Args:
        path: File or folder that is written, whether it exists or not.

    Raises:
        InputError: If another process holds the lock. The message names the process.
    """
    file = _lock_file(path)
    descriptor = _take(file, path)
    try:
        yield
    finally:
        if descriptor is not None:
            with suppress(OSError):  # Windows does not remove open files
                file.unlink()
            os.close(descriptor)
            if os.name == "nt":
                with suppress(OSError):
                    file.unlink()


def refuse_busy(path: Path) -> None:
    """Checks that no other process is writing a file or folder now.

    Args:
        path: File or folder.

    Raises:
        InputError: If another process holds the lock, as in `alone`.
    """
    if _lock_file(path).exists():
        with alone(path):
            pass


def remove_lock(path: Path) -> None:
    """Removes the lock that a killed process left behind; a lock that is held is kept.

    Args:
        path: File or folder that the process was writing.
    """
    with suppress(InputError):
        refuse_busy(path)


def _lock_file(path: Path) -> Path:
    place = path.resolve()
    beside = place.with_name(f".{place.name}{_ENDING}")
    if place.is_dir() and not os.access(place.parent, os.W_OK):  # e.g. the mount point of a volume
        return place / beside.name
    return beside


def _take(file: Path, path: Path) -> int | None:
    """Returns a descriptor that holds the lock of a path, or None where no file can be written."""
    while True:
        descriptor = _open(file)
        if descriptor is None:
            return None
        try:
            if not _lock(descriptor):
                holder = _read(descriptor)
                raise InputError(
                    f"{path}: is being written by {_describe(holder)}. Wait until it ends, or"
                    " choose another place."
                )
            if _is_in_place(descriptor, file):
                with suppress(OSError):  # a file of another user that is read-only
                    if os.fstat(descriptor).st_size:  # else ext4 would flush it when it is closed
                        os.ftruncate(descriptor, 0)
                    os.lseek(descriptor, 0, os.SEEK_SET)
                    os.write(descriptor, _sign())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its process has finished and removed the file


def _open(file: Path) -> int | None:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with suppress(OSError):
            return os.open(file, flags, 0o666)
    return None


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return _lock_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:  # no locks in this file system: the text of the file names the holder
        return not _is_running(_read(descriptor))


def _lock_on_windows(descriptor: int) -> bool:
    import msvcrt

    try:
        os.lseek(descriptor, _BEYOND, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return True
    except OSError:
        return False


def _is_in_place(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except OSError:
        return False


def _sign() -> bytes:
    command = Path(sys.argv[0]).name if sys.argv else ""
    return f"{os.getpid()}\n{socket.gethostname()}\n{command}".encode(errors="replace")


def _read(descriptor: int) -> list[str]:
    """Returns number, host and command of the process that wrote the lock.

    The list is shorter if the process has not written all of it yet.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 1000).decode(errors="replace").split("\n")


def _describe(holder: list[str]) -> str:
    if len(holder) != 3:
        return "another process"
    number, host, command = holder
    named = f" ({command})" if command else ""
    return f"process {number}{named}" + (f" on {host}" if host != socket.gethostname() else "")


def _is_running(holder: list[str]) -> bool:
    """Checks whether a process of this machine still runs; False for those of other machines."""
    if len(holder) != 3 or holder[1] != socket.gethostname() or not holder[0].isdecimal():
        return False
    try:
        os.kill(int(holder[0]), 0)
    except ProcessLookupError:
        return False
    except OSError:  # a process of another user
        pass
    return True
