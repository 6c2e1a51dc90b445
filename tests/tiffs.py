"""TIFFs written byte by byte, with headers that no library would write."""

import struct
from collections.abc import Sequence
from pathlib import Path

WIDTH, HEIGHT, ROWS, TILE_WIDTH, TILE_HEIGHT = 256, 257, 278, 322, 323
KIND, WITHIN, COMPRESSION, OFFSETS, BANDS, COUNTS, PLANAR, METADATA = (
    254,
    330,
    259,
    273,
    277,
    279,
    284,
    42112,
)
REDUCED, MASK = 1, 4


def write_tiff(
    path: Path, *images: dict[int, int], order: str = "<", big: bool = False, next_image: int = 0
) -> Path:
    """Writes a TIFF of images with one pixel and one band each, unless tags say otherwise.

    Args:
        path: File to write.
        *images: Tags of each image that differ.
        order: Byte order, `<` or `>`.
        big: Whether to write a BigTIFF.
        next_image: Offset of a next image that the last image names.
    """
    tags = [
        {
            WIDTH: 1,
            HEIGHT: 1,
            258: 8,
            COMPRESSION: 1,
            262: 1,
            OFFSETS: 8,
            BANDS: 1,
            ROWS: 1,
            COUNTS: 1,
        }
        | image
        for image in images or [{}]
    ]
    count, number = ("Q", "Q") if big else ("H", "I")
    entry, start = (20, 16) if big else (12, 8)
    sizes = [struct.calcsize(f"<{count}{number}") + entry * len(image) for image in tags]
    with path.open("wb") as file:
        signature = b"II" if order == "<" else b"MM"
        file.write(
            signature + struct.pack(f"{order}HHHQ", 43, 8, 0, start)
            if big
            else signature + struct.pack(f"{order}HI", 42, start)
        )
        offset = start
        for position, (image, size) in enumerate(zip(tags, sizes, strict=True)):
            offset += size
            file.write(struct.pack(order + count, len(image)))
            for tag, value in sorted(image.items()):
                file.write(
                    struct.pack(
                        f"{order}HH{number}{'Q' if big else 'I'}", tag, 16 if big else 4, 1, value
                    )
                )
            last = position == len(tags) - 1
            file.write(struct.pack(order + number, next_image if last else offset))
    return path


def each(images: Sequence[int], kind: int) -> list[dict[int, int]]:
    """Returns the tags of square images with these sides; all but the first are of `kind`."""
    return [
        {WIDTH: side, HEIGHT: side, KIND: kind if position else 0}
        for position, side in enumerate(images)
    ]
