"""Memory that decoding a JPEG or PNG takes, from its header."""

import zlib
from pathlib import Path

from segment.core.errors import InputError

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame; the others are tables
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SCAN, _ALONE = 0xDA, frozenset({0x01, *range(0xD0, 0xD9)})
_PADDING = 2**16  # bytes read at a time
# Before the first scan: to read through a file full of the shortest segments would take minutes.
_MOST_SEGMENTS = 10_000

_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf"})
_MOST_CHUNKS = 10_000  # before the picture
_MOST_TEXT = 16 * 2**20  # bytes, of all texts together


def bytes_at_once(path: Path) -> int:
    """Returns how much libjpeg keeps in memory to decode any row of a picture.

    Args:
        path: JPEG file.

    Returns:
        0 bytes where scans are whole, and all coefficients, of two bytes each, where the picture
        comes in several scans (progressive JPEG, ITU T.81 G). 0 for a header that cannot be read,
        too, which GDAL will report.

    Raises:
        InputError: If there are more segments before the first scan than any picture has.
    """
    with path.open("rb") as file:
        file.seek(2)
        frame, progressive = b"", False
        for _ in range(_MOST_SEGMENTS):
            start, marker = (*file.read(2), 0, 0)[:2]
            if start != 0xFF:
                return 0
            if marker == 0xFF:  # padding, of any length
                while padding := file.read(_PADDING):
                    if rest := padding.lstrip(b"\xff"):
                        file.seek(-len(rest) - 1, 1)
                        break
                continue
            if marker in _ALONE:
                continue
            length = int.from_bytes(file.read(2), "big") - 2
            if length < 0:
                return 0
            if marker in _FRAMES:
                frame, progressive = file.read(length), marker in _PROGRESSIVE
            elif marker == _SCAN:
                in_scan = (*file.read(1), 0)[0]
                return (
                    _coefficient_bytes(frame)
                    if len(frame) > 5 and (progressive or in_scan < frame[5])
                    else 0
                )
            else:
                file.seek(length, 1)
    raise InputError(
        f"{path.name}: JPEG has more than {_MOST_SEGMENTS:,} segments before its picture. Save it"
        " again, as a picture."
    )


def _coefficient_bytes(frame: bytes) -> int:
    height, width, count = (
        int.from_bytes(frame[1:3], "big"),
        int.from_bytes(frame[3:5], "big"),
        frame[5],
    )
    factors = [(byte >> 4, byte & 15) for byte in frame[7 : 6 + 3 * count : 3]]
    most = max((h for h, _ in factors), default=1) * max((v for _, v in factors), default=1)
    return 2 * height * width * sum(h * v for h, v in factors) // max(most, 1)


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
