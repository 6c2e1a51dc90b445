"""Blocks of a scene that are computed independently of each other, in plain integers."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from segment.core.errors import InputError
from segment.core.pixels.geometry import Rectangle

EDGE = 8192
"""Default edge of a block in pixels.

Such a block takes one core a minute and a half. The blocks together take a tenth more tiles than
the whole scene would.
"""


@dataclass(frozen=True)
class Block(Rectangle):
    """A rectangle of a scene.

    Attributes:
        row: Row of the block among the blocks, from 0.
        column: Column of the block among the blocks, from 0.
        top: First row of pixels.
        bottom: Row of pixels after the last.
        left: First column of pixels.
        right: Column of pixels after the last.
    """

    row: int
    column: int
    top: int
    bottom: int
    left: int
    right: int

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def __str__(self) -> str:
        """The first row and column of the block, and those after its last."""
        return f"rows {self.top} to {self.bottom}, columns {self.left} to {self.right}"


@dataclass(frozen=True)
class Blocks:
    """Blocks that cover a scene, or a part of it, once.

    They are made when they are asked for, so that a large number of them takes no memory.

    Attributes:
        rows: Rows of pixels at which blocks begin and end, rising; of a whole scene from 0 to its
            height.
        columns: Columns of pixels at which blocks begin and end, rising; of a whole scene from 0 to
            its width.
        left_out: Row and column among the blocks of those that are not computed.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    left_out: frozenset[tuple[int, int]] = frozenset()

    def __len__(self) -> int:
        """The number of blocks."""
        return (len(self.rows) - 1) * (len(self.columns) - 1) - len(self.left_out)

    def __iter__(self) -> Iterator[Block]:
        """Iterates over the blocks in reading order."""
        for row in range(len(self.rows) - 1):
            yield from self.row(row)

    def row(self, row: int) -> Iterator[Block]:
        """Iterates over the blocks side by side in one row of blocks.

        Args:
            row: Row of the blocks, from 0.

        Yields:
            The blocks from left to right.
        """
        top, bottom = self.rows[row : row + 2]
        for column, (left, right) in enumerate(pairwise(self.columns)):
            if (row, column) not in self.left_out:
                yield Block(row, column, top, bottom, left, right)


def divide(size: int, edge: int, places: Sequence[int] = ()) -> tuple[int, ...]:
    """Divides a length into parts that are as even as possible.

    Args:
        size: Length to divide, in pixels.
        edge: Approximate length of a part, in pixels.
        places: Where parts may begin and end, in rising order. The nearest places are chosen, so a
            part may be longer than `edge` by half the distance between two places. Without places,
            parts may begin anywhere, and none is longer than `edge`.

    Returns:
        Where parts begin and end, rising from 0 to `size`.

    Raises:
        InputError: If `edge` is not positive.
    """
    if edge < 1:
        raise InputError(
            f"Edge of a block is {edge} pixels, at least 1 is needed. Choose e.g. {EDGE}."
        )
    count = -(-size // edge)
    wanted = [size * k // count for k in range(1, count)]
    inside = [place for place in places if 0 < place < size]
    if places:
        wanted = [_nearest(inside, position) for position in wanted] if inside else []
    return tuple(sorted({0, *wanted, size}))


def _nearest(places: Sequence[int], position: int) -> int:
    index = bisect_left(places, position)
    return min(places[max(index - 1, 0) : index + 1], key=lambda place: abs(place - position))
