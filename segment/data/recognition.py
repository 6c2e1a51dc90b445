"""Tiles and scenes that a model was trained on, known again when they are scored."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.record import NEW, Remembered, TrainingRecord, read_grid
from segment.core.pixels.digest import digest_pixels
from segment.core.raster.grid import PixelGrid
from segment.core.splits import PARTS, Part
from segment.data.tiles import Pair, Patch


def remember(image: NDArray[Any], patches: Sequence[tuple[Part, Patch]], tile: int) -> list[Remembered]:
    """What is remembered of an image (rows, columns, bands) and its patches: of the whole where all are of one part."""
    pair, parts = patches[0][1].pair, {part for part, _ in patches}
    grid, found = read_grid(pair.image), []
    if len(parts) == 1:
        found.append(Remembered(digest_pixels(image), patches[0][0], grid))
    for part, patch in patches:
        pixels = _cut(image, patch, tile)
        if len(parts) > 1:
            found.append(Remembered(digest_pixels(pixels), part, grid.window(patch.row, patch.column, *pixels.shape[:2])))
        elif pixels.shape != image.shape:  # for images that are cut into such tiles
            found.append(Remembered(digest_pixels(pixels), part))
    return found


def _cut(image: NDArray[Any], patch: Patch, tile: int) -> NDArray[Any]:
    return image[patch.row : patch.row + tile, patch.column : patch.column + tile]


class Recognizer:
    """Knows the patches of tile folders by a model's record. load: gives the pixels of a pair, (rows, columns, bands)."""

    def __init__(self, record: TrainingRecord, load: Callable[[Pair], NDArray[Any]], tile: int):
        self._record, self._load, self._tile = record, load, tile
        self._seen: tuple[Path, PixelGrid, int] | None = None

    def codes(self, patch: Patch) -> NDArray[np.uint8]:
        """The part that each pixel (tile, tile) of a patch had in the training, as codes; NEW beyond the image."""
        codes = np.full((self._tile, self._tile), NEW, np.uint8)
        path = patch.pair.image
        image = self._load(patch.pair)
        if self._seen is None or self._seen[0] != path:
            self._seen = path, read_grid(path), self._record.find(digest_pixels(image))
        _, grid, code = self._seen
        pixels = _cut(image, patch, self._tile)
        height, width = pixels.shape[:2]
        by_ground = self._record.cover(grid, patch.row, patch.column, height, width)
        if code == NEW:
            code = self._record.find(digest_pixels(pixels))
        codes[:height, :width] = np.minimum(by_ground, code)  # of several parts, training counts
        return codes

    def part(self, patch: Patch) -> Part | None:
        """The part that most of a patch had in the training; None where most of it is new."""
        info = patch.pair.info
        height, width = min(info.height - patch.row, self._tile), min(info.width - patch.column, self._tile)
        counts = np.bincount(self.codes(patch)[:height, :width].ravel(), minlength=NEW + 1)
        commonest = int(counts.argmax())
        return None if commonest == NEW else PARTS[commonest]


def choose_part(patches: Sequence[Patch], part: Part, recognizer: Recognizer | None, root: Path) -> tuple[list[Patch], int]:
    """The patches of a part, and how many others belong to none.

    Folders named val and test say it, as in training; else the model's record does, and then folders named train.
    Raises InputError when no patch is of the part, and when nothing says which are.
    """
    chosen, unknown = [], 0
    for patch in patches:
        fixed = patch.pair.part
        known = recognizer.part(patch) if recognizer and fixed in (None, "train") else None
        found = known or fixed
        unknown += found is None
        if found == part:
            chosen.append(patch)
    if unknown == len(patches):
        raise InputError(
            f"{root}: --part takes tiles that the model knows, or folders train, val and test. Received neither. "
            "Score all of them: --part all"
        )
    if not chosen:
        raise InputError(f"{root}: {part} must hold tiles. Received none. Choose another part of {', '.join(PARTS)}.")
    return chosen, unknown
