"""How much the server keeps of its visitors' files."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segment.core.errors import InputError

UPLOADS_KEPT = 10
"""The largest upload goes so many times into what is kept, uploads and results of all visitors together."""

ARRIVING = "arriving"
"""Folders of this name hold what has not arrived whole, of which reservations count the bytes."""

_STEP = 16 * 2**20  # bytes after which an upload that arrives is compared with what is kept
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_size(text: str) -> int:
    """Bytes from "500MB". Raises InputError when it is no such size."""
    found = re.fullmatch(r"(\d{1,6}) ?([KMGT]?B)?", text.strip().upper(), re.ASCII)
    if not found or not int(found[1]):
        raise InputError(f"--max-upload: a size such as 500MB or 2GB. Received {text!r}. Write one.")
    return int(found[1]) * _UNITS[(found[2] or "").removeprefix("B")]


class Quota:
    """Room for the files under a folder: `most` bytes, and at most half of what was free on the disk at the start."""

    def __init__(self, root: Path, most: float):
        self.most = min(most, shutil.disk_usage(root).free / 2)
        self._root = root
        self._coming = 0
        self._lock = threading.Lock()

    @property
    def kept(self) -> int:
        """Bytes of all files; those with several names count once."""
        sizes: dict[int, int] = {}
        for folder, folders, files in os.walk(self._root):
            if ARRIVING in folders:
                folders.remove(ARRIVING)
            for name in files:
                with suppress(OSError):  # what is just being removed
                    found = os.lstat(os.path.join(folder, name))
                    sizes[found.st_ino] = found.st_size
        return sum(sizes.values())

    def require(self, size: int = 0) -> None:
        """Raises InputError when there is no room for so many bytes more."""
        if self.kept + self._coming + size > self.most:
            raise InputError(
                f"The server keeps {self.most / 1e9:.3g} GB of uploads and results. Received more from its visitors. "
                "Try again later: they go within an hour."
            )

    @contextmanager
    def reserve(self, size: int = 0) -> Iterator["Reservation"]:
        """Room for an upload while it arrives, at first for so many bytes. Raises InputError when there is none."""
        held = Reservation(self)
        try:
            held.grow(size, last=True)
            yield held
        finally:
            held.release()


class Reservation:
    """Room that an upload holds: for the bytes that have arrived, never for those that it only announces."""

    def __init__(self, quota: Quota):
        self._quota, self._size, self._unchecked = quota, 0, 0

    def grow(self, size: int, last: bool = False) -> None:
        """Holds so many bytes more. last: whether these are the last. Raises InputError when there is no room for them."""
        quota = self._quota
        with quota._lock:
            self._unchecked += size
            if last or self._unchecked >= _STEP:
                quota.require(size)
                self._unchecked = 0
            quota._coming += size
            self._size += size

    def release(self) -> None:
        """Holds nothing any more."""
        with self._quota._lock:
            self._quota._coming -= self._size
            self._size = 0
