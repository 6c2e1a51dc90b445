"""Where tiles lie, in plain integers, and how their probabilities merge, row band by row band."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from patchify import patchify

from segment.core.errors import InputError


def tile_starts(size: int, tile: int, step: int) -> list[int]:
    """First pixels of the tiles that cover 0..size, `step` apart; the last one shifts inward.

    size: pixels to cover, at least `tile`. Every pixel lies in one tile at least.
    """
    starts = list(range(0, size - tile + 1, step))
    if starts[-1] + tile < size:
        starts.append(size - tile)
    return starts


def cut_strip(strip: NDArray[Any], tile: int, step: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Cuts a strip of `tile` rows into square tiles with patchify, the last one shifted inward.

    strip: (tile, columns, bands). Yields the first column and the (tile, tile, bands) view of each.
    """
    starts = tile_starts(strip.shape[1], tile, step)
    patches = patchify(strip, (tile, tile, strip.shape[2]), step=step)[0, :, 0]
    for index, start in enumerate(starts):
        yield start, patches[index] if index < len(patches) else strip[:, start:]
