"""Batches of tiles for training: read, cut, augmented."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from segment.augment import Change
from segment.config import Undeclared
from segment.core.cache import Cache
from segment.core.errors import InputError
from segment.core.normalise import BandStatistics, BandStatisticsMeter
from segment.core.palette import IGNORED, Palette
from segment.core.parts import Part
from segment.core.raster import open_raster
from segment.core.resize import resize
from segment.tiles import Pair, Patch, decode_mask, pad_tile


class TilePixels:
    """Pixels and class indices of pairs, with the most recently used ones kept in memory.

    megabytes: at most this much is kept, and one image in any case. names: classes to count the indices by, if not the palette's.
    unknown: what each mask read so far holds that no class has, see `Palette.decode`. Safe to use from several threads.
    """

    def __init__(self, palette: Palette, undeclared: Undeclared, megabytes: int, names: Sequence[str] | None = None):
        self._palette, self._undeclared, self._names = palette, undeclared, names
        self._cache = Cache[tuple[NDArray[Any], NDArray[np.uint8]]](megabytes, lambda both: both[0].nbytes + both[1].nbytes)
        self.unknown: dict[Path, Counter[str]] = {}

    def load(self, pair: Pair) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """The image (rows, columns, bands) and its class indices (rows, columns) uint8, 255 ignored or nodata."""
        return self._cache.get(pair.image, lambda: self._read(pair))

    def _read(self, pair: Pair) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        image, _, mask, self.unknown[pair.image] = _read(pair, self._palette, self._undeclared, self._names)
        return image, mask


def _read(
    pair: Pair, palette: Palette, undeclared: Undeclared, names: Sequence[str] | None = None
) -> tuple[Any, Any, NDArray[np.uint8], Counter[str]]:
    """Image, where it is valid, class indices (ignored where it is not), and the count of undeclared values."""
    with open_raster(pair.image) as raster:
        image, valid = raster.read()
    mask, unknown = decode_mask(pair.mask, palette, undeclared, names)
    mask[~valid] = IGNORED
    return image, valid, mask, unknown


class TileDataset(keras.utils.PyDataset):
    """Batches of (images, masks): (batch, tile, tile, bands) in the files' dtype and (batch, tile, tile) uint8.

    patches: where tiles lie. Masks are ignored where an earlier patch covers the same pixels: scores count each pixel once, and
    with patches drawn singly none is both learned and scored.
    random_crops: each tile is drawn anew from the patch's image instead, where `zoom` is set enlarged or reduced by up to this
    fraction.
    augment: a change of tiles by seed (see `augmentation`). Without, tiles come as they are and in order.
    seed, epoch: what batch i holds depends on these and i alone, so that a run can be repeated and resumed.
    """

    def __init__(
        self,
        patches: Sequence[Patch],
        pixels: TilePixels,
        tile: int,
        batch_size: int,
        *,
        augment: Callable[[int], Change] | None = None,
        random_crops: bool = False,
        zoom: float = 0.0,
        seed: int = 0,
        epoch: int = 0,
        workers: int = 1,
    ):
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self.patches = list(patches)
        self.tile, self.batch_size, self.epoch = tile, batch_size, epoch
        self._pixels, self._augment, self._random_crops, self._zoom, self._seed = pixels, augment, random_crops, zoom, seed

    def __len__(self) -> int:
        return math.ceil(len(self.patches) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        random = np.random.default_rng([self._seed, self.epoch, index])
        chosen = self._order()[index * self.batch_size : (index + 1) * self.batch_size]
        tiles = [self._cut(self.patches[i], random) for i in chosen]
        if self._augment is not None:
            change = self._augment(int(random.integers(2**31)))
            tiles = [change(image, mask) for image, mask in tiles]
        images, masks = zip(*tiles, strict=True)
        return np.stack(images), np.stack(masks)

    def tile_at(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Image and mask of one of `patches`, as they are scored."""
        return self._cut(self.patches[index], np.random.default_rng(self._seed))

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def _order(self) -> NDArray[np.intp]:
        if self._augment is None:
            return np.arange(len(self.patches))
        return np.random.default_rng([self._seed, self.epoch]).permutation(len(self.patches))

    def _cut(self, patch: Patch, random: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        image, mask = self._pixels.load(patch.pair)
        if self._random_crops:
            return self._random_crop(image, mask, random)
        window = slice(patch.row, patch.row + self.tile), slice(patch.column, patch.column + self.tile)
        mask = mask[window].copy()
        mask[: patch.seen_rows] = IGNORED
        mask[:, : patch.seen_columns] = IGNORED
        return pad_tile(image[window], mask, self.tile)

    def _random_crop(
        self, image: NDArray[Any], mask: NDArray[np.uint8], random: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        size = round(self.tile / random.uniform(1 - self._zoom, 1 + self._zoom))
        size = min(size, max(self.tile, min(mask.shape)))  # nothing from beyond the image
        row, column = (int(random.integers(max(length - size, 0) + 1)) for length in mask.shape)
        window = slice(row, row + size), slice(column, column + size)
        image, mask = pad_tile(image[window], mask[window], size)
        if size != self.tile:
            image = resize(image, self.tile, self.tile)
            mask = np.asarray(cv2.resize(mask, (self.tile, self.tile), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        return image, mask


@dataclass(frozen=True)
class Survey:
    """What a pass over all pixels of a tile folder found.

    Pixels that several patches cover count with the first.
    statistics: of the training pixels. class_pixels: (classes,) int64 of each part's masks.
    undeclared: pixels by value or colour that the class table does not name, in all masks.
    """

    statistics: BandStatistics
    class_pixels: dict[Part, NDArray[np.int64]]
    undeclared: Counter[str]


def survey(
    parts: Mapping[Part, Sequence[Patch]],
    palette: Palette,
    undeclared: Undeclared,
    tile: int,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Reads every image and mask once, before training starts: statistics, class shares, undeclared colours.

    Raises InputError when a file cannot be read to its end, or when a part holds no pixel to learn from or to score.
    """
    patches = [(part, patch) for part, some in parts.items() for patch in some]
    patches.sort(key=lambda item: item[1].pair.image)
    first = patches[0][1].pair.info
    meter = BandStatisticsMeter(first.bands, first.dtype)
    class_pixels = {part: np.zeros(len(palette), np.int64) for part, some in parts.items() if some}
    unknown: Counter[str] = Counter()
    pair = None
    for done, (part, patch) in enumerate(patches, 1):
        if patch.pair.image != pair:
            pair = patch.pair.image
            image, valid, mask, found = _read(patch.pair, palette, undeclared)
            unknown += found
        window = (
            slice(patch.row + patch.seen_rows, patch.row + tile),
            slice(patch.column + patch.seen_columns, patch.column + tile),
        )
        class_pixels[part] += np.bincount(mask[window].ravel(), minlength=256)[: len(palette)]
        if part == "train":
            meter.add(image[window], valid[window])
        if progress:
            progress(done, len(patches))
    for part, counts in class_pixels.items():
        if not counts.any():
            raise InputError(
                f"Each part needs pixels of the classes {', '.join(palette.names)}. Received none in the masks of {part}. "
                "Check the class table's colours or values against the masks, or change the split."
            )
    return Survey(meter.statistics(), class_pixels, unknown)
