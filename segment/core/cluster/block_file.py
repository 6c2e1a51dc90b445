"""Files of finished blocks: a header line, then plain arrays; complete or not there."""

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
    """Returns the path of the file of a block.

    There is a folder for each row of blocks, because thousands of files in one folder are slow on
    shared disks.

    Args:
        folder: Folder of the blocks of a scene.
        block: The block.

    Returns:
        The path.
    """
    return folder / f"row-{block.row:05d}" / f"{block.column:05d}.block"


def write_block(path: Path, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> None:
    """Writes a finished block, completely or not at all.

    Two workers may write the same block at once, if one of them was given up for dead. Each writes
    to a file of its own, which is then renamed.

    Args:
        path: File of the block, see `block_path`.
        arrays: Arrays of the block by their names.
        state: Values that JSON can hold.

    Raises:
        OSError: If the block cannot be written, for example because the disk is full.
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
            os.fsync(file.fileno())  # network storage reports only here that it is full
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


class BlockFile:
    """The file of a finished block.

    Attributes:
        path: Path of the file.
        state: Values that were written with the arrays.
    """

    def __init__(self, path: Path):
        """Reads the header.

        Args:
            path: File of the block, see `block_path`.

        Raises:
            InputError: If the file is not complete.
        """
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
        """Reads the whole file, and compares the arrays with their checksums.

        Raises:
            InputError: If an array differs from what was written, or cannot be read.
        """
        for name, (_, _, checksum, _) in self._arrays.items():
            if zlib.crc32(self.read(name).data) != checksum:
                raise self._broken("other bytes than were written")

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Reads an array, or some of its rows.

        Args:
            name: Name of the array.
            start: First row.
            stop: Row after the last, by default that of the whole array.

        Returns:
            The array, or these rows.

        Raises:
            InputError: If they cannot be read.
        """
        dtype, shape, _, offset = self._arrays[name]
        rows = (shape[0] if stop is None else stop) - start
        across = int(np.prod(shape[1:]))
        try:
            found = np.fromfile(
                self.path, dtype, rows * across, offset=offset + start * across * dtype.itemsize
            )
            return found.reshape(rows, *shape[1:])
        except (OSError, ValueError) as error:
            raise self._broken(str(error)) from error

    def _broken(self, problem: str) -> InputError:
        return InputError(
            f"{self.path}: finished blocks stay as they were written. Received: {problem}. Run the"
            " command again."
        )


def is_finished(path: Path) -> bool:
    """Checks whether a block is there as it was written, and removes a damaged file.

    Args:
        path: File of the block, see `block_path`.

    Returns:
        Whether the block is there.
    """
    if not path.exists():
        return False
    try:
        BlockFile(path).verify()
    except InputError:
        path.unlink(missing_ok=True)
        return False
    return True
