"""Weight files, written and read: checksums, limits on their unpacked size, finite values."""

import hashlib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import DAMAGE, InputError, brief
from segment.core.model.info import ModelInfo
from segment.core.outputs import staged
from segment.core.pixels.novelty import NOVELTY_FILE, NoveltyDetector

if TYPE_CHECKING:
    import keras

MOST_BYTES = 2 * 2**30
"""Largest size of an unpacked weights file, in bytes.

The largest network on offer takes half a gigabyte, a checkpoint three times that.
"""

# Bytes of the JSON in a `.keras` file; the largest network takes one megabyte.
_MOST_TEXT = 16 * 2**20


def checksum(file: Path) -> str:
    """Computes the SHA-256 of a file.

    Args:
        file: File to read.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: If the file cannot be read.
    """
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def require_small_zip(file: Path | IO[bytes]) -> None:
    """Checks that a ZIP file, and weights within it, unpack to no more than a network can hold.

    Only directories and headers are read.

    Args:
        file: A `.keras` or `.npz` file, or an open binary file.

    Raises:
        ValueError: If it unpacks to more.
        BadZipFile: If it is no ZIP file.
        OSError: If it is no ZIP file, or cannot be read.
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
    """Checks that the arrays declared in an HDF5 file are no larger than a network can hold.

    A few bytes are enough to declare any shape.

    Args:
        file: HDF5 file, or an open binary file.

    Raises:
        ValueError: If the arrays are larger.
        OSError: If it is no HDF5 file.
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
        raise ValueError(
            f"{part} unpacks to {size / 2**20:,.0f} MB, at most {most / 2**20:,.0f} MB are read"
        )


def require_finite(arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Checks that all values are finite.

    Args:
        arrays: Arrays with their names. Only those of floating point are checked.

    Raises:
        ValueError: If an array holds NaN or infinity. The message names the first such array.
    """
    for name, array in arrays:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")


def save_keras_model(file: Path, model: "keras.Model") -> str:
    """Writes a `.keras` file, completely or not at all, and replaces an existing one.

    Args:
        file: File to write.
        model: Network to save.

    Returns:
        SHA-256 of the file, 64 hexadecimal digits.
    """
    with staged(file, overwrite=True) as partial:
        whole = partial.with_name(f"{partial.name}.keras")  # Keras requires this suffix
        try:
            model.save(whole)
            whole.rename(partial)
        finally:
            whole.unlink(missing_ok=True)
        written = checksum(partial)
    return written


def read_keras_model(file: Path) -> "keras.Model":
    """Loads a `.keras` file, in safe mode.

    Args:
        file: File to read.

    Returns:
        The network, not compiled.

    Raises:
        BadZipFile: If the file is no ZIP archive, or is damaged.
        ValueError: If the file unpacks to more than a network can hold, has weights that are not
            finite, or is damaged.
        Exception: Another of `DAMAGE`, if the file is damaged elsewhere, or has layers that Keras
            lacks.
    """
    import keras

    require_small_zip(file)
    with ZipFile(file) as archive:  # Keras would report a damaged file as "not found"
        if broken := archive.testzip():
            raise BadZipFile(f"{broken} is damaged")
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, EOFError):
        raise
    except Exception as error:  # each backend raises its own error when memory runs out
        raise ValueError(
            f"its network is too large, too deeply nested or damaged ({type(error).__name__})"
        ) from error
    require_finite((weight.path, keras.ops.convert_to_numpy(weight)) for weight in model.weights)
    return model


def load_novelty(folder: Path, info: ModelInfo) -> NoveltyDetector | None:
    """Reads the novelty detector of a model folder.

    Args:
        folder: Model folder.
        info: Description of the model.

    Returns:
        The detector; None where the folder has none.

    Raises:
        InputError: If the file of the detector is damaged.
    """
    file = folder / NOVELTY_FILE
    if not file.is_file():
        return None
    try:
        require_small_zip(file)
        with np.load(file) as arrays:
            detector = NoveltyDetector(**{f.name: arrays[f.name] for f in fields(NoveltyDetector)})
        detector.require_whole(info.bands)
        detector.score(np.zeros((info.tile, info.tile, info.bands), info.dtype))
        return detector
    except DAMAGE as error:
        raise InputError(f"{file}: damaged: {brief(error)}. Restore it, or delete it.") from error
