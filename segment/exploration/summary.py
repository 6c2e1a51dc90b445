"""Summary of an exploration: what is known of a tile folder, and its figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.components import Components, find_outliers
from segment.core.pixels.near_duplicates import Twins, find_twins
from segment.core.raster.classes import ClassTable
from segment.core.splits import part_named
from segment.data.mask_census import MaskCensus
from segment.data.mask_reading import MaskReading
from segment.data.tiles import Pair
from segment.exploration.class_tables import DeclaredTable
from segment.exploration.image_statistics import TileStatistics
from segment.exploration.neighbours import Neighbours, find_neighbours

_LISTED = 100  # values of masks in report.json; masks in JPEG have thousands


@dataclass(frozen=True)
class TileSummary:
    """A tile folder and all that an exploration found in it.

    Attributes:
        root: The tile folder.
        tile: Edge of a training tile, pixels.
        class_table: Class table by which masks were read.
        declared: Whether this is a declared class table, or was taken from the masks.
        tables: Class tables in the folder.
        masks: Census of the masks.
        looks: Statistics of the images and masks.
        problems: Why some files cannot be used.
        distances: Metres per pixel of the images that give it.
        components: Principal components of the pixels; None for fewer than three images.
        features: Principal components of what a model sees; None for fewer than three images, or
            where the model does not take the images.
        without_features: Why the model does not take the images; None where it does.
        reading: How masks are read by the declared class table.
        max_undeclared: Share of pixels without a class that a training allows.
    """

    root: Path
    tile: int
    class_table: ClassTable
    declared: bool
    tables: Sequence[DeclaredTable]
    masks: MaskCensus
    looks: TileStatistics
    problems: Sequence[str]
    distances: Sequence[float]
    components: Components | None
    features: Components | None = None
    without_features: str | None = None
    reading: MaskReading | None = None
    max_undeclared: float = 0.5

    @property
    def pairs(self) -> Sequence[Pair]:
        """Pairs that can be read."""
        return self.looks.pairs

    @property
    def groups(self) -> dict[str, int]:
        """Number of images of each group."""
        return dict(Counter(pair.group for pair in self.pairs))

    @cached_property
    def class_pixels(self) -> NDArray[np.int64]:
        """Pixels of each class, (classes,)."""
        total: NDArray[np.int64] = self.looks.class_pixels.sum(axis=0)
        return total

    @property
    def undeclared(self) -> Counter[str]:
        """Pixels by what masks hold and the class table does not name."""
        return self.masks.undeclared(self.class_table)

    @cached_property
    def neighbours(self) -> list[Neighbours]:
        """Images that continue each other, by position among the pairs."""
        return find_neighbours(self.looks.borders)

    @cached_property
    def twins(self) -> list[Twins[Pair]]:
        """Images that are like an earlier one, each with that one."""
        return find_twins(self.pairs, self.looks.prints)

    @cached_property
    def outliers(self) -> list[Pair]:
        """Pairs whose images are unlike all others, by features if known, else by pixels."""
        told = self.features or self.components
        return [self.pairs[row] for row in find_outliers(told)] if told else []

    @property
    def divided(self) -> list[str]:
        """Groups that folders put into training and also into validation or test (see `leaks`).

        Only groups that folders name are listed.
        """
        parts: dict[str, set[str]] = {}
        for pair in self.pairs:
            folders = pair.image.parent.relative_to(self.root).parts
            if any(folder != "images" and not part_named(folder) for folder in folders):
                parts.setdefault(pair.group, set()).add(pair.part or "train")
        return sorted(group for group, some in parts.items() if "train" in some and len(some) > 1)

    def path(self, file: Path) -> str:
        """Returns the path of an image or mask within the tile folder.

        Args:
            file: Path of the image or mask.

        Returns:
            The path from the tile folder on, with slashes.
        """
        return file.relative_to(self.root).as_posix()

    @cached_property
    def figures(self) -> dict[str, Any]:
        """What report.json holds of the tile folder."""
        pairs, values = self.pairs, self.looks.values
        return {
            "images": len(pairs),
            "groups": self.groups,
            "problems": list(self.problems),
            "parts": dict(Counter(pair.part or "not fixed" for pair in pairs)),
            "bands": pairs[0].info.bands,
            "dtype": pairs[0].info.dtype,
            "sizes": {
                f"{w}x{h}": n
                for (w, h), n in Counter((p.info.width, p.info.height) for p in pairs).most_common()
            },
            "ground_sampling_distance": (
                sorted({round(distance, 4) for distance in self.distances}) or None
            ),
            "class_pixels": dict(
                zip(self.class_table.names, self.class_pixels.tolist(), strict=True)
            ),
            "ignored_pixels": self.looks.ignored,
            "undeclared": dict(self.undeclared.most_common(_LISTED)),
            "undeclared_share": self.masks.undeclared_share(self.class_table),
            "nodata_of_masks": dict(self.masks.nodata.most_common(_LISTED)),
            "unlabelled_255": self.masks.at_255,
            "mask_notes": self.reading.notes if self.reading else [],
            "masks_with_palette": [str(pair.mask) for pair in self.masks.with_palette],
            "class_tables": [
                {
                    "file": str(t.file),
                    "names": t.colors,
                    "not_in_masks": t.absent(self.masks.held),
                    "not_named": dict(list(t.unknown(self.masks.held).items())[:_LISTED]),
                }
                for t in self.tables
            ],
            "neighbours": [
                {"images": [str(pairs[n.first].image), str(pairs[n.second].image)], "side": n.side}
                for n in self.neighbours
            ],
            "duplicates": [
                {"images": [str(t.first.image), str(t.second.image)], "exact": t.exact}
                for t in self.twins
            ],
            "outliers": [str(pair.image) for pair in self.outliers],
            "band_mean": values.mean(axis=0, dtype=np.float64).tolist(),
            "band_deviation": values.std(axis=0, dtype=np.float64).tolist(),
            "explained_variance": (
                None if self.components is None else self.components.ratios.tolist()
            ),
            "explained_variance_of_features": (
                None if self.features is None else self.features.ratios.tolist()
            ),
            "without_features": self.without_features,
        }
