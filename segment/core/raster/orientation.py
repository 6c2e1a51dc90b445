"""EXIF orientation: its tag in a file, and where pixels of the upright picture are stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

_TAG = 0x0112
_MOST_PARTS = 1000  # segments, chunks or entries that are read


@dataclass(frozen=True)
class Orientation:
    """How a picture is turned upright: a transposition, then flips.

    Attributes:
        number: EXIF orientation, 1 to 8 (TIFF 6.0, tag 274).
    """

    number: int = 1

    @property
    def transposes(self) -> bool:
        """Whether rows and columns are exchanged."""
        return self.number >= 5

    @property
    def _flips(self) -> tuple[bool, bool]:
        """Whether rows, and whether columns, are in the opposite order."""
        return self.number in (3, 4, 7, 8), self.number in (2, 3, 6, 7)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Converts the size of the stored picture to that of the upright one, or back.

        Args:
            height: Number of rows.
            width: Number of columns.

        Returns:
            Rows and columns after turning.
        """
        return (width, height) if self.transposes else (height, width)

    def stored_window(
        self, row: int, column: int, height: int, width: int, upright: tuple[int, int]
    ) -> tuple[int, int, int, int]:
        """Locates a window of the upright picture in the file.

        Args:
            row: First row of the window.
            column: First column of the window.
            height: Rows of the window.
            width: Columns of the window.
            upright: Rows and columns of the upright picture.

        Returns:
            Row, column, height and width of the window as it is stored.
        """
        rows, columns = self._flips
        row = upright[0] - row - height if rows else row
        column = upright[1] - column - width if columns else column
        return (column, row, width, height) if self.transposes else (row, column, height, width)

    def turn(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Turns pixels upright.

        Args:
            stored: Pixels of a window as they are stored, (rows, columns, ...).

        Returns:
            A view of the pixels, turned upright.
        """
        rows, columns = self._flips
        turned = stored.swapaxes(0, 1) if self.transposes else stored
        return turned[:: -1 if rows else 1, :: -1 if columns else 1]


UPRIGHT = Orientation()


def read_orientation(path: Path) -> Orientation:
    """Reads the EXIF orientation of a JPEG, PNG, WebP or TIFF file.

    Args:
        path: The file.

    Returns:
        The orientation; upright where the file declares none that can be understood.
    """
    try:
        with path.open("rb") as file:
            start = file.read(12)
            if start[:2] == b"\xff\xd8":
                parts = _jpeg(file)
            elif start[:8] == b"\x89PNG\r\n\x1a\n":
                parts = _chunks(file, 8, "big", b"eXIf", 4)
            elif start[:4] == b"RIFF" and start[8:] == b"WEBP":
                parts = _chunks(file, 12, "little", b"EXIF", 0)
            elif start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                return Orientation(_in_tiff(file, 0))
            else:
                return UPRIGHT
            for part in parts:
                return Orientation(_in_tiff(file, part))
    except (OSError, ValueError, OverflowError):
        pass
    return UPRIGHT


def summarise_turned(found: Sequence[tuple[Path | str, Orientation]]) -> list[str]:
    """Counts the images of a folder that are turned upright.

    Args:
        found: Each image with its orientation.

    Returns:
        One line to print, none where no image is turned.
    """
    turned = [(path, orientation) for path, orientation in found if orientation.number != 1]
    if not turned:
        return []
    path, orientation = turned[0]
    return [
        f"note: {len(turned)} of {len(found)} images are turned upright by their EXIF orientation,"
        f" e.g. {path} ({orientation.number}): programs that ignore EXIF see them turned"
    ]


def _jpeg(file: BinaryIO) -> Iterator[int]:
    """Yields the offset at which EXIF data begins in a JPEG."""
    file.seek(2)
    for _ in range(_MOST_PARTS):
        start, marker = (*file.read(2), 0, 0)[:2]
        if start != 0xFF:
            return
        if marker == 0xFF:  # padding
            file.seek(-1, 1)
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # without a length
            continue
        length = int.from_bytes(file.read(2), "big") - 2
        if marker in (0xDA, 0xD9) or length < 0:
            return
        begin = file.tell()
        if marker == 0xE1 and length > 6 and file.read(6) == b"Exif\0\0":
            yield begin + 6
        file.seek(begin + length)


def _chunks(file: BinaryIO, begin: int, order: Any, wanted: bytes, checksum: int) -> Iterator[int]:
    """Yields the offset at which EXIF data begins in a PNG or WebP.

    The first chunk is at `begin`, and each is followed by `checksum` bytes.
    """
    for _ in range(_MOST_PARTS):
        file.seek(begin)
        head = file.read(8)
        if len(head) < 8:
            return
        name, length = (head[4:], head[:4]) if checksum else (head[:4], head[4:])
        size = int.from_bytes(length, order)
        if name == wanted:
            yield begin + 8 + (6 if file.read(6) == b"Exif\0\0" else 0)
        begin += 8 + size + (checksum or size % 2)


def _in_tiff(file: BinaryIO, begin: int) -> int:
    """The orientation in the first directory of a TIFF or BigTIFF, 1 without a valid one.

    The TIFF starts at the byte `begin` of the file.
    """
    file.seek(begin)
    head = file.read(16)
    order: Any = {b"II": "little", b"MM": "big"}.get(head[:2])
    if order is None or len(head) < 8:
        return 1
    is_big = int.from_bytes(head[2:4], order) == 43  # BigTIFF
    first, counted, size, value_at = (head[8:], 8, 20, 12) if is_big else (head[4:8], 2, 12, 8)
    file.seek(begin + int.from_bytes(first, order))
    entries = min(int.from_bytes(file.read(counted), order), _MOST_PARTS)
    directory = file.read(size * entries)
    for entry in (directory[at : at + size] for at in range(0, len(directory), size)):
        if int.from_bytes(entry[:2], order) == _TAG:
            value = int.from_bytes(entry[value_at : value_at + 2], order)
            return value if 1 <= value <= 8 else 1
    return 1
