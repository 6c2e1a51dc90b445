"""Division of the tiles of a scene into parts by squares of ground, with a margin between parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError, counted
from segment.core.splits import PARTS, Part

NONE = -1
"""Part of a tile in a margin, which neither trains nor is scored."""

_BLOCKS = 24  # squares that a scene is divided into, about
_DRAWS = 200  # divisions that are drawn; the best is improved
_MOST_PAIRS = 20_000_000  # of near tiles in all draws together
_MOVES = 40  # squares tried for each class that a part lacks

Score = tuple[float, float, float]


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


@dataclass(frozen=True)
class _Tiles:
    """Criteria by which divisions of tiles are compared.

    Attributes:
        pixels: Labelled pixels of each class in each tile, (tiles, classes) int64.
        near: Pairs of tiles that are closer than the margin, (2, pairs).
        shares: Share of each part, training too, by its index in `PARTS`.
    """

    pixels: NDArray[np.int64]
    near: NDArray[np.int64]
    shares: Mapping[int, float]

    def with_margins(self, parts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Leaves tiles out of training, then of validation, that are near one of a later part."""
        parts = parts.copy()
        for part in range(len(PARTS) - 1):
            first = self.near[0, (parts[self.near[0]] == part) & (parts[self.near[1]] > part)]
            parts[first] = NONE
        return parts

    def held(self, parts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pixels of each class in each part, (parts, classes)."""
        return np.stack([self.pixels[parts == part].sum(axis=0) for part in self.shares])

    def score(self, parts: NDArray[np.int64]) -> Score:
        """Lower is better: classes that parts lack, that training lacks, deviation from shares.

        The deviation has the pixels of no part, and the shares of all pixels and of each class.
        """
        held = self.held(parts)
        lacks = (held == 0) & (self.pixels.sum(axis=0) > 0)
        amounts = held.sum(axis=1)
        if not amounts.all():
            return np.inf, np.inf, np.inf
        wanted = np.array([*self.shares.values()])[:, None]
        lost = 1 - amounts.sum() / self.pixels.sum()
        of_classes = held / np.maximum(held.sum(axis=0), 1)
        uneven = np.abs(of_classes - wanted).sum(axis=0).mean()
        off = float(np.abs(amounts[:, None] / amounts.sum() - wanted).sum() + lost + uneven)
        return float(lacks.sum()), float(lacks[0].sum()), off


def split_blocks(
    boxes: NDArray[np.int64],
    pixels: NDArray[np.int64],
    shares: Mapping[Part, float],
    margin: int,
    seed: int,
) -> BlockSplit:
    """Divides the tiles of a scene into parts by squares of ground.

    A tile belongs to the square that holds its centre. Divisions of the squares are drawn by seed,
    and the best of them is improved by moving squares to parts that lack a class: what counts is
    first how many classes are in how many parts, then how close the parts come to their shares.
    Each tile closer than `margin` to a tile of a later part is left out. Squares have one and a
    half times the edge of a tile or more; the largest are taken with which no part lacks a class.

    Args:
        boxes: Top, left, bottom and right of each tile in pixels of the scene, (tiles, 4) int64.
        pixels: Labelled pixels of each class in each tile, (tiles, classes) int64, one or more in
            each tile.
        shares: Share of the labelled pixels of each part but training, above 0 to below 1.
        margin: Pixels between tiles of two parts, at least.
        seed: Seed of the division.

    Returns:
        The division.

    Raises:
        InputError: If there are too few tiles for a part to keep one.
    """
    tile = int(max((boxes[:, 2] - boxes[:, 0]).max(), (boxes[:, 3] - boxes[:, 1]).max()))
    indices = {PARTS.index(part): share for part, share in shares.items()}
    whole = {PARTS.index("train"): 1 - sum(shares.values())} | indices
    tiles = _Tiles(pixels, near_tiles(boxes, margin), whole)
    places = np.count_nonzero(pixels, axis=0)
    fewest = np.maximum(len(whole) - places[places > 0], 0).sum()
    best, best_edge, best_score = None, 0, (np.inf, np.inf, np.inf)
    for edge in _edges(boxes, tile):
        blocks = _blocks(boxes, edge)
        if blocks.max() + 1 < len(whole):
            continue
        parts = _best(tiles, blocks, np.random.default_rng(seed))
        if (score := tiles.score(parts))[:2] < best_score[:2]:
            best, best_edge, best_score = parts, edge, score
        if score[0] <= fewest:
            break
    if best is None:
        raise InputError(
            f"data.split=block needs more ground: {counted(len(boxes), 'labelled tile')} cannot"
            " fill each part once half a tile is kept between parts. Label more of the scene, cut"
            " smaller tiles, or set data.split=patch (neighbours then leak, and scores are too"
            " good)."
        )
    lacks = (tiles.held(best) == 0) & (places > 0)
    missing = {
        PARTS[part]: np.flatnonzero(lacking).tolist()
        for part, lacking in zip(whole, lacks, strict=True)
        if lacking.any()
    }
    return BlockSplit(best, best_edge, missing)


def _edges(boxes: NDArray[np.int64], tile: int) -> Sequence[int]:
    """Edges of squares to try, the largest first."""
    smallest = tile + tile // 2
    covered = len(np.unique((boxes[:, :2] + boxes[:, 2:]) // 2 // tile, axis=0)) * tile**2
    edges = [max(2 * tile, round((covered / _BLOCKS) ** 0.5))]
    while edges[-1] > smallest:
        edges.append(max(smallest, round(edges[-1] / 1.5)))
    return edges


def _blocks(boxes: NDArray[np.int64], edge: int) -> NDArray[np.int64]:
    """Number of the square that holds the centre of each tile, (tiles,)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) // 2 - boxes[:, :2].min(axis=0)
    _, numbers = np.unique(centres // edge, axis=0, return_inverse=True)
    return np.asarray(numbers, np.int64).reshape(-1)


def near_tiles(boxes: NDArray[np.int64], margin: int) -> NDArray[np.int64]:
    """Finds tiles that are closer to each other than a margin along both axes.

    Args:
        boxes: Top, left, bottom and right of each tile in pixels of the scene, (tiles, 4) int64.
        margin: Pixels.

    Returns:
        Pairs of tiles, each in both orders, (2, pairs).
    """
    import shapely

    grown = boxes + np.array([-margin, -margin, margin, margin])
    tree = shapely.STRtree(shapely.box(*boxes.T))
    first, second = tree.query(shapely.box(*grown.T))
    gaps = np.maximum(boxes[first, :2], boxes[second, :2]) - np.minimum(
        boxes[first, 2:], boxes[second, 2:]
    )
    close = (gaps < margin).all(axis=1) & (first != second)
    return np.stack([first[close], second[close]])


def _best(
    tiles: _Tiles, blocks: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    """Parts of the tiles in the best division of the squares that is found."""
    sizes = np.bincount(blocks, tiles.pixels.sum(axis=1))
    draws = min(_DRAWS, max(10, _MOST_PAIRS // max(tiles.near.shape[1], 1)))

    def parts_of(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        return tiles.with_margins(drawn[blocks])

    drawings = [_draw(sizes, tiles.shares, random) for _ in range(draws)]
    scores = [tiles.score(parts_of(drawn)) for drawn in drawings]
    first = min(range(draws), key=scores.__getitem__)
    best, score = drawings[first], scores[first]
    for _ in range(len(tiles.shares)):
        held = tiles.held(parts_of(best))
        for part, label in np.argwhere((held == 0) & (tiles.pixels.sum(axis=0) > 0)).tolist():
            hold = np.unique(blocks[tiles.pixels[:, label] > 0])
            for block in random.permutation(hold)[:_MOVES]:
                moved = best.copy()
                moved[block] = [*tiles.shares][part]
                if (changed := tiles.score(parts_of(moved))) < score:
                    best, score = moved, changed
    return parts_of(best)


def _draw(
    sizes: NDArray[Any], shares: Mapping[int, float], random: np.random.Generator
) -> NDArray[np.int64]:
    """Draws a part for each square, by the labelled pixels of the squares."""
    drawn = np.zeros(len(sizes), np.int64)
    order = iter(random.permutation(len(sizes)).tolist())
    for part, share in shares.items():
        if part == PARTS.index("train"):
            continue
        wanted, count = share * sizes.sum(), 0.0
        while count < wanted and (block := next(order, None)) is not None:
            if count and count + sizes[block] / 2 > wanted:
                break
            drawn[block], count = part, count + sizes[block]
    return drawn
