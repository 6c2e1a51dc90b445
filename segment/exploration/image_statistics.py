"""Image statistics: a pass over the images and masks of a tile folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.exploration.image_statistics import PixelMeter, PixelStatistics, read_each
from segment.core.exploration.summary import ExploredImage
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.progress import Progress
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import Source
from segment.data.pairs.pair import Pair
from segment.data.pixels import decode_mask
from segment.exploration.neighbours import Borders, borders


@dataclass(frozen=True)
class TileStatistics:
    """Statistics of the images and masks of a tile folder that can be read.

    Attributes:
        pairs: The images and masks.
        images: The images.
        pixels: Statistics of the pixels of images.
        borders: Borders of each image.
        indices: Pixels of each class index in each mask, (masks, 256); 255 is ignored.
        problems: Why other images and masks cannot be read.
    """

    pairs: Sequence[Pair]
    images: Sequence[ExploredImage]
    pixels: PixelStatistics
    borders: Sequence[Borders]
    indices: NDArray[np.int64]
    problems: Sequence[str]


def gather_statistics(
    root: Path, pairs: Sequence[Pair], class_table: ClassTable, progress: Progress, seed: int
) -> TileStatistics:
    """Reads every image and mask once.

    Args:
        root: The tile folder.
        pairs: Images and masks.
        class_table: Class table by which masks are decoded.
        progress: Receives the number of images read.
        seed: Seed of the pixels that are drawn.

    Returns:
        Statistics of the images and masks.

    Raises:
        InputError: If no pair can be read.
    """
    meter = PixelMeter(pairs[0].info.bands, len(pairs), seed)
    problems: dict[int, str] = {}
    images, edges, indices = [], [], []
    found = read_each(
        lambda row: read_pair(pairs[row], class_table),
        range(len(pairs)),
        problems,
        "reading images",
        progress,
    )
    for row, (pixels, valid, mask, gsd) in found:
        pair = pairs[row]
        name = pair.image.relative_to(root).as_posix()
        source = Source(pair.image, alpha=pair.info.alpha)
        height, width = mask.shape
        images.append(ExploredImage(source, name, pair.part, (pair.group,), width, height, gsd))
        edges.append(borders(meter.add(pixels, valid)))
        indices.append(np.bincount(mask.ravel(), minlength=256))
    return TileStatistics(
        [pair for row, pair in enumerate(pairs) if row not in problems],
        images,
        meter.statistics(),
        edges,
        np.stack(indices),
        list(problems.values()),
    )


def read_pair(
    pair: Pair, class_table: ClassTable
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.uint8], float | None]:
    """Reads an image and its mask.

    Args:
        pair: Image and mask.
        class_table: Class table by which the mask is decoded.

    Returns:
        The image (rows, columns, bands), a mask (rows, columns) of its valid pixels, class indices
        (rows, columns) with 255 where ignored or not valid, and the ground sampling distance in
        metres per pixel; None if the file has none.

    Raises:
        InputError: If the image or mask cannot be read.
    """
    with open_raster(pair.image, alpha=pair.info.alpha) as raster:
        pixels, valid = raster.read()
        indices = decode_mask(pair.mask, class_table, image=raster)[0]
        indices[~valid] = IGNORED
        return pixels, valid, indices, raster.ground_sampling_distance
