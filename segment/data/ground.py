"""Ground of tiles: where they are in their scene."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.data.pairs.pair import Pair
from segment.data.patches import Patch

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
