"""Memory that the texts of a PNG take, from its header.

libpng unpacks all of them when a file is opened.
"""

import zlib
from pathlib import Path

from segment.core.errors import InputError

_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf"})
_MOST_CHUNKS = 10_000  # before the picture
_MOST_TEXT = 16 * 2**20  # bytes, of all texts together


def check_texts(path: Path) -> None:
    """Checks that the texts and profiles of a PNG do not take more memory than any picture needs.

    A header that cannot be read is left to GDAL.

    Args:
        path: PNG file.

    Raises:
        InputError: If they take more, or if there are more chunks before the picture than any has.
    """
    total = 0
    with path.open("rb") as file:
        file.seek(8)
        for _ in range(_MOST_CHUNKS):
            head = file.read(8)
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if len(head) < 8 or kind == b"IDAT":
                return
            start = file.tell()
            if kind in _TEXTS:
                total += length
                if total <= _MOST_TEXT:
                    total += _unpacked(kind, file.read(length), _MOST_TEXT - total + 1)
                if total > _MOST_TEXT:
                    raise InputError(
                        f"{path.name}: PNG has texts of more than {_MOST_TEXT // 2**20} MB beside"
                        " its picture. Save it again, without them."
                    )
            file.seek(start + length + 4)
    raise InputError(
        f"{path.name}: PNG has more than {_MOST_CHUNKS:,} chunks before its picture. Save it again,"
        " as a picture."
    )


def _unpacked(kind: bytes, chunk: bytes, most: int) -> int:
    """Bytes, at most `most`, that a compressed chunk unpacks to.

    0 for chunks that are not compressed, or cannot be unpacked.
    """
    rest = chunk.partition(b"\0")[2]  # the keyword comes first
    if kind == b"iTXt":
        packed = rest[2:].split(b"\0", 2)[-1] if rest[:1] == b"\1" else b""
    else:
        packed = rest[1:] if kind in (b"zTXt", b"iCCP") else b""
    try:
        return len(zlib.decompressobj().decompress(packed, most))
    except zlib.error:
        return 0
