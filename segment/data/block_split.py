"""Division of one scene into parts by squares of ground, with a margin between the parts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.splits import PARTS, Part

NONE = -1
"""Part of a tile in a margin, which neither trains nor is scored."""

_DRAWS = 200  # divisions that are drawn; the best is taken
_BLOCKS = 24  # squares that a scene is divided into, about


@dataclass(frozen=True)
class BlockSplit:
    """A division of tiles by squares of ground.

    Attributes:
        parts: Index of each tile's part in `PARTS`, `NONE` in a margin; (tiles,) int64.
        edge: Edge of a square, pixels.
        missing: Classes that a part lacks although the scene has them, by part.
    """

    parts: NDArray[np.int64]
    edge: int
    missing: Mapping[Part, list[int]]


def split_blocks(
    boxes: NDArray[np.int64],
    pixels: NDArray[np.int64],
    shares: Mapping[Part, float],
    margin: int,
    seed: int,
) -> BlockSplit:
    """Divides the tiles of a scene into parts by squares of ground.

    A tile belongs to the square that holds its centre. Many divisions of the squares are drawn by
    seed, and the best is taken: first by how many classes are in how many parts, then by how close
    the parts come to their shares. Then each tile closer than `margin` to a tile of a smaller part
    is left out of the larger one.

    Args:
        boxes: Top, left, bottom and right of each tile in pixels of the scene, (tiles, 4) int64.
        pixels: Labelled pixels of each class in each tile, (tiles, classes) int64.
        shares: Share of the tiles of each part but training, above 0 to below 1.
        margin: Pixels between tiles of two parts, at least.
        seed: Seed of the division.

    Returns:
        The division.

    Raises:
        InputError: If there are too few tiles for a part to keep one.
    """
    names = [part for part in PARTS if part in shares]
    edges = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    height, width = boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)
    edge = max(2 * int(edges.max()), round((height * width / _BLOCKS) ** 0.5))
    best = None
    while best is None:
        blocks = _blocks(boxes, edge)
        found = int(blocks.max()) + 1
        if found > len(names):
            best = _best(boxes, pixels, blocks, shares, margin, seed)
        if best is None and edge == int(edges.max()):
            raise InputError(
                f"data.split=block needs more ground: {len(boxes)} tiles leave a part without one"
                " once a margin of half a tile is kept between parts. Label more of the scene, cut"
                " smaller tiles, or set data.split=patch (whose neighbours leak)."
            )
        if best is None:
            edge = max(int(edges.max()), edge // 2)
    present = pixels.sum(axis=0) > 0
    missing = {
        part: np.flatnonzero(
            present & (pixels[best == PARTS.index(part)].sum(axis=0) == 0)
        ).tolist()
        for part in ("train", *names)
    }
    return BlockSplit(best, edge, {part: lacks for part, lacks in missing.items() if lacks})


def _blocks(boxes: NDArray[np.int64], edge: int) -> NDArray[np.int64]:
    """Number of the square that holds the centre of each tile, (tiles,)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) // 2 - boxes[:, :2].min(axis=0)
    _, numbers = np.unique(centres // edge, axis=0, return_inverse=True)
    return np.asarray(numbers).reshape(-1)


def _best(
    boxes: NDArray[np.int64],
    pixels: NDArray[np.int64],
    blocks: NDArray[np.int64],
    shares: Mapping[Part, float],
    margin: int,
    seed: int,
) -> NDArray[np.int64] | None:
    """Parts of the best division of the squares; None if each leaves a part empty."""
    near = _near(boxes, margin)
    sizes = np.bincount(blocks)
    present = pixels.sum(axis=0) > 0
    random = np.random.default_rng(seed)
    best, best_score = None, (np.inf, np.inf)
    for _ in range(_DRAWS):
        drawn = np.zeros(len(sizes), np.int64)
        order = iter(random.permutation(len(sizes)))
        for part, share in shares.items():
            count = 0
            while count < share * len(boxes) and (block := next(order, None)) is not None:
                drawn[block], count = PARTS.index(part), count + sizes[block]
        parts = _with_margins(drawn[blocks], near)
        kept = [parts == PARTS.index(part) for part in ("train", *shares)]
        if not all(chosen.any() for chosen in kept):
            continue
        lacking = sum(
            np.count_nonzero(present & (pixels[chosen].sum(axis=0) == 0)) for chosen in kept
        )
        used = sum(np.count_nonzero(chosen) for chosen in kept)
        wanted = (1 - sum(shares.values()), *shares.values())
        off = sum(
            abs(np.count_nonzero(chosen) / used - share)
            for chosen, share in zip(kept, wanted, strict=True)
        )
        score = float(lacking), off + (len(boxes) - used) / len(boxes)
        if score < best_score:
            best, best_score = parts, score
    return best


def _near(boxes: NDArray[np.int64], margin: int) -> NDArray[np.int64]:
    """Pairs of tiles that are closer than a margin along both axes, (2, pairs)."""
    import shapely

    grown = boxes + np.array([-margin, -margin, margin, margin])
    tree = shapely.STRtree(shapely.box(*boxes.T))
    first, second = tree.query(shapely.box(*grown.T))
    gaps = np.maximum(boxes[first, :2], boxes[second, :2]) - np.minimum(
        boxes[first, 2:], boxes[second, 2:]
    )
    close = (gaps < margin).all(axis=1) & (first != second)
    return np.stack([first[close], second[close]])


def _with_margins(parts: NDArray[np.int64], near: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leaves tiles out of training, then of validation, that are near one of a later part."""
    parts = parts.copy()
    for part in range(len(PARTS) - 1):
        first = near[0, (parts[near[0]] == part) & (parts[near[1]] > part)]
        parts[first] = NONE
    return parts
