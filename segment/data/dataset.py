"""Batches of tiles for training: cut, preprocessed and augmented."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.collection_settings import PixelSizes
from segment.core.common_settings import PreprocessSettings
from segment.core.labels.classes import IGNORED
from segment.core.pixels.geometry import resize
from segment.core.pixels.preprocessing import preprocess
from segment.data.augment import Change
from segment.data.pairs.decoded import Decoded
from segment.data.pairs.scene_pixels import Readable
from segment.data.patches import Patch, crop_areas
from segment.data.pixels import TilePixels
from segment.data.splitting.crop_area import square_around
from segment.data.splitting.sampling import BalancedSampling, draw_pixel, shares_by_collection

Pixel = tuple[int, int]
"""Row and column of a pixel."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How the tiles of an epoch are drawn and changed.

    Attributes:
        augment: Makes a change of tiles from a seed (see `augmentation`). Without it, tiles come in
            order.
        random_crops: Whether to draw each tile at random from the patch's image instead.
        within: Whether random crops keep to the ground of the patches, as where an image is divided
            between parts.
        zoom: Random crops are enlarged or reduced by up to this fraction.
        pixel_sizes: By collection, random crops are seen at pixels so many times as large as their
            own, in place of `zoom`.
        weights: Share of the tiles drawn from each collection. Without `weights`, `tiles` and
            `pixels`, each patch comes once in an epoch.
        pixels: Labelled pixels of each code in each patch, (patches, codes), by which all classes
            are drawn equally often, and random crops are drawn around their pixels.
        tiles: Tiles in an epoch; 0: as many as there are patches.
        seed: Seed of all that is random.
    """

    augment: Callable[[int], Change] | None = None
    random_crops: bool = False
    within: bool = False
    zoom: float = 0.0
    pixel_sizes: Mapping[str, PixelSizes] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    pixels: NDArray[np.int64] | None = None
    tiles: int = 0
    seed: int = 0


class TileDataset:
    """Batches for training or scoring, of which training makes those of Keras.

    A batch is (images, masks): (batch, tile, tile, bands) in the dtype of the files, and (batch,
    tile, tile) uint8. Masks are ignored where an earlier patch covers the same pixels. So scores
    count each pixel once, and where patches are drawn singly, no pixel is both learned and scored.
    What batch i holds depends on the seed, `epoch` and i alone, so that a run can be repeated and
    resumed.

    Args:
        patches: Positions of the tiles.
        pixels: Source of their pixels.
        tile: Edge of a tile, pixels.
        batch_size: Tiles in a batch.
        preprocessing: What is done to tiles before they are augmented.
        drawing: How tiles are drawn and changed for training; by default they come in order.
        epoch: Number of the first epoch.
        workers: Threads that prepare batches.

    Attributes:
        patches: Positions of the tiles.
        tile: Edge of a tile.
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
        drawing: Drawing = Drawing(),
        epoch: int = 0,
        workers: int = 1,
    ):
        # as Keras asks for them; its own class would load it, which scoring does not need
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, False, 4
        self.patches = list(patches)
        self.tile, self.batch_size, self.epoch = tile, batch_size, epoch
        self._pixels, self._preprocessing, self._drawing = pixels, preprocessing, drawing
        self.epoch_tiles = drawing.tiles or len(self.patches)
        self._balance: BalancedSampling | None = None
        self._shares: NDArray[np.float64] | None = None  # of each patch; None: each once
        of_patches = [patch.pair.collection for patch in self.patches]
        if drawing.pixels is not None:
            self._balance = BalancedSampling(drawing.pixels, of_patches, drawing.weights)
            self._shares = self._balance.shares
        elif drawing.weights or self.epoch_tiles != len(self.patches):
            self._shares = shares_by_collection(of_patches, drawing.weights)
        self._areas = crop_areas(self.patches, tile) if drawing.within else {}

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return math.ceil(self.epoch_tiles / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Returns the images and masks of a batch of the current epoch."""
        random = np.random.default_rng([self._drawing.seed, self.epoch, index])
        chosen = self._order()[index * self.batch_size : (index + 1) * self.batch_size]
        tiles = [self._cut(i, random) for i in chosen]
        found = [(tile.image, tile.mask) for tile in tiles]
        if self._drawing.augment is not None:
            change = self._drawing.augment(int(random.integers(2**31)))
            found = [change(i, mask, *(() if v.all() else (v,))) for i, v, mask in tiles]
        images, masks = zip(*found, strict=True)
        return np.stack(images), np.stack(masks)

    def tile_at(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Returns a tile as it is scored.

        Args:
            index: Position in `patches`.

        Returns:
            Image (tile, tile, bands) and mask (tile, tile) uint8.
        """
        image, _, mask = self._cut(index, np.random.default_rng(self._drawing.seed))
        return image, mask

    def draw(self, count: int) -> Iterator[NDArray[Any]]:
        """Draws tiles at random as for training, without augmentation.

        Args:
            count: Number of tiles.

        Yields:
            The image (tile, tile, bands) of a tile.
        """
        random = np.random.default_rng([self._drawing.seed, count])
        for index in random.choice(len(self.patches), count, p=self._shares):
            yield self._cut(index, random).image

    def on_epoch_end(self) -> None:
        """Moves on to the next epoch; Keras calls it."""
        self.epoch += 1

    def _order(self) -> NDArray[np.intp]:
        if self._drawing.augment is None:
            return np.arange(len(self.patches))
        random = np.random.default_rng([self._drawing.seed, self.epoch])
        if self._shares is None:
            return random.permutation(len(self.patches))
        return random.choice(len(self.patches), self.epoch_tiles, p=self._shares)

    def _cut(self, index: int, random: np.random.Generator) -> Decoded:
        patch = self.patches[index]
        whole = self._pixels.load(patch.pair)
        if self._drawing.random_crops:
            pixel = self._draw_pixel(index, whole, random) if self._balance else None
            sizes = self._drawing.pixel_sizes.get(patch.pair.collection)
            image, valid, mask = self._at_tile_size(
                self._random_crop(whole, patch, pixel, random)
                if sizes is None
                else self._seen_at(whole, patch, pixel, sizes, random)
            )
        else:
            image, valid, mask = whole.cut(patch.row, patch.column, self.tile)
            mask = mask.copy()
            mask[: patch.seen_rows] = IGNORED
            mask[:, : patch.seen_columns] = IGNORED
        return Decoded(preprocess(image, self._preprocessing, valid), valid, mask)

    def _draw_pixel(self, index: int, whole: Readable, random: np.random.Generator) -> Pixel | None:
        """Draws the pixel that a balanced crop is drawn around, by row and column of the image."""
        assert self._balance
        patch = self.patches[index]
        top, left = patch.row + patch.seen_rows, patch.column + patch.seen_columns
        mask = whole.cut(patch.row, patch.column, self.tile).mask
        seen = mask[patch.seen_rows :, patch.seen_columns :]
        found = draw_pixel(seen, self._balance.draw_code(index, random), random)
        return None if found is None else (top + found[0], left + found[1])

    def _random_crop(
        self, whole: Readable, patch: Patch, pixel: Pixel | None, random: np.random.Generator
    ) -> Decoded:
        size = round(self.tile / random.uniform(1 - self._drawing.zoom, 1 + self._drawing.zoom))
        size = min(size, max(self.tile, min(whole.shape)))  # no pixel from beyond the image
        if area := self._areas.get(patch.pair.image):
            return whole.cut(*area.place(patch.row, patch.column, size, random, pixel))
        if pixel is not None:
            return whole.cut(*square_around(pixel, size, whole.shape, random), size)
        row, column = (int(random.integers(max(length - size, 0) + 1)) for length in whole.shape)
        return whole.cut(row, column, size)

    def _seen_at(
        self,
        whole: Readable,
        patch: Patch,
        pixel: Pixel | None,
        sizes: PixelSizes,
        random: np.random.Generator,
    ) -> Decoded:
        """Cuts a random square at pixels of a random size.

        Pixels twice as large are as likely as pixels half as large. Where an image is too small it
        is reflected, so that small images are seen at coarse pixels as well.
        """
        size = round(self.tile * math.exp(random.uniform(*np.log(sizes))))
        if area := self._areas.get(patch.pair.image):
            return whole.around(*area.place(patch.row, patch.column, size, random, pixel))
        if pixel is not None and size <= min(whole.shape):
            return whole.around(*square_around(pixel, size, whole.shape, random), size)
        row, column = (
            int(random.integers(min(length - size, 0), max(length - size, 0) + 1))
            for length in whole.shape
        )
        return whole.around(row, column, size)

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
