"""Summary of an exploration: what is known of a tile folder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.config import DataSettings
from segment.core.errors import InputError
from segment.core.exploration.summary import Summary
from segment.core.labels.classes import IGNORED
from segment.core.splits import part_named
from segment.data.division import Division, class_counter
from segment.data.masks.census import MaskCensus
from segment.data.masks.reading import MaskReading
from segment.data.pairs.pair import Pair
from segment.data.patches import Patch
from segment.data.splits import divide
from segment.exploration.class_tables import DeclaredTable
from segment.exploration.image_statistics import TileStatistics
from segment.exploration.material import Material
from segment.exploration.neighbours import Neighbours, find_neighbours

_LISTED = 100  # values of masks in report.json; masks in JPEG have thousands


@dataclass(frozen=True, kw_only=True)
class TileSummary(Summary):
    """A tile folder and all that an exploration found in it.

    Attributes:
        root: The tile folder.
        settings: Settings of a training.
        masks: Census of the masks.
        reading: How masks are read by the declared class table, if there is one.
        tables: Class tables in the folder.
        material: What is explored.
        statistics: Statistics of the images and masks.
        indices: Pixels of each class index in each mask, (masks, 256); 255 is ignored.
        of_masks: Pixels of each class in each mask, of invalid pixels too, (masks, classes).
    """

    labels = "group"

    root: Path
    settings: DataSettings
    masks: MaskCensus
    reading: MaskReading | None
    tables: Sequence[DeclaredTable]
    material: Material
    statistics: TileStatistics
    indices: NDArray[np.int64]
    of_masks: NDArray[np.int64]

    @property
    def pairs(self) -> Sequence[Pair]:
        """Images and masks that can be read."""
        return self.statistics.pairs

    @cached_property
    def groups(self) -> dict[str, int]:
        """Number of images of each group."""
        return dict(Counter(pair.group for pair in self.pairs))

    @property
    def class_pixels(self) -> NDArray[np.int64]:
        """Pixels of each class in each mask, (masks, classes)."""
        return self.indices[:, : len(self.class_table)]

    @property
    def ignored(self) -> int:
        """Pixels of all masks that have no class."""
        return int(self.indices[:, IGNORED].sum())

    @cached_property
    def group_pixels(self) -> dict[str, NDArray[np.int64]]:
        """Pixels of each class, (classes,), by group."""
        groups, numbers = np.unique([pair.group for pair in self.pairs], return_inverse=True)
        pixels = np.zeros((len(groups), len(self.class_table)), np.int64)
        np.add.at(pixels, numbers, self.class_pixels)
        return dict(zip(groups.tolist(), pixels, strict=True))

    @property
    def is_declared(self) -> bool:
        """Whether masks are read by a declared class table; otherwise by their values."""
        return self.reading is not None and self.reading.class_table is self.class_table

    @cached_property
    def neighbours(self) -> list[Neighbours]:
        """Images that continue each other, by position."""
        return find_neighbours(self.statistics.borders)

    @cached_property
    def borders(self) -> Counter[tuple[str, str]]:
        """Number of borders at which images continue each other, by their groups."""
        groups = [pair.group for pair in self.pairs]
        sides = [sorted((groups[n.first], groups[n.second])) for n in self.neighbours]
        return Counter((first, second) for first, second in sides)

    @property
    def divided(self) -> list[str]:
        """Groups that folders put into training and also into validation or test (see `leaks`).

        Only groups that folders name are listed.
        """
        parts: dict[str, set[str]] = {}
        for pair in () if self.material.patches else self.pairs:
            folders = pair.image.parent.relative_to(self.root).parts
            if any(folder != "images" and not part_named(folder) for folder in folders):
                parts.setdefault(pair.group, set()).add(pair.part or "train")
        return sorted(group for group, some in parts.items() if "train" in some and len(some) > 1)

    @cached_property
    def _divided_ground(self) -> Division | InputError | None:
        settings, found = self.settings, self.material.division
        if found is not None:
            return found if isinstance(found, InputError) or found.edge else None
        lone = len(self.groups) == 1 and settings.split == "auto"
        if not lone and settings.split != "block":
            return None
        try:
            found = divide(self.pairs, settings, settings.split_seed or 0, self._count)
        except InputError as error:
            return error
        return found if found.edge else None

    def _count(self, patches: Sequence[Patch]) -> NDArray[np.int64]:
        """Counts the pixels of each class in patches; those of whole images are known."""
        tile = self.settings.tile
        whole = {
            image.source.path: pixels
            for image, pixels in zip(self.images, self.of_masks, strict=True)
            if max(image.width, image.height) <= tile
        }
        others = [patch for patch in patches if patch.pair.image not in whole]
        read = iter(class_counter(self.class_table, tile)(others) if others else ())
        return np.stack(
            [whole[p.pair.image] if p.pair.image in whole else next(read) for p in patches]
        )

    @property
    def division(self) -> Division | None:
        """Division by squares of ground that training makes; None where it divides otherwise."""
        return self._divided_ground if isinstance(self._divided_ground, Division) else None

    @property
    def undivided(self) -> InputError | None:
        """The reason why training cannot divide the images by squares of ground."""
        return self._divided_ground if isinstance(self._divided_ground, InputError) else None

    @property
    def figures(self) -> dict[str, Any]:
        """Content of report.json, except for the findings."""
        masks, table = self.masks, self.class_table
        files = [image.path for image in self.images]
        return super().figures | {
            "images": len(files),
            "groups": self.groups,
            "problems": list(self.problems),
            "parts": dict(Counter(pair.part or "not fixed" for pair in self.pairs)),
            "ground_sampling_distance": sorted({round(d, 4) for d in self.distances}) or None,
            "class_pixels": dict(zip(table.names, self.class_counts.tolist(), strict=True)),
            "ignored_pixels": self.ignored,
            "undeclared": dict(masks.undeclared(table).most_common(_LISTED)),
            "undeclared_share": masks.undeclared_share(table),
            "nodata_of_masks": dict(masks.nodata.most_common(_LISTED)),
            "unlabelled_255": masks.at_255,
            "mask_notes": self.reading.notes if self.reading else [],
            "masks_with_palette": [str(pair.mask) for pair in masks.with_palette],
            "class_tables": [
                {
                    "file": str(one.file),
                    "names": one.colors,
                    "not_in_masks": one.absent(masks.held),
                    "not_named": dict(list(one.unknown(masks.held).items())[:_LISTED]),
                }
                for one in self.tables
            ],
            "neighbours": [
                {"images": [files[n.first], files[n.second]], "side": n.side}
                for n in self.neighbours
            ],
        }
