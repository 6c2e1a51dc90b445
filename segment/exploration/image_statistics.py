"""Image statistics: a pass over the images and masks of a tile folder, or windows of scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.exploration.image_statistics import (
    PixelMeter,
    PixelStatistics,
    SeenImage,
    read_each,
)
from segment.core.exploration.summary import ExploredImage, Window
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.labels.mask_values import ValueCounts, tally
from segment.core.labels.masks import Mask
from segment.core.progress import Progress
from segment.data.masks.census import MaskCensus
from segment.data.pairs.decoded import Decoded
from segment.data.pairs.pair import Pair
from segment.data.pairs.scene_pixels import Readable, ScenePixels
from segment.data.patches import Patch
from segment.data.pixels import TilePixels
from segment.exploration.material import Material
from segment.exploration.neighbours import Borders, borders

_DISTINCT = 1024  # values of a mask that are kept; JPEG has more, and is read once more


Held = tuple[ValueCounts, ValueCounts] | NDArray[np.int64] | None
"""What a mask holds: pixels by value or colour, where the image is valid and in all of the mask;
pixels by class index, (256,), of a window of a scene; or None where there are too many values."""


@dataclass(frozen=True)
class TileStatistics:
    """Statistics of the images and masks that can be read.

    Attributes:
        pairs: Image and mask of each image.
        images: The images, windows of scenes among them.
        pixels: Statistics of the pixels of images.
        borders: Borders of each image.
        masks: Census of the masks.
        held: What each mask holds.
        problems: Why other images and masks cannot be read.
    """

    pairs: Sequence[Pair]
    images: Sequence[ExploredImage]
    pixels: PixelStatistics
    borders: Sequence[Borders]
    masks: MaskCensus
    held: Sequence[Held]
    problems: Sequence[str]

    def of_classes(self, class_table: ClassTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Counts the pixels of each class index.

        Args:
            class_table: Class table by which masks are decoded.

        Returns:
            Pixels of each index in each mask, (masks, 256), with 255 where ignored or not valid;
            and pixels of each class in all of each mask, (masks, classes).
        """
        read = TilePixels(class_table, "ignore", megabytes=0)
        valid, every = [], []
        for pair, image, held in zip(self.pairs, self.images, self.held, strict=True):
            if isinstance(held, tuple):
                seen, whole = (one.of_classes(class_table) for one in held)
                seen[IGNORED] += image.width * image.height - seen.sum()
            else:
                seen = whole = _count(read.load(pair)) if held is None else held
            valid.append(seen)
            every.append(whole[: len(class_table)])
        return np.stack(valid), np.stack(every)


def _count(found: Readable) -> NDArray[np.int64]:
    assert isinstance(found, Decoded), "windows of scenes are counted as they are read"
    return np.bincount(found.mask.ravel(), minlength=256)


@dataclass(frozen=True)
class _Read:
    """What a thread reads of an image, and computes of it."""

    image: SeenImage
    borders: Borders
    gsd: float | None
    held: Held
    mask: Mask | None = None  # with its pixels, for the census
    stored: NDArray[Any] | None = None


def gather_statistics(material: Material, progress: Progress, seed: int) -> TileStatistics:
    """Reads every image and mask once.

    Args:
        material: Images and masks.
        progress: Receives the number of images read.
        seed: Seed of the pixels that are drawn.

    Returns:
        Statistics of the images and masks.

    Raises:
        InputError: If no pair can be read.
    """
    pairs, patches, masks = material.pairs, material.patches, material.masks
    meter = PixelMeter(pairs[0].info.bands, len(pairs), seed)
    scenes = None
    if material.reading is not None:
        scenes = TilePixels(material.reading.class_table, "ignore", megabytes=0)

    def read(row: int) -> _Read:
        if scenes is None or patches is None:
            return _read_tile(pairs[row])
        return _read_window(patches[row], material.window(row), scenes)

    problems: dict[int, str] = {}
    images, edges, held, used = [], [], [], []
    for row, one in read_each(read, range(len(pairs)), problems, "reading images", progress):
        pair = pairs[row]
        if one.mask is not None and one.stored is not None:
            masks.add_pair(pair, one.mask, [one.stored], shares=True)
        height, width = one.image.stored.shape[:2]
        size = pair.part, (pair.group,), width, height
        named = pair.source, material.name(row), *size, one.gsd, material.window(row)
        images.append(ExploredImage(*named))
        meter.add(one.image)
        edges.append(one.borders)
        held.append(one.held)
        used.append(pair)
    statistics = meter.statistics()
    return TileStatistics(used, images, statistics, edges, masks, held, [*problems.values()])


def _read_tile(pair: Pair) -> _Read:
    with pair.source.open() as raster, pair.open_labels(raster) as mask:
        assert isinstance(mask, Mask), "tiles have no vector labels"
        pixels, valid = raster.read()
        stored, gsd = mask.read(), raster.ground_sampling_distance
    whole = tally(stored)
    seen = whole if valid.all() else tally(stored, valid)
    image = SeenImage.of(pixels, valid)
    held = (seen, whole) if len(whole.keys) <= _DISTINCT else None
    return _Read(image, borders(image.pixels), gsd, held, mask, stored)


def _read_window(patch: Patch, window: Window | None, scenes: TilePixels) -> _Read:
    """Reads a window of a scene; only its sides at the edge of the scene may have neighbours."""
    scene = scenes.load(patch.pair)
    assert isinstance(scene, ScenePixels) and window is not None
    row, column, height, width = window
    found = scene.window(*window)
    image = SeenImage.of(found.image, found.valid)
    new = found.mask[patch.seen_rows :, patch.seen_columns :]
    rows, columns = scene.shape
    outer = [row == 0, row + height == rows, column == 0, column + width == columns]
    around = borders(image.pixels)
    around = replace(around, sides=around.sides * np.array(outer, np.float32)[:, None])
    grid = patch.pair.info.ground
    gsd = None if grid is None else grid.ground_sampling_distance
    return _Read(image, around, gsd, np.bincount(new.ravel(), minlength=256))
