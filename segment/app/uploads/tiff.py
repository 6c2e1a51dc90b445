"""Work that reading a TIFF takes, from its headers.

GDAL reads through all of its images, and decodes whole blocks.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from segment.core.errors import InputError

# Overviews, masks and pages. GDAL compares each mask with all before it: 10,000 take minutes.
_MOST_IMAGES = 100
_MOST_TAGS = 1000
_LARGEST_TAG = 16 * 2**20  # bytes; XML of metadata takes up to twenty times its size in memory
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
# Formats of integers. Signed ones are read as unsigned, which makes negative values huge.
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "B", 8: "H", 9: "I", 13: "I", 16: "Q", 17: "Q", 18: "Q"}
_KIND, _OLD_KIND, _REDUCED, _MASK, _OLD_REDUCED = 254, 255, 1, 4, 2
_WIDTH, _HEIGHT, _BITS, _BANDS, _ROWS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = (
    256,
    257,
    258,
    277,
    278,
    284,
    322,
    323,
)
_WITHIN = 330  # tag with offsets of images within an image
_PLACES = frozenset({273, 279, 324, 325})  # tags with one number for each block


@dataclass(frozen=True)
class TiffImage:
    """One image of a TIFF: the first is the raster, others are overviews, masks or pages.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        block_bytes: Bytes that have to be decoded at once to read a pixel.
        is_page: Whether it is a picture of its own, which is not read with the first.
    """

    width: int
    height: int
    block_bytes: int
    is_page: bool


def read_images(path: Path) -> list[TiffImage]:
    """Reads the headers of a TIFF or BigTIFF.

    Args:
        path: TIFF file.

    Returns:
        Its images, in their order. What follows a header that cannot be read is left to GDAL.

    Raises:
        InputError: If there are more images, tags or metadata than any raster needs, or if images
            follow each other in a ring.
    """
    with path.open("rb") as file:
        return list(_walk(file, path.name))


def _walk(file: BinaryIO, name: str) -> Iterator[TiffImage]:
    order = ">" if file.read(2) == b"MM" else "<"
    big = _number(file, order, 2) == 43
    file.seek(8 if big else 4)
    pending, seen = [_number(file, order, 8 if big else 4)], set[int]()
    while pending:
        offset = pending.pop(0)
        if not offset:
            continue
        if offset in seen or len(seen) == _MOST_IMAGES:
            received = "a ring of images" if offset in seen else f"more than {_MOST_IMAGES} images"
            raise InputError(
                f"{name}: TIFF holds {received}. Save the raster alone: gdal_translate IN OUT"
            )
        seen.add(offset)
        file.seek(offset)
        count = _number(file, order, 8 if big else 2)
        if count > _MOST_TAGS:
            raise InputError(
                f"{name}: TIFF has {count:,} tags, at most {_MOST_TAGS:,} are read. Save it again:"
                " gdal_translate IN OUT"
            )
        entries = file.read(count * (20 if big else 12))
        if len(entries) < count * (20 if big else 12):
            return
        pending.append(_number(file, order, 8 if big else 4))
        tags: dict[int, int] = {}
        for tag, value in _read_tags(file, entries, order, big, name):
            if tag == _WITHIN:  # GDAL treats these as overviews, too
                pending.append(value)
            tags.setdefault(tag, value)  # like GDAL, which ignores repeated tags
        yield _describe(tags)


def _number(file: BinaryIO, order: str, size: int) -> int:
    return int.from_bytes(file.read(size), "big" if order == ">" else "little")


def _read_tags(
    file: BinaryIO, entries: bytes, order: str, big: bool, name: str
) -> Iterator[tuple[int, int]]:
    """First value of each tag that is a number, with the tag; all values for nested images."""
    head = struct.Struct(order + ("HHQ" if big else "HHI"))
    width = 8 if big else 4
    for start in range(0, len(entries), head.size + width):
        tag, kind, count = head.unpack_from(entries, start)
        value = entries[start + head.size : start + head.size + width]
        size = count * _SIZES.get(kind, 1)
        if size > _LARGEST_TAG and tag not in _PLACES:
            raise InputError(
                f"{name}: TIFF has {size / 2**20:,.0f} MB of metadata in tag {tag}, at most"
                f" {_LARGEST_TAG // 2**20} MB are read. Save it without: gdal_translate -co"
                " PROFILE=GeoTIFF IN OUT"
            )
        if kind not in _NUMBERS or not count:
            continue
        wanted = min(count, _MOST_IMAGES + 1) if tag == _WITHIN else 1
        if size > width:
            file.seek(int.from_bytes(value, "big" if order == ">" else "little"))
            value = file.read(wanted * _SIZES[kind])
        for position in range(min(wanted, len(value) // _SIZES[kind])):
            yield tag, struct.unpack_from(order + _NUMBERS[kind], value, position * _SIZES[kind])[0]


def _describe(tags: dict[int, int]) -> TiffImage:
    width, height = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
    if _TILE_WIDTH in tags:
        pixels = tags[_TILE_WIDTH] * tags.get(_TILE_HEIGHT, height)
    else:
        pixels = width * min(tags.get(_ROWS, height), height)
    bands = tags.get(_BANDS, 1) if tags.get(_PLANAR, 1) == 1 else 1
    is_page = not tags.get(_KIND, 0) & (_REDUCED | _MASK) and tags.get(_OLD_KIND) != _OLD_REDUCED
    return TiffImage(width, height, pixels * bands * max(tags.get(_BITS, 1), 8) // 8, is_page)
