"""Where the blocks of a scene lie that are computed apart from each other, in plain integers."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from segment.core.errors import InputError

EDGE = 8192
"""Edge of a block, pixels, unless it is told: a minute and a half of a core, a tenth more tiles than the whole would take."""


@dataclass(frozen=True)
class Block:
    """A rectangle of a scene. row, column: its place among the blocks. top, bottom, left, right: first and past the last of
    its rows and columns."""

    row: int
    column: int
    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def __str__(self) -> str:
        return f"rows {self.top} to {self.bottom}, columns {self.left} to {self.right}"


@dataclass(frozen=True)
class Blocks:
    """Blocks that cover a scene once, in reading order; made when asked for, so that many take no memory.

    rows, columns: edges between which they lie, from 0 to the scene's size, rising.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def __len__(self) -> int:
        return (len(self.rows) - 1) * (len(self.columns) - 1)

    def __iter__(self) -> Iterator[Block]:
        for row in range(len(self.rows) - 1):
            yield from self.row(row)

    def row(self, row: int) -> Iterator[Block]:
        """The blocks that lie side by side in one row of them."""
        top, bottom = self.rows[row : row + 2]
        for column, (left, right) in enumerate(pairwise(self.columns)):
            yield Block(row, column, top, bottom, left, right)


def divide(size: int, edge: int, places: Sequence[int] = ()) -> tuple[int, ...]:
    """Edges (from 0 to `size`) of parts of about `edge` pixels, as even as may be.

    places: where edges may lie, rising; the nearest are taken, so parts may be longer than `edge` by half the distance
    between two. Without any, edges lie anywhere, and no part is longer.

    Raises InputError when edge is not positive.
    """
    if edge < 1:
        raise InputError(f"Blocks have an edge of at least one pixel. Received {edge}. Choose e.g. {EDGE}.")
    count = -(-size // edge)
    wanted = [size * k // count for k in range(1, count)]
    inside = [place for place in places if 0 < place < size]
    if places:
        wanted = [_nearest(inside, position) for position in wanted] if inside else []
    return tuple(sorted({0, *wanted, size}))


def _nearest(places: Sequence[int], position: int) -> int:
    index = bisect_left(places, position)
    return min(places[max(index - 1, 0) : index + 1], key=lambda place: abs(place - position))
