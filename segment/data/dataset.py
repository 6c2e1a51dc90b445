"""Batches of tiles for training: read, cut and augmented."""

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
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.model.record import Remembered, TrainingRecord
from segment.core.pixels.normalise import BandStatistics, BandStatisticsMeter
from segment.core.pixels.preprocessing import preprocess
from segment.core.pixels.resize import resize
from segment.core.raster.classes import IGNORED, ClassTable
from segment.core.raster.opening import open_raster
from segment.core.splits import Part
from segment.data.augment import Change
from segment.data.patches import Patch, fill_up, pad_tile
from segment.data.recognition import remember
from segment.data.tiles import Pair, decode_mask
from segment.tiling import reflect

Tables = Mapping[str, tuple[ClassTable, NDArray[np.uint8]]]
"""Class table of each collection, and (256,) codes of what its classes admit, see `LabelSets`."""


class Decoded(NamedTuple):
    """Pixels and mask of a pair, or of a tile of it.

    Attributes:
        image: (rows, columns, bands) in the dtype of the file.
        valid: (rows, columns) bool, False where nodata.
        mask: (rows, columns) uint8, class indices or codes of label sets; 255 where ignored or
            nodata.
    """

    image: NDArray[Any]
    valid: NDArray[np.bool_]
    mask: NDArray[np.uint8]

    def cut(self, row: int, column: int, edge: int) -> "Decoded":
        """Cuts out a square; what lies beyond the image is padded as in `pad_tile`.

        Args:
            row: First row, 0 or above.
            column: First column, 0 or above.
            edge: Edge of the square, pixels.

        Returns:
            The square, (edge, edge).
        """
        window = slice(row, row + edge), slice(column, column + edge)
        image, mask = pad_tile(self.image[window], self.mask[window], edge)
        return Decoded(image, fill_up(self.valid[window], edge), mask)

    def around(self, row: int, column: int, edge: int) -> "Decoded":
        """Cuts out a square; what lies beyond the image is reflected, labels too.

        Args:
            row: First row, which may be negative.
            column: First column, which may be negative.
            edge: Edge of the square, pixels.

        Returns:
            The square, (edge, edge).
        """
        height, width = self.mask.shape
        rows = reflect(np.arange(row, row + edge), height)
        columns = reflect(np.arange(column, column + edge), width)
        return Decoded(*(array[rows[:, None], columns] for array in self))


class TilePixels:
    """Decoded images and masks of pairs; the most recently used ones are kept in memory.

    It can be used from several threads.

    Args:
        class_table: Class table by which masks are decoded.
        undeclared: Whether to ignore mask colours that no class has, or to refuse them.
        megabytes: Most memory for the images that are kept; one image is kept in any case.
        names: Classes to count the indices by, if not those of `class_table`.
        tables: Class tables and codes of collections, used in place of `class_table`.

    Attributes:
        unknown: By path of the image, what each mask read so far holds that no class has, see
            `ClassTable.decode`.
    """

    def __init__(
        self,
        class_table: ClassTable,
        undeclared: Undeclared,
        megabytes: int,
        names: Sequence[str] | None = None,
        tables: Tables = MappingProxyType({}),
    ):
        self._palette, self._undeclared, self._names, self._tables = (
            class_table,
            undeclared,
            names,
            tables,
        )
        self._cache = Cache[Decoded](megabytes, lambda found: sum(array.nbytes for array in found))
        self.unknown: dict[Path, Counter[str]] = {}

    def load(self, pair: Pair) -> Decoded:
        """Returns a pair, read from its files or from memory.

        Args:
            pair: Image and mask.

        Returns:
            The whole image and its mask.

        Raises:
            InputError: If a file cannot be read, or the mask holds undeclared colours that are
                refused.
        """
        return self._cache.get(pair.image, lambda: self._read(pair))

    def _read(self, pair: Pair) -> Decoded:
        decoded, self.unknown[pair.image] = _read(
            pair, self._palette, self._undeclared, self._names, self._tables
        )
        return decoded


def _read(
    pair: Pair,
    class_table: ClassTable,
    undeclared: Undeclared,
    names: Sequence[str] | None = None,
    tables: Tables = MappingProxyType({}),
) -> tuple[Decoded, Counter[str]]:
    """Returns a pair, with its mask ignored where the image is nodata, and undeclared values."""
    class_table, codes = tables.get(pair.collection, (class_table, None))
    with open_raster(pair.image, alpha=pair.info.alpha) as raster:
        image, valid = raster.read()
        mask, unknown = decode_mask(pair.mask, class_table, undeclared, names, raster)
    mask = mask if codes is None else codes[mask]
    mask[~valid] = IGNORED
    return Decoded(image, valid, mask), unknown


class TileDataset(keras.utils.PyDataset):
    """Batches of images and masks for training or scoring.

    A batch is (images, masks): (batch, tile, tile, bands) in the dtype of the files, and (batch,
    tile, tile) uint8. Masks are ignored where an earlier patch covers the same pixels. So scores
    count each pixel once, and where patches are drawn singly, no pixel is both learned and scored.
    What batch i holds depends on `seed`, `epoch` and i alone, so that a run can be repeated and
    resumed.

    Args:
        patches: Positions of the tiles.
        pixels: Source of their pixels.
        tile: Edge of a tile, pixels.
        batch_size: Tiles in a batch.
        preprocessing: What is done to tiles after they are cut and before they are augmented.
        augment: Makes a change of tiles from a seed (see `augmentation`). Without it, tiles come in
            order.
        random_crops: Whether to draw each tile at random from the patch's image instead.
        zoom: Random crops are enlarged or reduced by up to this fraction.
        pixel_sizes: By collection, random crops are seen at pixels so many times as large as their
            own, in place of `zoom`.
        weights: Share of the tiles drawn from each collection. Without `weights` and `tiles`, each
            patch comes once in an epoch.
        tiles: Tiles in an epoch; 0: as many as there are patches.
        seed: Seed of all that is random.
        epoch: Number of the first epoch.
        workers: Threads that prepare batches.

    Attributes:
        patches: Positions of the tiles.
        tile: Edge of a tile, pixels.
        batch_size: Tiles in a batch.
        epoch: Number of the current epoch.
        epoch_tiles: Tiles in an epoch.
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
        self._pixels, self._augment, self._random_crops, self._zoom, self._seed = (
            pixels,
            augment,
            random_crops,
            zoom,
            seed,
        )
        self._preprocessing, self._pixel_sizes = preprocessing, pixel_sizes
        self.epoch_tiles = tiles or len(self.patches)
        self._shares = self._draw_by(weights)

    def _draw_by(self, weights: Mapping[str, float]) -> NDArray[np.float64] | None:
        """Returns the probability of each patch, (patches,); None where each comes once."""
        if not weights and self.epoch_tiles == len(self.patches):
            return None
        counts = Counter(patch.pair.collection for patch in self.patches)
        shares = np.array(
            [weights.get(p.pair.collection, 1.0) / counts[p.pair.collection] for p in self.patches]
        )
        drawn: NDArray[np.float64] = shares / shares.sum()
        return drawn

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return math.ceil(self.epoch_tiles / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Returns the images and masks of a batch of the current epoch."""
        random = np.random.default_rng([self._seed, self.epoch, index])
        chosen = self._order()[index * self.batch_size : (index + 1) * self.batch_size]
        tiles = [self._cut(self.patches[i], random) for i in chosen]
        if self._augment is not None:
            change = self._augment(int(random.integers(2**31)))
            tiles = [change(image, mask) for image, mask in tiles]
        images, masks = zip(*tiles, strict=True)
        return np.stack(images), np.stack(masks)

    def tile_at(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Returns a tile as it is scored.

        Args:
            index: Position in `patches`.

        Returns:
            Image (tile, tile, bands) and mask (tile, tile) uint8.
        """
        return self._cut(self.patches[index], np.random.default_rng(self._seed))

    def draw(self, count: int) -> Iterator[NDArray[Any]]:
        """Draws tiles at random as for training, without augmentation.

        Args:
            count: Number of tiles.

        Yields:
            The image (tile, tile, bands) of a tile.
        """
        random = np.random.default_rng([self._seed, count])
        for index in random.choice(len(self.patches), count, p=self._shares):
            yield self._cut(self.patches[index], random)[0]

    def on_epoch_end(self) -> None:
        """Moves on to the next epoch; Keras calls it."""
        self.epoch += 1

    def _order(self) -> NDArray[np.intp]:
        if self._augment is None:
            return np.arange(len(self.patches))
        random = np.random.default_rng([self._seed, self.epoch])
        if self._shares is None:
            return random.permutation(len(self.patches))
        return random.choice(len(self.patches), self.epoch_tiles, p=self._shares)

    def _cut(
        self, patch: Patch, random: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        whole = self._pixels.load(patch.pair)
        if self._random_crops:
            sizes = self._pixel_sizes.get(patch.pair.collection)
            image, valid, mask = (
                self._random_crop(whole, random)
                if sizes is None
                else self._seen_at(whole, sizes, random)
            )
        else:
            image, valid, mask = whole.cut(patch.row, patch.column, self.tile)
            mask = mask.copy()
            mask[: patch.seen_rows] = IGNORED
            mask[:, : patch.seen_columns] = IGNORED
        return preprocess(image, self._preprocessing, valid), mask

    def _random_crop(self, whole: Decoded, random: np.random.Generator) -> Decoded:
        size = round(self.tile / random.uniform(1 - self._zoom, 1 + self._zoom))
        # so no pixel comes from beyond the image
        size = min(size, max(self.tile, min(whole.mask.shape)))
        row, column = (
            int(random.integers(max(length - size, 0) + 1)) for length in whole.mask.shape
        )
        cut = whole.cut(row, column, size)
        return self._at_tile_size(cut)

    def _seen_at(self, whole: Decoded, sizes: PixelSizes, random: np.random.Generator) -> Decoded:
        """Cuts a random square at pixels of a random size.

        Pixels twice as large are as likely as pixels half as large. Where an image is too small it
        is reflected, so that small images are seen at coarse pixels as well.
        """
        size = round(self.tile * math.exp(random.uniform(*np.log(sizes))))
        row, column = (
            int(random.integers(min(length - size, 0), max(length - size, 0) + 1))
            for length in whole.mask.shape
        )
        return self._at_tile_size(whole.around(row, column, size))

    def _at_tile_size(self, cut: Decoded) -> Decoded:
        if len(cut.mask) == self.tile:
            return cut
        return Decoded(
            resize(cut.image, self.tile, self.tile),
            self._nearest(cut.valid) > 0,
            self._nearest(cut.mask),
        )

    def _nearest(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Returns pixels (rows, columns) at the size of a tile, by nearest neighbour."""
        edge = self.tile
        return np.asarray(
            cv2.resize(
                pixels.astype(np.uint8), (edge, edge), interpolation=cv2.INTER_NEAREST_EXACT
            ),
            np.uint8,
        )


@dataclass(frozen=True)
class Survey:
    """What a pass over all pixels of a tile folder found.

    Pixels that several patches cover count with the first of them.

    Attributes:
        statistics: Statistics of the training pixels after preprocessing.
        class_pixels: (codes,) int64, pixels of each code in the masks of each part, see
            `LabelSets`.
        undeclared: Pixels by value or colour that the class table does not name, in all masks.
        record: Record of all images, by which they are recognised later.
    """

    statistics: BandStatistics
    class_pixels: dict[Part, NDArray[np.int64]]
    undeclared: Counter[str]
    record: TrainingRecord


def survey(
    parts: Mapping[Part, Sequence[Patch]],
    class_table: ClassTable,
    undeclared: Undeclared,
    tile: int,
    preprocessing: PreprocessSettings,
    progress: Callable[[int, int], None] | None = None,
    tables: Tables = MappingProxyType({}),
    codes: int = 0,
) -> Survey:
    """Reads every image and mask once before training starts.

    Args:
        parts: Patches of each part.
        class_table: Class table by which masks are decoded.
        undeclared: Whether to ignore mask colours that no class has, or to refuse them.
        tile: Edge of a tile, pixels.
        preprocessing: What is done to tiles before they are measured.
        progress: Called with the number of patches done and of all.
        tables: Class tables and codes of collections, used in place of `class_table`.
        codes: Number of codes of their labels; 0: the number of classes.

    Returns:
        Statistics, class shares and undeclared colours.

    Raises:
        InputError: If a file cannot be read completely, if a part holds no pixel to learn from or
            to score, and as `preprocess` does.
    """
    patches = [(part, patch) for part, some in parts.items() for patch in some]
    patches.sort(key=lambda item: item[1].pair.image)
    first = patches[0][1].pair.info
    meter = BandStatisticsMeter(first.bands, first.dtype)
    codes = codes or len(class_table)
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
            whole, found = _read(patch.pair, class_table, undeclared, tables=tables)
            unknown += found
            remembered += remember(whole.image, of_image[pair], tile)
        image, valid, mask = whole.cut(patch.row, patch.column, tile)
        height, width, _ = whole.image.shape
        new = (
            slice(patch.seen_rows, height - patch.row),
            slice(patch.seen_columns, width - patch.column),
        )
        class_pixels[part] += np.bincount(mask[new].ravel(), minlength=256)[:codes]
        if part == "train":
            meter.add(preprocess(image, preprocessing, valid)[new], valid[new])
        if progress:
            progress(done, len(patches))
    for part, counts in class_pixels.items():
        if not counts.any():
            raise InputError(
                f"Each part needs pixels of the classes {', '.join(class_table.names)}. Received"
                f" none in the masks of {part}. Check the class table's colours or values against"
                " the masks, or change the split."
            )
    return Survey(meter.statistics(), class_pixels, unknown, TrainingRecord.of(remembered))
