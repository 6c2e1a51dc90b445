"""Files of weights: their checksums, how far they may unpack, and whether their numbers are finite."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 2 * 2**30
"""Of a file of weights once it is unpacked. The largest network on offer takes half a gigabyte, a checkpoint three times that."""

_MOST_TEXT = 16 * 2**20  # bytes of the JSON in a `.keras` file; the largest network takes one megabyte


def checksum(file: Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits. Raises OSError when it cannot be read."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def require_small_zip(file: Path | IO[bytes]) -> None:
    """Raises ValueError when a zip file (`.keras`, `.npz`), or weights within it, unpack to more than a network can hold.

    Only directories and headers are read. Raises BadZipFile, or OSError, when it is none.
    """
    with ZipFile(file) as archive:
        entries = archive.infolist()
        _require_small(sum(entry.file_size for entry in entries))
        for entry in entries:
            if entry.filename.endswith(".json"):
                _require_small(entry.file_size, _MOST_TEXT, entry.filename)
            elif entry.filename.endswith(".h5"):
                with archive.open(entry) as weights:
                    require_small_h5(weights)
            elif entry.filename.endswith(".npz"):
                with archive.open(entry) as weights:
                    require_small_zip(weights)


def require_small_h5(file: Path | IO[bytes]) -> None:
    """Raises ValueError when the arrays that an HDF5 file declares are larger than those of a network can be.

    A few bytes are enough to declare any shape. Raises OSError when it is no HDF5 file.
    """
    import h5py

    total = 0

    def add(_: str, item: object) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += int(item.size or 0) * int(item.dtype.itemsize)

    with h5py.File(file, "r") as content:
        content.visititems(add)
    _require_small(total)


def _require_small(size: int, most: int | None = None, part: str = "it") -> None:
    most = most or MOST_BYTES
    if size > most:
        raise ValueError(f"{part} unpacks to {size / 2**20:,.0f} MB, at most {most / 2**20:,.0f} MB are read")


def require_finite(arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Raises ValueError that names the first array that holds NaN or infinity. arrays: with their names."""
    for name, array in arrays:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")
