"""Batches of tiles for training: read, cut, augmented."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from segment.config import PixelSizes, Undeclared
from segment.core.cache import Cache
from segment.core.config import PreprocessSettings
from segment.core.errors import InputError
from segment.core.model.record import Remembered, TrainingRecord
from segment.core.pixels.normalise import BandStatistics, BandStatisticsMeter
from segment.core.pixels.preprocessing import preprocess
from segment.core.pixels.resize import resize
from segment.core.raster.classes import IGNORED, Palette
from segment.core.raster.reader import open_raster
from segment.core.splits import Part
from segment.data.augment import Change
from segment.data.recognition import remember
from segment.data.tiles import Pair, Patch, decode_mask, fill_up, pad_tile

Tables = Mapping[str, tuple[Palette, NDArray[np.uint8]]]
"""For each collection its class table, and (256,) codes of what its classes admit, see `LabelSets`."""


class Decoded(NamedTuple):
    """A pair, or a tile of it.

    image: (rows, columns, bands) as in the file. valid: (rows, columns), False where nodata. mask: class indices, or codes of
    label sets, (rows, columns) uint8, 255 ignored or nodata.
    """

    image: NDArray[Any]
    valid: NDArray[np.bool_]
    mask: NDArray[np.uint8]

    def cut(self, row: int, column: int, edge: int) -> "Decoded":
        """The square from a row and column on; what lies beyond is filled up as in `pad_tile`."""
        window = slice(row, row + edge), slice(column, column + edge)
        image, mask = pad_tile(self.image[window], self.mask[window], edge)
        return Decoded(image, fill_up(self.valid[window], edge), mask)

    def around(self, row: int, column: int, edge: int) -> "Decoded":
        """The square from a row and column on, which may be negative; what lies beyond is reflected, labels too."""
        places = [np.arange(first, first + edge) for first in (row, column)]
        rows, columns = (_reflected(p, length) for p, length in zip(places, self.mask.shape, strict=True))
        return Decoded(*(array[rows[:, None], columns] for array in self))


def _reflected(places: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Places on a line, within 0 to length, reflected at both ends as often as it takes."""
    period = max(2 * length - 2, 1)
    folded = np.abs(places) % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(places)


class TilePixels:
    """Pixels and class indices of pairs as they are stored, with the most recently used ones kept in memory.

    megabytes: at most this much is kept, and one image in any case. names: classes to count the indices by, if not the palette's.
    tables: of collections, in place of the palette.
    unknown: what each mask read so far holds that no class has, see `Palette.decode`. Safe to use from several threads.
    """

    def __init__(
        self,
        palette: Palette,
        undeclared: Undeclared,
        megabytes: int,
        names: Sequence[str] | None = None,
        tables: Tables = MappingProxyType({}),
    ):
        self._palette, self._undeclared, self._names, self._tables = palette, undeclared, names, tables
        self._cache = Cache[Decoded](megabytes, lambda found: sum(array.nbytes for array in found))
        self.unknown: dict[Path, Counter[str]] = {}

    def load(self, pair: Pair) -> Decoded:
        return self._cache.get(pair.image, lambda: self._read(pair))

    def _read(self, pair: Pair) -> Decoded:
        decoded, self.unknown[pair.image] = _read(pair, self._palette, self._undeclared, self._names, self._tables)
        return decoded


def _read(
    pair: Pair,
    palette: Palette,
    undeclared: Undeclared,
    names: Sequence[str] | None = None,
    tables: Tables = MappingProxyType({}),
) -> tuple[Decoded, Counter[str]]:
    """A pair, whose mask is ignored where it is not valid, and the count of undeclared values."""
    palette, codes = tables.get(pair.collection, (palette, None))
    with open_raster(pair.image, alpha=pair.info.alpha) as raster:
        image, valid = raster.read()
        mask, unknown = decode_mask(pair.mask, palette, undeclared, names, raster)
    mask = mask if codes is None else codes[mask]
    mask[~valid] = IGNORED
    return Decoded(image, valid, mask), unknown


class TileDataset(keras.utils.PyDataset):
    """Batches of (images, masks): (batch, tile, tile, bands) in the files' dtype and (batch, tile, tile) uint8.

    patches: where tiles lie. Masks are ignored where an earlier patch covers the same pixels: scores count each pixel once, and
    with patches drawn singly none is both learned and scored.
    random_crops: each tile is drawn anew from the patch's image instead, where `zoom` is set enlarged or reduced by up to this
    fraction, or, where a collection has `pixel_sizes`, seen at pixels so many times as large as its own.
    weights: share of the tiles drawn from each collection, `tiles` an epoch (0: as many as there are patches); without, each
    patch comes once.
    preprocessing: what is done to tiles, as they were cut and before they are augmented.
    augment: a change of tiles by seed (see `augmentation`). Without, tiles come in order.
    seed, epoch: what batch i holds depends on these and i alone, so that a run can be repeated and resumed.
    """

    def __init__(
        self,
        patches: Sequence[Patch],
        pixels: TilePixels,
        tile: int,
        batch_size: int,
        *,
        preprocessing: PreprocessSettings,
        augment: Callable[[int], Change] | None = None,
        random_crops: bool = False,
        zoom: float = 0.0,
        pixel_sizes: Mapping[str, PixelSizes] = MappingProxyType({}),
        weights: Mapping[str, float] = MappingProxyType({}),
        tiles: int = 0,
        seed: int = 0,
        epoch: int = 0,
        workers: int = 1,
    ):
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self.patches = list(patches)
        self.tile, self.batch_size, self.epoch = tile, batch_size, epoch
        self._pixels, self._augment, self._random_crops, self._zoom, self._seed = pixels, augment, random_crops, zoom, seed
        self._preprocessing, self._pixel_sizes = preprocessing, pixel_sizes
        self.epoch_tiles = tiles or len(self.patches)
        self._shares = self._draw_by(weights)

    def _draw_by(self, weights: Mapping[str, float]) -> NDArray[np.float64] | None:
        """The probability of each patch (patches,); None where each comes once."""
        if not weights and self.epoch_tiles == len(self.patches):
            return None
        counts = Counter(patch.pair.collection for patch in self.patches)
        shares = np.array([weights.get(p.pair.collection, 1.0) / counts[p.pair.collection] for p in self.patches])
        drawn: NDArray[np.float64] = shares / shares.sum()
        return drawn

    def __len__(self) -> int:
        return math.ceil(self.epoch_tiles / self.batch_size)

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

    def draw(self, count: int) -> Iterator[NDArray[Any]]:
        """Images (tile, tile, bands) drawn at random as for training, but not augmented."""
        random = np.random.default_rng([self._seed, count])
        for index in random.choice(len(self.patches), count, p=self._shares):
            yield self._cut(self.patches[index], random)[0]

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def _order(self) -> NDArray[np.intp]:
        if self._augment is None:
            return np.arange(len(self.patches))
        random = np.random.default_rng([self._seed, self.epoch])
        if self._shares is None:
            return random.permutation(len(self.patches))
        return random.choice(len(self.patches), self.epoch_tiles, p=self._shares)

    def _cut(self, patch: Patch, random: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        whole = self._pixels.load(patch.pair)
        if self._random_crops:
            sizes = self._pixel_sizes.get(patch.pair.collection)
            image, valid, mask = self._random_crop(whole, random) if sizes is None else self._seen_at(whole, sizes, random)
        else:
            image, valid, mask = whole.cut(patch.row, patch.column, self.tile)
            mask = mask.copy()
            mask[: patch.seen_rows] = IGNORED
            mask[:, : patch.seen_columns] = IGNORED
        return preprocess(image, self._preprocessing, valid), mask

    def _random_crop(self, whole: Decoded, random: np.random.Generator) -> Decoded:
        size = round(self.tile / random.uniform(1 - self._zoom, 1 + self._zoom))
        size = min(size, max(self.tile, min(whole.mask.shape)))  # nothing from beyond the image
        row, column = (int(random.integers(max(length - size, 0) + 1)) for length in whole.mask.shape)
        cut = whole.cut(row, column, size)
        return self._at_tile_size(cut)

    def _seen_at(self, whole: Decoded, sizes: PixelSizes, random: np.random.Generator) -> Decoded:
        """A random square at pixels of a random size, as likely twice as large as half as large. What an image is too small for
        is reflected, so that small images are seen from afar as well."""
        size = round(self.tile * math.exp(random.uniform(*np.log(sizes))))
        row, column = (int(random.integers(min(length - size, 0), max(length - size, 0) + 1)) for length in whole.mask.shape)
        return self._at_tile_size(whole.around(row, column, size))

    def _at_tile_size(self, cut: Decoded) -> Decoded:
        if len(cut.mask) == self.tile:
            return cut
        return Decoded(resize(cut.image, self.tile, self.tile), self._nearest(cut.valid) > 0, self._nearest(cut.mask))

    def _nearest(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """(rows, columns) at the size of a tile."""
        edge = self.tile
        return np.asarray(cv2.resize(pixels.astype(np.uint8), (edge, edge), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


@dataclass(frozen=True)
class Survey:
    """What a pass over all pixels of a tile folder found.

    Pixels that several patches cover count with the first.
    statistics: of the training pixels, preprocessed. class_pixels: (codes,) int64 of each part's masks, see `LabelSets`.
    undeclared: pixels by value or colour that the class table does not name, in all masks. record: of all images, by which
    they are known again.
    """

    statistics: BandStatistics
    class_pixels: dict[Part, NDArray[np.int64]]
    undeclared: Counter[str]
    record: TrainingRecord


def survey(
    parts: Mapping[Part, Sequence[Patch]],
    palette: Palette,
    undeclared: Undeclared,
    tile: int,
    preprocessing: PreprocessSettings,
    progress: Callable[[int, int], None] | None = None,
    tables: Tables = MappingProxyType({}),
    codes: int = 0,
) -> Survey:
    """Reads every image and mask once, before training starts: statistics, class shares, undeclared colours.

    tables: of collections, in place of the palette. codes: how many codes their labels have; by default the classes.

    Raises InputError when a file cannot be read to its end, when a part holds no pixel to learn from or to score, and as
    `preprocess` does.
    """
    patches = [(part, patch) for part, some in parts.items() for patch in some]
    patches.sort(key=lambda item: item[1].pair.image)
    first = patches[0][1].pair.info
    meter = BandStatisticsMeter(first.bands, first.dtype)
    codes = codes or len(palette)
    class_pixels = {part: np.zeros(codes, np.int64) for part, some in parts.items() if some}
    unknown: Counter[str] = Counter()
    pair = None
    remembered: list[Remembered] = []
    of_image: dict[Path, list[tuple[Part, Patch]]] = {}
    for part, patch in patches:
        of_image.setdefault(patch.pair.image, []).append((part, patch))
    for done, (part, patch) in enumerate(patches, 1):
        if patch.pair.image != pair:
            pair = patch.pair.image
            whole, found = _read(patch.pair, palette, undeclared, tables=tables)
            unknown += found
            remembered += remember(whole.image, of_image[pair], tile)
        image, valid, mask = whole.cut(patch.row, patch.column, tile)
        height, width, _ = whole.image.shape
        new = slice(patch.seen_rows, height - patch.row), slice(patch.seen_columns, width - patch.column)
        class_pixels[part] += np.bincount(mask[new].ravel(), minlength=256)[:codes]
        if part == "train":
            meter.add(preprocess(image, preprocessing, valid)[new], valid[new])
        if progress:
            progress(done, len(patches))
    for part, counts in class_pixels.items():
        if not counts.any():
            raise InputError(
                f"Each part needs pixels of the classes {', '.join(palette.names)}. Received none in the masks of {part}. "
                "Check the class table's colours or values against the masks, or change the split."
            )
    return Survey(meter.statistics(), class_pixels, unknown, TrainingRecord.of(remembered))
