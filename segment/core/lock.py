"""One process at a time: a lock file beside what is written, which the system lets go of when its process dies."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segment.core.errors import InputError

_ENDING = ".lock"
_BEYOND = 2**30  # a byte behind the text, which others can then still read where locks bar reading (Windows)


def is_lock(name: str) -> bool:
    """Whether a file of that name is a lock, held or left by a process that was killed."""
    return name.startswith(".") and name.endswith(_ENDING)


@contextmanager
def alone(path: Path, rule: str) -> Iterator[None]:
    """Keeps other processes from writing the same file or folder meanwhile; the lock of a dead process stops nobody.

    path: what is written, whether it exists or not. The lock file lies beside it and is gone afterwards. Where no
    lock file can be written, because nothing can, there is no lock.
    rule: of the error, a sentence.

    Raises InputError, which names the other process, when there is one.
    """
    file = _lock_file(path)
    descriptor = _take(file, f"{path}: {rule}")
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


def refuse_busy(path: Path, rule: str) -> None:
    """Raises InputError, as `alone` does, when another process is writing the file or folder now."""
    if _lock_file(path).exists():
        with alone(path, rule):
            pass


def remove_lock(path: Path) -> None:
    """Takes away what a process that was killed left of its lock; one that is held stays."""
    with suppress(InputError):
        refuse_busy(path, "")


def _lock_file(path: Path) -> Path:
    place = path.resolve()
    beside = place.with_name(f".{place.name}{_ENDING}")
    if place.is_dir() and not os.access(place.parent, os.W_OK):  # e.g. a volume that is mounted there
        return place / beside.name
    return beside


def _take(file: Path, rule: str) -> int | None:
    """A descriptor that holds the lock; None where no file can be written."""
    while True:
        descriptor = _open(file)
        if descriptor is None:
            return None
        try:
            if not _lock(descriptor):
                holder = _read(descriptor)
                raise InputError(f"{rule} Its lock is held by {_describe(holder)}. Wait for its end, or choose another place.")
            if _is_in_place(descriptor, file):
                with suppress(OSError):  # a file of another user that may be read alone
                    os.ftruncate(descriptor, 0)
                    os.lseek(descriptor, 0, os.SEEK_SET)
                    os.write(descriptor, _sign())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its process took the file away when it had finished


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
    except OSError:  # a file system without locks: the file itself says who holds it
        return not _lives(_read(descriptor))


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
    return f"{os.getpid()}\n{socket.gethostname()}\n{Path(sys.argv[0]).name if sys.argv else ''}".encode(errors="replace")


def _read(descriptor: int) -> list[str]:
    """Number, machine and command of a process; less where it has not written all of it yet."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 1000).decode(errors="replace").split("\n")


def _describe(holder: list[str]) -> str:
    if len(holder) != 3:
        return "another process"
    number, host, command = holder
    named = f" ({command})" if command else ""
    return f"process {number}{named}" + (f" on {host}" if host != socket.gethostname() else "")


def _lives(holder: list[str]) -> bool:
    """Whether a process of this machine still runs; False of other machines' processes, which cannot be asked."""
    if len(holder) != 3 or holder[1] != socket.gethostname() or not holder[0].isdecimal():
        return False
    try:
        os.kill(int(holder[0]), 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        pass
    return True
