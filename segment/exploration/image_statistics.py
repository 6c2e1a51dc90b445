"""Image statistics: a pass over the images and masks of a tile folder."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.exploration.image_statistics import settled, shrunk, some_values
from segment.core.pixels.components import Vectors
from segment.core.pixels.near_duplicates import Fingerprint, fingerprint
from segment.core.prefetch import each, prefetch
from segment.core.progress import Progress
from segment.core.raster.classes import IGNORED, Class, ClassTable
from segment.core.raster.opening import open_raster
from segment.data.mask_census import MaskCensus
from segment.data.patches import pad_tile
from segment.data.pixels import decode_mask
from segment.data.tiles import Pair
from segment.exploration.neighbours import Borders, borders
from segment.tiling import tile_starts

_SHOWN = 6  # windows of each class
_MOST_CLASSES = 40  # values that are taken for classes where there is no class table
_VALUES = frozenset(map(str, range(IGNORED)))  # values that a class may have
_WORKERS = 2


@dataclass(frozen=True)
class Window:
    """A part of a pair to show.

    Attributes:
        image: (tile, tile, bands).
        indices: Class indices (tile, tile) uint8.
        share: Share of the class in the window, 0 to 1.
        pair: Image and mask that it is from.
    """

    image: NDArray[Any]
    indices: NDArray[np.uint8]
    share: float
    pair: Pair


@dataclass(frozen=True)
class TileStatistics:
    """Statistics of the images and masks of a tile folder.

    Attributes:
        pairs: Pairs that can be read.
        prints: Fingerprint of each image, in the order of `pairs`.
        borders: Borders of each image, in the order of `pairs`.
        class_pixels: (pairs, classes), pixels of each class, in the order of `pairs`.
        ignored: Pixels that are of no class.
        windows: For each class, the windows that hold most of it.
        values: Random pixels, (pixels, bands).
        unreadable: Why other pairs cannot be read.
    """

    pairs: Sequence[Pair]
    prints: Sequence[Fingerprint]
    borders: Sequence[Borders]
    class_pixels: NDArray[np.int64]
    ignored: int
    windows: Sequence[Sequence[Window]]
    values: NDArray[np.float32]
    unreadable: Sequence[str]


def class_table_of(masks: MaskCensus) -> ClassTable:
    """Makes a class table of the 40 values or colours that masks hold most of.

    Each class is named by how masks show it. Colours get values that no mask holds, as long as
    there are some.

    Args:
        masks: Census of the masks.

    Returns:
        The class table.

    Raises:
        InputError: If masks hold nothing that a class may have.
    """
    if masks.values == {"0", str(IGNORED)}:  # with no other values, these are two classes
        masks = replace(masks, held=masks.held + Counter({str(IGNORED): masks.at_255}), at_255=0)
    held = [
        v
        for v, _ in masks.held.most_common()
        if v.startswith("#") or v in _VALUES or v == str(IGNORED)
    ][:_MOST_CLASSES]
    if not held:
        received = (
            ", ".join(value for value, _ in masks.held.most_common(3)) or "nothing but nodata"
        )
        raise InputError(
            f"Masks hold colours, or values from 0 to 254, one a class. Received {received}. Export"
            " them so."
        )
    shades = (
        f"#{255 * (i + 1) // (len(held) + 1) % 256:02X}"
        f"{(97 * i) % 256:02X}{(193 * i + 64) % 256:02X}"
        for i in range(2 * len(held))
    )
    unused = (shade for shade in shades if shade not in held)
    others = [value for value in range(IGNORED) if str(value) not in held]
    free = iter(sorted(others, key=lambda value: str(value) in masks.held))
    return ClassTable(
        [
            (
                Class(name=name, color=name, value=next(free))
                if name.startswith("#")
                else Class(name=name, color=next(unused), value=int(name))
            )
            for name in held
        ]
    )


def gather_statistics(
    pairs: Sequence[Pair],
    class_table: ClassTable,
    tile: int,
    vectors: Vectors,
    progress: Progress,
    seed: int = 0,
) -> TileStatistics:
    """Reads every image and mask once.

    Args:
        pairs: Images and masks.
        class_table: Class table by which masks are decoded.
        tile: Edge of the windows, pixels.
        vectors: Receives each image, reduced by `shrunk`.
        progress: Receives the number of images read.
        seed: Seed of the pixels that are drawn.

    Returns:
        Statistics of the images and masks.

    Raises:
        InputError: If no pair can be read.
    """
    random = np.random.default_rng(seed)
    seen: list[Pair] = []
    prints, edges, values, unreadable = [], [], [], []
    class_pixels, ignored = [], 0
    windows: list[list[Window]] = [[] for _ in class_table.names]

    def read(pair: Pair) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.uint8]] | InputError:
        try:
            with open_raster(pair.image, alpha=pair.info.alpha) as raster:
                image, valid = raster.read()
                indices = decode_mask(pair.mask, class_table, image=raster)[0]
        except InputError as error:
            return error
        indices[~valid] = IGNORED
        return image, valid, indices

    with closing(prefetch(each(pairs), read, _WORKERS)) as found:
        for done, (pair, result) in enumerate(found, 1):
            progress.advance("reading images", done, len(pairs))
            if isinstance(result, InputError):
                unreadable.append(str(result))
                continue
            image, valid, indices = result
            seen.append(pair)
            values.append(some_values(image, valid, len(pairs), random))
            image = settled(image)
            prints.append(fingerprint(image))
            edges.append(borders(image))
            vectors.add(shrunk(image))
            counts = np.bincount(indices.ravel(), minlength=256)
            class_pixels.append(counts[: len(class_table)])
            ignored += int(counts[IGNORED])
            _keep_richest(windows, pair, image, indices, tile)
    if not seen:
        raise InputError(
            "Exploring takes images that can be read. Received none. See the first:"
            f" {next(iter(unreadable), 'none')}"
        )
    return TileStatistics(
        seen,
        prints,
        edges,
        np.stack(class_pixels),
        ignored,
        windows,
        np.concatenate(values),
        unreadable,
    )


def _keep_richest(
    windows: list[list[Window]],
    pair: Pair,
    image: NDArray[Any],
    indices: NDArray[np.uint8],
    tile: int,
) -> None:
    """Keeps the windows with the largest shares of each class, at most one of a pair."""
    best: dict[int, tuple[float, int, int]] = {}
    for row in tile_starts(max(indices.shape[0], tile), tile, tile):
        for column in tile_starts(max(indices.shape[1], tile), tile, tile):
            counts = np.bincount(
                indices[row : row + tile, column : column + tile].ravel(), minlength=256
            )
            for label in np.flatnonzero(counts[: len(windows)]).tolist():
                share = float(counts[label] / counts.sum())
                if share > best.get(label, (0.0, 0, 0))[0]:
                    best[label] = share, row, column
    for label, (share, row, column) in best.items():
        kept = windows[label]
        if len(kept) == _SHOWN and share <= kept[-1].share:
            continue
        place = slice(row, row + tile), slice(column, column + tile)
        kept.append(
            Window(*pad_tile(image[place].copy(), indices[place].copy(), tile), share, pair)
        )
        kept.sort(key=lambda window: -window.share)
        del kept[_SHOWN:]
