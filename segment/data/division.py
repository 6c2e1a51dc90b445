"""Division of tiles into parts: by squares of ground, and by their labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.collection_settings import Split
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.labels.mask_values import decode_values
from segment.core.progress import Progress, Silent
from segment.core.splits import PARTS, Part
from segment.data.masks.census import take_census
from segment.data.masks.reading import choose_reading
from segment.data.pairs.pair import Pair
from segment.data.patches import Patch, patch_boxes
from segment.data.splitting.block_split import NONE, near_tiles, split_blocks

Count = Callable[[Sequence[Patch]], NDArray[np.int64]]
"""Counts the labelled pixels of each class in patches, (patches, classes)."""


@dataclass(frozen=True)
class Division:
    """Patches of a tile folder, divided into parts.

    Attributes:
        parts: Patches of each part.
        split: What was not divided: "auto" of the settings is "group" or "block" here, and
            whatever they hold is "group" where nothing was drawn.
        margin: Patches of no part, since they are near another part (block).
        edge: Edge of a square of ground, pixels (block); 0 otherwise.
        missing: Positions of the classes that a part lacks although others have them (block).
        unlabelled: Number of windows of scenes that are left out for lack of labels.
    """

    parts: dict[Part, list[Patch]]
    split: Split
    margin: Sequence[Patch] = ()
    edge: int = 0
    missing: Mapping[Part, list[int]] = field(default_factory=dict)
    unlabelled: int = 0

    def notes(self, classes: Sequence[str]) -> list[str]:
        """Returns notes on windows left out, and on a division by squares of ground.

        Args:
            classes: Names of the classes.

        Returns:
            A sentence for each note.
        """
        empty = [f"{self.unlabelled} windows without enough labels are left out"]
        if not self.edge:
            return empty if self.unlabelled else []
        count = sum(map(len, self.parts.values())) + len(self.margin)
        lacks = [
            f"{part} has no pixel of {', '.join(classes[i] for i in labels)}"
            for part, labels in self.missing.items()
        ]
        return [
            f"split by squares of ground of {self.edge} px; {len(self.margin)} of {count} labelled"
            " tiles are left out, closer than half a tile to another part",
            *lacks,
            *(empty if self.unlabelled else []),
        ]


def split_ground(
    patches: Sequence[Patch], count: Count | None, fraction: float, tile: int, seed: int
) -> Division:
    """Divides patches into training and validation by squares of ground.

    Patches without a labelled pixel are left out.

    Args:
        patches: The patches.
        count: Counts their labelled pixels; None where nothing is known of them.
        fraction: Share of the labelled pixels for validation.
        tile: Edge of a tile, pixels; half of it is kept between parts.
        seed: Seed of the division.

    Returns:
        The division.

    Raises:
        InputError: If it is not known where a patch is, or there are too few.
    """
    boxes = patch_boxes(patches, tile)
    pixels = np.ones((len(patches), 1), np.int64) if count is None else count(patches)
    labelled = np.flatnonzero(pixels.sum(axis=1))
    if not len(labelled):  # refused with the cause when the masks are read
        pixels, labelled = np.ones((len(patches), 1), np.int64), np.arange(len(patches))
    margin = -(-tile // 2)
    found = split_blocks(boxes[labelled], pixels[labelled], {"val": fraction}, margin, seed)
    parts: dict[Part, list[Patch]] = {part: [] for part in PARTS}
    left_out: list[Patch] = []
    for index, part in zip(labelled.tolist(), found.parts.tolist(), strict=True):
        (left_out if part == NONE else parts[PARTS[part]]).append(patches[index])
    return Division(parts, "block", left_out, found.edge, found.missing)


def leave_margin(
    patches: Sequence[Patch], division: Division, tile: int
) -> tuple[list[Patch], Division]:
    """Leaves patches out that are too close to the validation part of a division.

    Args:
        patches: Patches that a folder assigns to training. Those whose place is not known stay.
        division: Division of other patches by squares of ground.
        tile: Edge of a tile, pixels; half of it is kept between parts.

    Returns:
        The other patches, and the division with those that are left out in its margin.
    """
    try:
        boxes = patch_boxes([*patches, *division.parts["val"]], tile)
    except InputError:
        return list(patches), division
    first, second = near_tiles(boxes, -(-tile // 2))
    close = set(first[(first < len(patches)) & (second >= len(patches))].tolist())
    left_out = [patch for index, patch in enumerate(patches) if index in close]
    kept = [patch for index, patch in enumerate(patches) if index not in close]
    return kept, replace(division, margin=[*division.margin, *left_out])


def count_shared(parts: Mapping[Part, Sequence[Patch]], tile: int) -> int:
    """Counts the tiles of validation and test whose ground tiles of training show too.

    Only tiles with a CRS and one pixel grid are compared.

    Args:
        parts: Patches of each part.
        tile: Edge of a tile, pixels.

    Returns:
        Their number.
    """
    learned, scored = (
        [p for part in some for p in parts[part] if p.pair.info.ground and p.pair.info.ground.crs]
        for some in (PARTS[:1], PARTS[1:])
    )
    if not learned or not scored:
        return 0
    first, second = near_tiles(patch_boxes([*learned, *scored], tile), 0)
    return len(np.unique(first[(first >= len(learned)) & (second < len(learned))]))


def labelled_windows(division: Division, count: Count, least: float, tile: int) -> Division:
    """Leaves windows of scenes out that have no labels, or too few.

    Args:
        division: Windows, divided into parts.
        count: Counts their labelled pixels.
        least: Share of the pixels of a window that must have a class, 0 to 1; with 0, one pixel.
        tile: Edge of a window, pixels.

    Returns:
        The division without these windows.

    Raises:
        InputError: If none is left for training or validation, where there were some.
    """
    parts: dict[Part, list[Patch]] = {}
    count([patch for patches in division.parts.values() for patch in patches])  # read alike
    for part, patches in division.parts.items():
        labelled = count(patches).sum(axis=1) if patches else np.zeros(0, np.int64)
        kept = (labelled > 0) & (labelled >= least * tile * tile)
        parts[part] = [patch for patch, keep in zip(patches, kept, strict=True) if keep]
        if patches and not parts[part]:
            raise InputError(
                f"{patches[0].pair.image}: none of {len(patches)} windows for {part} holds enough"
                " labels. Label more of the scene, change the split, or lower min_labelled."
            )
    unlabelled = sum(map(len, division.parts.values())) - sum(map(len, parts.values()))
    return replace(division, parts=parts, unlabelled=unlabelled)


def class_counter(table: ClassTable, tile: int, progress: Progress | None = None) -> Count:
    """Makes a function that counts the labelled pixels of each class in patches.

    Args:
        table: Class table of the masks, which are read as for training, see `choose_reading`.
        tile: Edge of a tile, pixels.
        progress: Receives the number of masks read.

    Returns:
        The function.
    """
    shown = progress or Silent()
    known: dict[tuple[Path, int, int], NDArray[np.int64]] = {}  # windows of scenes

    def count(patches: Sequence[Patch]) -> NDArray[np.int64]:
        places = [(patch.pair.image, patch.row, patch.column) for patch in patches]
        of_pair: dict[Pair, list[int]] = {}
        for index, patch in enumerate(patches):
            if places[index] not in known:
                of_pair.setdefault(patch.pair, []).append(index)
        class_table = table
        if any(pair.scene is None or pair.scene.shapes is None for pair in of_pair):
            census, _ = take_census(list(of_pair), Silent())
            class_table = choose_reading(table, census).class_table
        none = np.zeros(len(table), np.int64)
        counts = np.stack([known.get(place, none) for place in places])
        done, total = 0, sum(map(len, of_pair.values()))
        for pair, indices in of_pair.items():
            with pair.source.open() as image, pair.open_labels(image) as labels:
                for index in indices:
                    row, column = patches[index].row, patches[index].column
                    height, width = min(tile, image.height - row), min(tile, image.width - column)
                    codes, _ = decode_values(labels.read(row, height, column, width), class_table)
                    counts[index] = np.bincount(codes.ravel(), minlength=256)[: len(class_table)]
                    if pair.scene is not None:
                        known[places[index]] = counts[index]
                    done += 1
                    shown.advance("reading labels for the split", done, total)
        return counts

    return count
