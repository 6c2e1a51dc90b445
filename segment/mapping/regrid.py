"""Regridding of maps from the resampled grid that a model sees to the scene's own grid."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segment.core.raster.reader import Raster
from segment.merging import RowStrip
from segment.tile_window import Window
from segment.tiling import TilePlan

_PIECE = 64  # rows made at a time: the scene may have many more pixels than the model sees


@dataclass(frozen=True)
class Axis:
    """Pixels along an edge of a scene, and those that the model sees along the same edge.

    Attributes:
        size: Number of pixels of the scene.
        seen: Number of pixels that the model sees.
    """

    size: int
    seen: int

    def neighbours(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Finds the seen pixels on both sides of the middle of each pixel.

        Args:
            start: First pixel of the scene.
            stop: Pixel after the last.

        Returns:
            For each pixel, the seen pixel before its middle, the one after it, and the weight of
            the latter, 0 to 1; (stop - start,) each.
        """
        positions = ((np.arange(start, stop) + 0.5) * self.seen / self.size - 0.5).clip(
            0, self.seen - 1
        )
        before = positions.astype(np.intp)
        return (
            before,
            np.minimum(before + 1, self.seen - 1),
            (positions - before).astype(np.float32),
        )

    def needed(self, start: int, stop: int) -> tuple[int, int]:
        """Finds the range of seen pixels between which some pixels lie.

        Args:
            start: First pixel of the scene.
            stop: Pixel after the last.

        Returns:
            The first seen pixel, and the one after the last.
        """
        before, after, _ = self.neighbours(start, stop)
        return int(before[0]), int(after[-1]) + 1


def seen_window(
    plan: TilePlan, scene: Raster, top: int, bottom: int, left: int, right: int
) -> Window:
    """Returns what the model must see to map a window of the scene.

    Args:
        plan: Tiles of the scene on the grid that the model sees.
        scene: The scene, open on its own grid.
        top: First row of the window, pixels of the scene.
        bottom: Past the last row.
        left: First column.
        right: Past the last column.

    Returns:
        The window on the grid that the model sees.
    """
    rows = Axis(scene.height, plan.height).needed(top, bottom)
    return Window(plan, *rows, *Axis(scene.width, plan.width).needed(left, right))


def regrid(
    strips: Generator[RowStrip, None, None],
    window: Window,
    scene: Raster,
    top: int,
    bottom: int,
    left: int,
    right: int,
) -> Generator[RowStrip, None, None]:
    """Brings strips from the grid that the model sees back to the scene's own grid.

    Probabilities are interpolated between the nearest four pixels. Which pixels are valid is read
    from the scene itself.

    Args:
        strips: Row strips of the scene's `seen_window`.
        window: That window.
        scene: The scene, open on its own grid.
        top: First row to make, pixels of the scene.
        bottom: Past the last row.
        left: First column.
        right: Past the last column.

    Yields:
        Row strips of the scene.

    Raises:
        InputError: If the scene cannot be read to its end.
    """
    rows, (first, last, share) = (
        Axis(scene.height, window.plan.height),
        Axis(scene.width, window.plan.width).neighbours(left, right),
    )
    # seen rows that are still needed, the first of them, the next row to make
    kept, start, row = None, window.top, top
    with closing(strips):
        for strip in strips:
            seen = (
                strip.probabilities if kept is None else np.concatenate([kept, strip.probabilities])
            )
            end = start + len(seen)
            while row < bottom:
                before, after, below = rows.neighbours(row, min(row + _PIECE, bottom))
                ready = int(np.searchsorted(after, end))
                if not ready:
                    break
                before, after, below = (
                    before[:ready] - start,
                    after[:ready] - start,
                    below[:ready, None, None],
                )
                made = seen[before] * (1 - below) + seen[after] * below
                made = (
                    made[:, first - window.left] * (1 - share[:, None])
                    + made[:, last - window.left] * share[:, None]
                )
                _, valid = scene.read(row, left, ready, right - left)
                yield RowStrip(row, made, valid & made.any(axis=2))
                row += ready
            # rows may be skipped
            needed = min(int(rows.neighbours(row, row + 1)[0][0]), end) if row < bottom else end
            kept, start = seen[needed - start :].copy(), needed
