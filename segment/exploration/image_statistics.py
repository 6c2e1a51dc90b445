"""A pass over the images and masks of a tile folder: what each of them is, and what they hold."""

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
from segment.core.prefetch import compute_ahead, each
from segment.core.progress import Progress
from segment.core.raster.classes import IGNORED, Class, Palette
from segment.core.raster.reader import open_raster
from segment.data.mask_census import MaskCensus
from segment.data.tiles import Pair, decode_mask, pad_tile
from segment.exploration.neighbours import Borders, borders
from segment.tiling import tile_starts

_SHOWN = 6  # windows of a class
_MOST_CLASSES = 40  # of what masks hold that are taken for classes where no table names them
_VALUES = frozenset(map(str, range(IGNORED)))  # that a class may have
_WORKERS = 2


@dataclass(frozen=True)
class Window:
    """A part of a pair to look at: image (tile, tile, bands), class indices (tile, tile), and the share of the class."""

    image: NDArray[Any]
    indices: NDArray[np.uint8]
    share: float
    pair: Pair


@dataclass(frozen=True)
class TileLooks:
    """What was seen of the images.

    pairs: those that can be read. In their order: prints, borders, and class_pixels (pairs, classes). ignored: pixels that are
    of no class. windows: of each class those richest in it. values: bands of random pixels, (pixels, bands). unreadable: why
    others are not among the pairs.
    """

    pairs: Sequence[Pair]
    prints: Sequence[Fingerprint]
    borders: Sequence[Borders]
    class_pixels: NDArray[np.int64]
    ignored: int
    windows: Sequence[Sequence[Window]]
    values: NDArray[np.float32]
    unreadable: Sequence[str]


def palette_of(masks: MaskCensus) -> Palette:
    """A class table of the 40 values or colours that masks hold most of, each named by how they show it. Colours get values
    that no mask holds, as long as there are some.

    Raises InputError when they hold none that a class may have.
    """
    if masks.values == {"0", str(IGNORED)}:  # alone, they are two classes
        masks = replace(masks, held=masks.held + Counter({str(IGNORED): masks.at_255}), at_255=0)
    held = [v for v, _ in masks.held.most_common() if v.startswith("#") or v in _VALUES or v == str(IGNORED)][:_MOST_CLASSES]
    if not held:
        received = ", ".join(value for value, _ in masks.held.most_common(3)) or "nothing but nodata"
        raise InputError(f"Masks hold colours, or values from 0 to 254, one a class. Received {received}. Export them so.")
    shades = (
        f"#{int(255 * (i + 1) / (len(held) + 1)) % 256:02X}{(97 * i) % 256:02X}{(193 * i + 64) % 256:02X}"
        for i in range(2 * len(held))
    )
    unused = (shade for shade in shades if shade not in held)
    others = [value for value in range(IGNORED) if str(value) not in held]
    free = iter(sorted(others, key=lambda value: str(value) in masks.held))
    return Palette(
        [
            Class(name=name, color=name, value=next(free))
            if name.startswith("#")
            else Class(name=name, color=next(unused), value=int(name))
            for name in held
        ]
    )


def look_at_pairs(
    pairs: Sequence[Pair], palette: Palette, tile: int, vectors: Vectors, progress: Progress, seed: int = 0
) -> TileLooks:
    """Reads every image and mask once; vectors gets the images `shrunk`. tile: edge of the windows, pixels.

    Raises InputError when none can be read.
    """
    random = np.random.default_rng(seed)
    seen: list[Pair] = []
    prints, edges, values, unreadable = [], [], [], []
    class_pixels, ignored = [], 0
    windows: list[list[Window]] = [[] for _ in palette.names]

    def read(pair: Pair) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.uint8]] | InputError:
        try:
            with open_raster(pair.image, alpha=pair.info.alpha) as raster:
                image, valid = raster.read()
                indices = decode_mask(pair.mask, palette, image=raster)[0]
        except InputError as error:
            return error
        indices[~valid] = IGNORED
        return image, valid, indices

    with closing(compute_ahead(each(pairs), read, _WORKERS)) as found:
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
            class_pixels.append(counts[: len(palette)])
            ignored += int(counts[IGNORED])
            _keep_richest(windows, pair, image, indices, tile)
    if not seen:
        raise InputError(
            f"Exploring takes images that can be read. Received none. See the first: {next(iter(unreadable), 'none')}"
        )
    return TileLooks(seen, prints, edges, np.stack(class_pixels), ignored, windows, np.concatenate(values), unreadable)


def _keep_richest(windows: list[list[Window]], pair: Pair, image: NDArray[Any], indices: NDArray[np.uint8], tile: int) -> None:
    """Keeps of each class the windows with the largest shares of it, not more than one of a pair."""
    best: dict[int, tuple[float, int, int]] = {}
    for row in tile_starts(max(indices.shape[0], tile), tile, tile):
        for column in tile_starts(max(indices.shape[1], tile), tile, tile):
            counts = np.bincount(indices[row : row + tile, column : column + tile].ravel(), minlength=256)
            for label in np.flatnonzero(counts[: len(windows)]).tolist():
                share = float(counts[label] / counts.sum())
                if share > best.get(label, (0.0, 0, 0))[0]:
                    best[label] = share, row, column
    for label, (share, row, column) in best.items():
        kept = windows[label]
        if len(kept) == _SHOWN and share <= kept[-1].share:
            continue
        place = slice(row, row + tile), slice(column, column + tile)
        kept.append(Window(*pad_tile(image[place].copy(), indices[place].copy(), tile), share, pair))
        kept.sort(key=lambda window: -window.share)
        del kept[_SHOWN:]
