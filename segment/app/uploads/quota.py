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
"""Limit of all visitors' uploads and results together, in multiples of the largest upload."""

ARRIVING = "arriving"
"""Name of folders for uploads that are still arriving, whose bytes are counted by reservations."""

_STEP = 16 * 2**20  # bytes that may arrive between two checks of the quota
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_size(text: str) -> int:
    """Reads a size such as "500MB".

    Args:
        text: Number with an optional unit: B, KB, MB, GB or TB, in powers of 1000.

    Returns:
        Bytes.

    Raises:
        InputError: If the text is not such a size.
    """
    found = re.fullmatch(r"(\d{1,6}) ?([KMGT]?B)?", text.strip().upper(), re.ASCII)
    if not found or not int(found[1]):
        raise InputError(f"--max-upload: {text!r} is not a size. Give one such as 500MB or 2GB.")
    return int(found[1]) * _UNITS[(found[2] or "").removeprefix("B")]


class Quota:
    """Room for the files in a folder.

    Attributes:
        most: Bytes that may be kept.
    """

    def __init__(self, root: Path, most: float):
        """Sets the limit.

        Args:
            root: Folder of the files.
            most: Most bytes, if that is less than half of what is free on the disk now. If not,
                that half is the limit.
        """
        self.most = min(most, shutil.disk_usage(root).free / 2)
        self._root = root
        self._coming = 0
        self._lock = threading.Lock()

    @property
    def kept(self) -> int:
        """Bytes of all files but uploads that still arrive; files with several names count once."""
        sizes: dict[int, int] = {}
        for folder, folders, files in os.walk(self._root):
            if ARRIVING in folders:
                folders.remove(ARRIVING)
            for name in files:
                with suppress(OSError):  # it may just be removed
                    found = os.lstat(os.path.join(folder, name))
                    sizes[found.st_ino] = found.st_size
        return sum(sizes.values())

    def require(self, size: int = 0) -> None:
        """Checks that there is room.

        Args:
            size: Further bytes that need room.

        Raises:
            InputError: If there is no room for them.
        """
        if self.kept + self._coming + size > self.most:
            raise InputError(
                f"The server has no room: it keeps at most {self.most / 1e9:.3g} GB of uploads and"
                " results, each for an hour. Try again later."
            )

    @contextmanager
    def reserve(self, size: int = 0) -> Iterator["Reservation"]:
        """Holds room for an upload while it arrives.

        Args:
            size: Bytes to hold at first.

        Yields:
            The reservation, which grows with the upload.

        Raises:
            InputError: If there is no room for `size` bytes.
        """
        held = Reservation(self)
        try:
            held.grow(size, last=True)
            yield held
        finally:
            held.release()


class Reservation:
    """Room that an upload holds: for the bytes that arrived, never for those it only announces."""

    def __init__(self, quota: Quota):
        """Creates a reservation that holds nothing.

        Args:
            quota: Quota that it counts towards.
        """
        self._quota, self._size, self._unchecked = quota, 0, 0

    def grow(self, size: int, last: bool = False) -> None:
        """Holds more bytes.

        Args:
            size: Bytes that have arrived.
            last: Whether they are the last of the upload.

        Raises:
            InputError: If there is no room for them.
        """
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
