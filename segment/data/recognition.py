"""Recognition of tiles and scenes that a model was trained on, when they are scored."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.record import NEW, RecordEntry, TrainingRecord
from segment.core.pixels.near_duplicates import digest_pixels
from segment.core.raster.grid import PixelGrid
from segment.core.raster.opening import read_grid
from segment.core.splits import PARTS, Part
from segment.data.pairs.decoded import Decoded
from segment.data.pairs.pair import Pair
from segment.data.pairs.scene_pixels import Readable
from segment.data.patches import Patch


def remember(
    image: Readable, patches: Sequence[tuple[Part, Patch]], tile: int
) -> list[RecordEntry]:
    """Returns what a training record keeps of an image and its patches.

    The whole image is recorded where all its patches are of one part. Patches are recorded where
    they are of several parts, or smaller than the image. Of a scene, which is never read whole,
    patches alone are recorded.

    Args:
        image: Pixels of the image.
        patches: Patches of the image, each with its part.
        tile: Edge of a tile, pixels.

    Returns:
        Entries of the training record.
    """
    pair, parts = patches[0][1].pair, {part for part, _ in patches}
    grid, found = read_grid(pair.image), []
    whole = image.image if isinstance(image, Decoded) and len(parts) == 1 else None
    if whole is not None:
        found.append(RecordEntry(digest_pixels(whole), patches[0][0], grid))
    for part, patch in patches:
        pixels = image.stored(patch.row, patch.column, tile)
        if whole is None:
            found.append(
                RecordEntry(
                    digest_pixels(pixels),
                    part,
                    grid.window(patch.row, patch.column, *pixels.shape[:2]),
                )
            )
        elif pixels.shape != whole.shape:  # to recognise images that are cut into such tiles
            found.append(RecordEntry(digest_pixels(pixels), part))
    return found


class Recognizer:
    """Recognises patches of tile folders by the training record of a model.

    Args:
        record: What the model was trained, validated and tested on.
        load: Returns the pixels of a pair.
        tile: Edge of a tile, pixels.
    """

    def __init__(self, record: TrainingRecord, load: Callable[[Pair], Readable], tile: int):
        self._record, self._load, self._tile = record, load, tile
        self._seen: tuple[Path, PixelGrid, int] | None = None

    def codes(self, patch: Patch) -> NDArray[np.uint8]:
        """Returns the part that each pixel of a patch had in the training.

        Args:
            patch: The patch.

        Returns:
            (tile, tile) uint8, positions in `PARTS`; NEW for pixels that the model does not know,
            and beyond the image.
        """
        codes = np.full((self._tile, self._tile), NEW, np.uint8)
        path = patch.pair.image
        image = self._load(patch.pair)
        if self._seen is None or self._seen[0] != path:
            known = NEW
            if isinstance(image, Decoded):
                known = self._record.find(digest_pixels(image.image))
            self._seen = path, read_grid(path), known
        _, grid, code = self._seen
        pixels = image.stored(patch.row, patch.column, self._tile)
        height, width = pixels.shape[:2]
        by_ground = self._record.cover(grid, patch.row, patch.column, height, width)
        if code == NEW:
            code = self._record.find(digest_pixels(pixels))
        # the smallest code is training, which has priority
        codes[:height, :width] = np.minimum(by_ground, code)
        return codes

    def part(self, patch: Patch) -> Part | None:
        """Returns the part that most of a patch had in the training.

        Args:
            patch: The patch.

        Returns:
            The part; None if most of the patch is new.
        """
        info = patch.pair.info
        height, width = (
            min(info.height - patch.row, self._tile),
            min(info.width - patch.column, self._tile),
        )
        counts = np.bincount(self.codes(patch)[:height, :width].ravel(), minlength=NEW + 1)
        commonest = int(counts.argmax())
        return None if commonest == NEW else PARTS[commonest]


def choose_part(
    patches: Sequence[Patch], part: Part, recognizer: Recognizer | None, root: Path
) -> tuple[list[Patch], int]:
    """Returns the patches of a part.

    Folders named val and test decide, as in training; otherwise the model's training record does,
    and after it folders named train.

    Args:
        patches: Patches to choose from.
        part: The part.
        recognizer: Recognises patches; None if the training record is not known.
        root: The tile folder, for messages.

    Returns:
        The patches of the part, and the number of patches that are in no part.

    Raises:
        InputError: If no patch is of the part, or neither folders nor the record assign patches to
            parts.
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
            f"{root}: --part {part} needs folders train, val and test, or tiles that the model was"
            " trained on. Found neither. Score all tiles: --part all"
        )
    if not chosen:
        raise InputError(f"{root}: no tiles of {part}. Choose another part of {', '.join(PARTS)}.")
    return chosen, unknown
