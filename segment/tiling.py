"""Positions of the tiles of a scene, in plain integers, and the cutting of tiles."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError


def sliding_patches(image: NDArray[Any], patch_size: tuple[int, ...], step: int) -> NDArray[Any]:
    """Returns the views that patchify returns.

    Python 3.13 has no patchify: version 0.2.3 asks for numpy 1, which has no wheel there.

    Args:
        image: Array to cut.
        patch_size: Size of a patch along each axis of the image.
        step: Distance from patch to patch along all axes.

    Returns:
        Views of the image; the first axes count the patches along each axis.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, patch_size)
    return windows[(slice(None, None, step),) * image.ndim]


try:
    from patchify import patchify
except ImportError:
    patchify = sliding_patches


def tile_starts(size: int, tile: int, step: int) -> list[int]:
    """Returns the first pixels of the tiles that cover an axis.

    Tiles are `step` apart, and the last one shifts inward, so that every pixel lies in at least one
    tile.

    Args:
        size: Pixels to cover, at least `tile`.
        tile: Edge of a tile, pixels.
        step: Distance from tile to tile, pixels.

    Returns:
        The first pixel of each tile, in ascending order.
    """
    starts = list(range(0, size - tile + 1, step))
    if starts[-1] + tile < size:
        starts.append(size - tile)
    return starts


def cut_strip(strip: NDArray[Any], tile: int, step: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Cuts a row strip into square tiles, the last one shifted inward.

    The tiles are cut with patchify.

    Args:
        strip: (tile, columns, bands).
        tile: Edge of a tile, pixels, and the height of the strip.
        step: Distance from tile to tile, pixels.

    Yields:
        The first column of a tile, and a view (tile, tile, bands) of its pixels.
    """
    starts = tile_starts(strip.shape[1], tile, step)
    patches = patchify(strip, (tile, tile, strip.shape[2]), step=step)[0, :, 0]
    for index, start in enumerate(starts):
        yield start, patches[index] if index < len(patches) else strip[:, start:]


@dataclass(frozen=True)
class TilePlan:
    """Positions of the square tiles of a scene that is padded by reflection.

    The scene is padded on all sides by at least half of the overlap, so that its outermost pixels
    are seen with context too. Below and to the right it is padded further where it is smaller than
    a tile. Tiles keep to a grid of `multiple` pixels. A network that reduces its input by this
    factor then sees the same ground the same way in overlapping scenes, if each scene is given its
    position in the grid.

    Attributes:
        height: Rows of the scene, pixels.
        width: Columns of the scene, pixels.
        tile: Edge of a tile, pixels, a multiple of `multiple`.
        overlap: Fraction of the tile edge shared with the neighbour, 0 to below 1, rounded to
            `multiple`.
        multiple: Spacing of the grid, pixels.
        row: Row of the scene's first pixel in the grid.
        column: Column of the scene's first pixel in the grid.

    Raises:
        InputError: If `overlap` or `tile` is out of range.
    """

    height: int
    width: int
    tile: int
    overlap: float
    multiple: int = 1
    row: int = 0
    column: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise InputError(
                f"Overlap {self.overlap} is not a fraction from 0 to below 1. Choose e.g. 0.5."
            )
        if self.tile < 1:
            raise InputError(f"Tile edge {self.tile} is less than one pixel. Choose e.g. 256.")
        assert self.tile % self.multiple == 0

    @property
    def shared(self) -> int:
        """Pixels that a tile shares with its neighbour."""
        return min(
            round(self.tile * self.overlap / self.multiple) * self.multiple,
            self.tile - self.multiple,
        )

    @property
    def step(self) -> int:
        """Distance from tile to tile, pixels."""
        return self.tile - self.shared

    @property
    def top(self) -> int:
        """Padded rows above the scene."""
        return self.shared // 2 + (self.row - self.shared // 2) % self.multiple

    @property
    def left(self) -> int:
        """Padded columns to the left of the scene."""
        return self.shared // 2 + (self.column - self.shared // 2) % self.multiple

    @property
    def padded_height(self) -> int:
        """Rows of the padded scene."""
        return self._padded(self.top + self.height)

    @property
    def padded_width(self) -> int:
        """Columns of the padded scene."""
        return self._padded(self.left + self.width)

    def _padded(self, end: int) -> int:
        whole = end + self.shared // 2
        return max(whole + -whole % self.multiple, self.tile)

    @cached_property
    def rows(self) -> list[int]:
        """First padded row of each row of tiles."""
        return tile_starts(self.padded_height, self.tile, self.step)

    @cached_property
    def columns(self) -> list[int]:
        """First padded column of each column of tiles."""
        return tile_starts(self.padded_width, self.tile, self.step)

    @cached_property
    def finished(self) -> list[tuple[int, int]]:
        """Scene rows (first, past the last) that are finished after each row of tiles.

        No later tile touches these rows. Some rows of tiles at the edges finish none.
        """
        edges = [*self.rows, self.padded_height]
        inside = [min(max(edge - self.top, 0), self.height) for edge in edges]
        return list(pairwise(inside))

    def scene_rows(self, start: int) -> NDArray[np.intp]:
        """Returns the scene rows that a row of tiles sees.

        Args:
            start: First padded row of the tiles.

        Returns:
            Row of the scene for each padded row (tile,), reflected at the edges of the scene.
        """
        return reflect(np.arange(start, start + self.tile) - self.top, self.height)

    def scene_columns(self, start: int, stop: int) -> NDArray[np.intp]:
        """Returns the scene columns behind some padded columns.

        Args:
            start: First padded column.
            stop: Past the last padded column.

        Returns:
            Column of the scene for each padded column (stop - start,), reflected at the edges of
            the scene.
        """
        return reflect(np.arange(start, stop) - self.left, self.width)


def reflect(positions: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Mirrors positions at the outermost pixels into 0 to `size` - 1, as often as needed.

    This is the mode "reflect" of `numpy.pad`.

    Args:
        positions: Positions along an axis, of any shape; they may be negative or beyond the end.
        size: Length of the axis, pixels.

    Returns:
        Positions of the same shape.
    """
    if size == 1:
        return np.zeros_like(positions)
    period = 2 * (size - 1)
    folded = positions % period
    return np.minimum(folded, period - folded)
