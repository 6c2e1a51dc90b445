"""Patches: tiles of a fixed size within the images of pairs, and where they lie on the ground."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
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


_NAME = re.compile(r"r(\d+)_c(\d+)")  # as `segment-tile` writes them


def patch_boxes(patches: Sequence[Patch], tile: int) -> NDArray[np.int64]:
    """Finds where patches are on the ground.

    Georeferenced images of one pixel size are on one grid. Others are placed within their group, by
    the names that `segment-tile` gives them, or alone in it. What is on different grids is apart.

    Args:
        patches: The patches.
        tile: Edge of a tile, pixels.

    Returns:
        Top, left, bottom and right of each, without what lies beyond its image, (patches, 4).

    Raises:
        InputError: If it is not known where an image is.
    """
    places = _places(list(dict.fromkeys(patch.pair for patch in patches)))
    boxes = np.array(
        [
            (
                patch.row,
                patch.column,
                min(patch.row + tile, patch.pair.info.height),
                min(patch.column + tile, patch.pair.info.width),
            )
            for patch in patches
        ],
        np.int64,
    )
    offsets = np.array([places[patch.pair][1:] for patch in patches], np.int64)
    boxes += np.tile(offsets, 2)
    sheets = np.array([places[patch.pair][0] for patch in patches])
    bottom = 0
    for sheet in np.unique(sheets):
        on_it = sheets == sheet
        boxes[on_it] -= np.tile(boxes[on_it, :2].min(axis=0), 2) - np.array([bottom, 0, bottom, 0])
        bottom = int(boxes[on_it, 2].max()) + 4 * tile
    return boxes


def _places(pairs: Sequence[Pair]) -> dict[Pair, tuple[int, int, int]]:
    """Number of the grid that each image is on, and its first row and column there."""
    members = Counter(pair.group for pair in pairs)
    grids: dict[object, tuple[int, object]] = {}
    places = {}
    for pair in pairs:
        ground = pair.info.ground
        named = _NAME.search(pair.image.stem)
        if ground is not None:
            axes = tuple(f"{value:.6g}" for value in ground.transform[:6])
            key = str(ground.crs), axes[0], axes[1], axes[3], axes[4]
            number, origin = grids.setdefault(key, (len(grids), ground.transform))
            column, row = ~origin @ (ground.transform.c, ground.transform.f)  # type: ignore[operator]
            places[pair] = number, round(row), round(column)
        elif named or members[pair.group] == 1:
            number, _ = grids.setdefault((pair.collection, pair.group), (len(grids), None))
            row, column = map(int, named.groups()) if named else (0, 0)
            places[pair] = number, row, column
        else:
            raise InputError(
                f"{pair.image}: not known where it is in its scene, so neighbours cannot be kept"
                " apart by data.split=block: no georeference, and no name such as r000256_c000512"
                " that segment-tile gives. Cut the scene with segment-tile, add scenes as further"
                " groups, or set data.split=run or data.split=patch (neighbours then leak, and"
                " scores are too good)."
            )
    return places
