"""Patches: tiles of a fixed size within the images of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segment.data.pairs.pair import Pair
from segment.data.splitting.crop_area import CropArea
from segment.tiling import tile_starts


@dataclass(frozen=True)
class Patch:
    """A square of a pair, whose image may be smaller than the tile.

    Attributes:
        pair: Image and mask.
        row: First row in the image.
        column: First column in the image.
        seen_rows: How many of its first rows earlier patches cover already.
        seen_columns: How many of its first columns earlier patches cover already.
    """

    pair: Pair
    row: int
    column: int
    seen_rows: int = 0
    seen_columns: int = 0

    def is_whole(self, tile: int) -> bool:
        """Returns whether a tile here lies within the image and overlaps no earlier patch.

        Args:
            tile: Edge of the tile, pixels.

        Returns:
            True if the whole tile is scored.
        """
        within = (
            self.row + tile <= self.pair.info.height and self.column + tile <= self.pair.info.width
        )
        return within and not (self.seen_rows or self.seen_columns)


def grid_patches(pairs: Sequence[Pair], tile: int) -> list[Patch]:
    """Returns the patches that cover each image side by side.

    The last row and column shift inward.

    Args:
        pairs: Images and masks.
        tile: Edge of a tile, pixels.

    Returns:
        The patches, in reading order within each image.
    """
    patches = []
    for pair in pairs:
        rows = tile_starts(max(pair.info.height, tile), tile, tile)
        columns = tile_starts(max(pair.info.width, tile), tile, tile)
        # the last tile shifts inward: only this one does not start at a multiple of the tile
        patches += [
            Patch(pair, row, column, -row % tile, -column % tile)
            for row in rows
            for column in columns
        ]
    return patches


def crop_areas(patches: Sequence[Patch], tile: int) -> dict[Path, CropArea]:
    """Finds where crops may be in images that are larger than a tile.

    Args:
        patches: Patches whose ground crops may show.
        tile: Edge of a tile, pixels.

    Returns:
        The area of each such image, by its path.
    """
    of_pair: dict[Pair, list[tuple[int, int]]] = {}
    for patch in patches:
        if max(patch.pair.info.height, patch.pair.info.width) > tile:
            of_pair.setdefault(patch.pair, []).append((patch.row, patch.column))
    return {
        pair.image: CropArea(np.array(corners), pair.info.height, pair.info.width, tile)
        for pair, corners in of_pair.items()
    }
