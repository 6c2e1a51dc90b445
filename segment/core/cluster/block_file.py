"""A finished block on disk: a line that says what it holds, then plain arrays; there whole or not at all."""

import json
import os
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.raster.blocks import Block

_MOST_HEADER = 2**24  # bytes


def block_path(folder: Path, block: Block) -> Path:
    """Where a block's file stands; a folder for each row of blocks, for thousands of files in one are slow on shared disks."""
    return folder / f"row-{block.row:05d}" / f"{block.column:05d}.block"


def write_block(path: Path, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> None:
    """Writes arrays by their names, and plain values.

    Two workers may write the same block at once, when one was given up for dead: each does so under a name of its own.
    Raises OSError when the disk is full.
    """
    parts = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    described = {
        name: {"dtype": array.dtype.str, "shape": array.shape, "checksum": zlib.crc32(array.data)}
        for name, array in parts.items()
    }
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex}")
    try:
        with open(partial, "wb") as file:
            file.write(json.dumps({"arrays": described, "state": state}).encode() + b"\n")
            for array in parts.values():
                file.write(array.data)
            file.flush()
            os.fsync(file.fileno())  # storage in a network tells only then that it is full
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


class BlockFile:
    """A block that was finished. state: the values that were written with it.

    Raises InputError when it is not whole.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            with open(path, "rb") as file:
                header = json.loads(file.readline(_MOST_HEADER))
                start = file.tell()
                size = os.fstat(file.fileno()).st_size
            self.state: dict[str, Any] = header["state"]
            self._arrays: dict[str, tuple[np.dtype[Any], tuple[int, ...], int, int]] = {}
            for name, told in header["arrays"].items():
                dtype, shape = np.dtype(told["dtype"]), tuple(told["shape"])
                self._arrays[name] = dtype, shape, told["checksum"], start
                start += int(np.prod(shape)) * dtype.itemsize
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise self._broken(str(error)) from error
        if size != start:
            raise self._broken(f"{size} bytes in place of {start}")

    def verify(self) -> None:
        """Reads all of it. Raises InputError when it is not as it was written."""
        for name, (_, _, checksum, _) in self._arrays.items():
            if zlib.crc32(self.read(name).data) != checksum:
                raise self._broken("other bytes than were written")

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """An array, or its rows from `start` to before `stop`. Raises InputError when they cannot be read."""
        dtype, shape, _, offset = self._arrays[name]
        rows = (shape[0] if stop is None else stop) - start
        across = int(np.prod(shape[1:]))
        try:
            found = np.fromfile(self.path, dtype, rows * across, offset=offset + start * across * dtype.itemsize)
            return found.reshape(rows, *shape[1:])
        except (OSError, ValueError) as error:
            raise self._broken(str(error)) from error

    def _broken(self, problem: str) -> InputError:
        return InputError(f"{self.path}: finished blocks stay as they were written. Received: {problem}. Run the command again.")


def is_finished(path: Path) -> bool:
    """Whether a block is there as it was written; what is left of one that is not is taken away."""
    if not path.exists():
        return False
    try:
        BlockFile(path).verify()
    except InputError:
        path.unlink(missing_ok=True)
        return False
    return True
