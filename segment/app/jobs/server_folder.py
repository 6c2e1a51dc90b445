"""The folder of a server's files: locked while it runs; later starts remove those left behind."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX, _LOCK = "segment-app-", "lock"


class ServerFolder:
    """A folder of its own for a server, in the system's folder for temporary files.

    Attributes:
        path: Path of the folder.
    """

    def __init__(self) -> None:
        """Creates and locks the folder, and removes those of servers that were killed."""
        remove_left_behind()
        self.path = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}")).resolve()
        self._lock = _lock(self.path / _LOCK, os.O_CREAT)
        locked = self.path.with_name(self.path.name[1:])
        # It gets its name only once it is locked, so no other server can take it for left behind.
        self.path.rename(locked)
        self.path = locked

    def remove(self) -> None:
        """Removes the folder with everything in it, and releases the lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def remove_left_behind() -> None:
    """Removes the folders of killed servers of this user.

    Those of running servers and of other users stay. Does nothing where the system has no file
    locks.
    """
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if not entry.name.startswith(_PREFIX):
                continue
            with suppress(OSError):  # not the folder of a server, or just being removed
                if (
                    not entry.is_dir(follow_symlinks=False)
                    or entry.stat(follow_symlinks=False).st_uid != os.getuid()
                ):
                    continue
                lock = _lock(Path(entry.path) / _LOCK)
                if lock is not None:
                    shutil.rmtree(entry.path, ignore_errors=True)
                    os.close(lock)


def _lock(path: Path, flags: int = 0) -> int | None:
    """Descriptor that holds the lock of a file; None where another process does, or without locks.

    Raises OSError where there is no such file.
    """
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
