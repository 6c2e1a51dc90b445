"""Tensors of a PyTorch weights file (`.pth`), read without PyTorch and without running its code.

Both formats are read: a sequence of pickles and bytes (before PyTorch 1.6), and a ZIP archive.
"""

import math
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray

from segment.core.networks.tensor_pickle import DTYPES, Storage, Tensor, load_pickle

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def read_torch(path: Path) -> dict[str, NDArray[Any]]:
    """Reads a state_dict.

    Args:
        path: File written by `torch.save(network.state_dict(), path)`.

    Returns:
        Its tensors by name, in the shapes of PyTorch. bfloat16 becomes float32, other dtypes are
        kept.

    Raises:
        ValueError: If the file is not complete, or holds anything but tensors.
        OSError: If the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if is_zipfile(file):
            try:
                with ZipFile(file) as archive:
                    return _from_archive(archive, size)
            except RuntimeError as error:  # encrypted, or of a kind that zipfile does not know
                raise ValueError("it is no archive of PyTorch") from error
        file.seek(0)
        return _from_pickles(file, size)


def _from_pickles(file: BinaryIO, size: int) -> dict[str, NDArray[Any]]:
    if load_pickle(file) != _MAGIC or load_pickle(file) != _PROTOCOL:
        raise ValueError("it does not begin as PyTorch's files do")
    system = load_pickle(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its bytes are in big-endian order")
    tensors, keys = _tensors(load_pickle(file)), load_pickle(file)
    storages = _storages(tensors, size)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("it has no list of storages")
    if sorted(keys) != sorted(storages):
        raise ValueError("its list of storages does not fit its tensors")
    values = {}
    for key in keys:
        storage = storages[key]
        if int.from_bytes(_read(file, 8, size), "little") != storage.count:
            raise ValueError(f"storage {key} does not have the length that its tensors give")
        values[key] = _read(file, _length(storage), size)
    return _arrays(tensors, values)


def _from_archive(archive: ZipFile, size: int) -> dict[str, NDArray[Any]]:
    entries = {entry.filename: entry for entry in archive.infolist()}
    if any(entry.compress_type != ZIP_STORED for entry in entries.values()):
        raise ValueError("its parts are compressed, which PyTorch does not do")
    if len(entries) != len(archive.infolist()) or sum(e.file_size for e in entries.values()) > size:
        raise ValueError("its parts overlap")
    root = next((name[: -len("data.pkl")] for name in entries if name.endswith("/data.pkl")), None)
    if root is None:
        raise ValueError("it holds no data.pkl")
    order = f"{root}byteorder"
    if order in entries and archive.read(order) != b"little":
        raise ValueError("its bytes are in big-endian order")
    tensors = _tensors(load_pickle(BytesIO(archive.read(f"{root}data.pkl"))))
    values = {}
    for key, storage in _storages(tensors, size).items():
        entry = entries.get(f"{root}data/{key}")
        if entry is None or entry.file_size != _length(storage):
            raise ValueError(f"storage {key} does not have the length that its tensors give")
        values[key] = archive.read(entry)
    return _arrays(tensors, values)


def _read(file: BinaryIO, count: int, size: int) -> bytes:
    data = file.read(count) if count <= size else b""
    if len(data) != count:
        raise ValueError("it ends early")
    return data


def _tensors(found: Any) -> dict[str, Tensor]:
    """Returns the tensors of a state_dict, which may be wrapped under the key "state_dict"."""
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(t, Tensor) for t in found.values()):
        raise ValueError("it holds other things than named tensors; save the state_dict alone")
    if not found:
        raise ValueError("it holds no tensors")
    return found


def _storages(tensors: dict[str, Tensor], size: int) -> dict[str, Storage]:
    """Returns the storages of all tensors by key, after checking that they fit into the file."""
    storages: dict[str, Storage] = {}
    for name, tensor in tensors.items():
        storage = storages.setdefault(tensor.storage.key, tensor.storage)
        if storage != tensor.storage:
            raise ValueError(f"storage {storage.key} has two lengths or types")
        last = tensor.offset + sum(
            (n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True)
        )
        values = math.prod(tensor.shape)
        if values and (last >= storage.count or values > storage.count):
            raise ValueError(f"{name} reaches beyond its storage")
    if sum(math.prod(tensor.shape) for tensor in tensors.values()) > size:
        raise ValueError("its tensors hold more than the file")
    if sum(map(_length, storages.values())) > size:
        raise ValueError("it ends early")
    return storages


def _length(storage: Storage) -> int:
    return storage.count * np.dtype(DTYPES[storage.dtype]).itemsize


def _arrays(tensors: dict[str, Tensor], values: dict[str, bytes]) -> dict[str, NDArray[Any]]:
    arrays = {}
    for name, tensor in tensors.items():
        dtype = np.dtype(DTYPES[tensor.storage.dtype])
        if len(values[tensor.storage.key]) != _length(tensor.storage):
            raise ValueError("it ends early")
        flat = np.frombuffer(values[tensor.storage.key], dtype)[tensor.offset :]
        steps = [stride * dtype.itemsize for stride in tensor.strides]
        array = np.lib.stride_tricks.as_strided(flat, tensor.shape, steps, writeable=False)
        if tensor.storage.dtype == "BFloat16Storage":
            array = (array.astype("<u4") << 16).view("<f4")
        arrays[name] = array
    return arrays
