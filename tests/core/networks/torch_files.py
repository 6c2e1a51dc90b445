"""Writes PyTorch's weights files without PyTorch, whole or broken at will."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

STORAGES = {
    "<f4": "FloatStorage",
    "<f2": "HalfStorage",
    "<i8": "LongStorage",
    "<f8": "DoubleStorage",
}
MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def whole(number: int) -> bytes:
    return (
        b"J" + struct.pack("<i", number)
        if number < 2**31
        else b"\x8a\x08" + struct.pack("<q", number)
    )


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def tensor(
    key: str, shape, strides, count: int, *, offset: int = 0, storage: str = "FloatStorage"
) -> bytes:
    """Opcodes that build a tensor on a storage."""
    reference = (
        b"("
        + text("storage")
        + name("torch", storage)
        + text(key)
        + text("cpu")
        + whole(count)
        + b"tQ"
    )
    sizes = b"".join(b"(" + b"".join(map(whole, numbers)) + b"t" for numbers in (shape, strides))
    hooks = name("collections", "OrderedDict") + b")R"
    return (
        name("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + reference
        + whole(offset)
        + sizes
        + b"\x89"
        + hooks
        + b"tR"
    )


def state_dict(tensors: Mapping[str, bytes]) -> bytes:
    """A pickle of an ordered dictionary, as `state_dict` gives it, with its attributes."""
    items = b"".join(text(key) + built for key, built in tensors.items())
    attributes = b"}" + text("_metadata") + name("collections", "OrderedDict") + b")Rsb"
    return (
        b"\x80\x02" + name("collections", "OrderedDict") + b")R(" + items + b"u" + attributes + b"."
    )


def described(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The pickle of arrays, each on a storage of its own, whose key is its number."""
    return state_dict(
        {
            key: tensor(
                str(i),
                array.shape,
                [stride // array.itemsize for stride in array.strides],
                array.size,
                storage=STORAGES[array.dtype.str],
            )
            for i, (key, array) in enumerate(arrays.items())
        }
    )


def write_pickles(
    path: Path, arrays: Mapping[str, np.ndarray], pickle: bytes | None = None, little: bool = True
) -> Path:
    """The format before PyTorch 1.6."""
    system = b"\x80\x02}" + text("little_endian") + (b"\x88" if little else b"\x89") + b"s."
    keys = b"\x80\x02](" + b"".join(text(str(i)) for i in range(len(arrays))) + b"e."
    values = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in arrays.values())
    path.write_bytes(
        MAGIC + b"\x80\x02M\xe9\x03." + system + (pickle or described(arrays)) + keys + values
    )
    return path


def write_archive(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    pickle: bytes | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """The format since PyTorch 1.6."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("net/data.pkl", pickle or described(arrays))
        archive.writestr("net/byteorder", "little")
        for i, array in enumerate(arrays.values()):
            archive.writestr(f"net/data/{i}", array.tobytes())
    return path
