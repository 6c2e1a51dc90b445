"""Files of finished blocks: NumPy's `.npz`, with a checksum of each array."""

import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_magic, write_array
from numpy.typing import NDArray

from segment.core.errors import DAMAGE, InputError
from segment.core.raster.blocks import Block

_STATE = "state"


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

    Two workers may compute the same block, if one of them was taken for dead. Each writes a file of
    its own, which is then renamed.

    Args:
        path: File of the block, see `block_path`.
        arrays: Arrays of the block by their names.
        state: Values that JSON can hold.

    Raises:
        OSError: If the block cannot be written, for example because the disk is full.
    """
    content = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    content[_STATE] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex}")
    try:
        with open(partial, "wb") as file:
            # as numpy.savez does, which leaves an open archive where the disk is full
            with ZipFile(file, "w") as archive:
                for name, array in content.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        write_array(member, array)  # type: ignore[no-untyped-call]
            file.flush()
            os.fsync(file.fileno())  # network storage reports only here that it is full
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


class BlockFile(ExitStack):
    """The file of a finished block, closed at the end of its context.

    Attributes:
        state: Values that were written with the arrays.
    """

    def __init__(self, path: Path):
        """Opens the file.

        Args:
            path: File of the block, see `block_path`.

        Raises:
            InputError: If the file is damaged.
        """
        super().__init__()
        self._path = path
        self._arrays: dict[str, tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]] = {}
        with self._damage_reported():
            self._zip = self.enter_context(ZipFile(path))
            self.state: dict[str, Any] = json.loads(self.read(_STATE).tobytes())

    def read(self, name: str, count: int | None = None) -> NDArray[Any]:
        """Reads the next rows of an array.

        Args:
            name: Name of the array.
            count: Number of rows after those that were read before; by default all of an array of
                which none were.

        Returns:
            The rows, read-only.

        Raises:
            InputError: If they are damaged.
        """
        with self._damage_reported():
            if name not in self._arrays:
                stream = self.enter_context(self._zip.open(f"{name}.npy"))
                read_magic(stream)  # type: ignore[no-untyped-call]
                shape, _, dtype = read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
                self._arrays[name] = stream, shape, dtype
            stream, shape, dtype = self._arrays[name]
            shape = (shape[0] if count is None else count, *shape[1:])
            content = stream.read(math.prod(shape) * dtype.itemsize)
            return np.frombuffer(content, dtype).reshape(shape)

    @contextmanager
    def _damage_reported(self) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{self._path}: damaged block ({error}). Run the command again."
            ) from error


def is_finished(path: Path) -> bool:
    """Checks whether a block exists as it was written, and removes a damaged file.

    Args:
        path: File of the block, see `block_path`.

    Returns:
        Whether the block exists.
    """
    try:
        with ZipFile(path) as file:
            if file.testzip() is None:
                return True
    except FileNotFoundError:
        return False
    except DAMAGE:
        pass
    path.unlink(missing_ok=True)
    return False
