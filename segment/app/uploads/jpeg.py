"""Memory that decoding a JPEG takes, from its header."""

from pathlib import Path

from segment.core.errors import InputError

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame; the others are tables
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SCAN, _ALONE = 0xDA, frozenset({0x01, *range(0xD0, 0xD9)})
_PADDING = 2**16  # bytes read at a time
# Before the first scan: to read through a file full of the shortest segments would take minutes.
_MOST_SEGMENTS = 10_000


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
