"""What training knows of a tile folder before it starts: classes, split, statistics, and what is odd about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from segment.config import Config
from segment.core.class_weights import resolve_class_weights
from segment.core.config import split_seed
from segment.core.errors import InputError
from segment.core.palette import Palette
from segment.core.parts import PARTS, Part
from segment.core.progress import Progress
from segment.core.raster import open_raster
from segment.dataset import Survey, survey
from segment.tiles import Pair, Patch, find_pairs, find_palette, leaks, split_patches


@dataclass(frozen=True)
class TrainingData:
    """A tile folder that has been read once.

    class_weights: one per class, for the loss.
    """

    palette: Palette
    pairs: Sequence[Pair]
    parts: Mapping[Part, list[Patch]]
    survey: Survey
    class_weights: list[float]

    @classmethod
    def prepare(cls, tiles: Path, config: Config, progress: Progress) -> "TrainingData":
        """Reads a tile folder and says what it found: undeclared colours, groups that leak, the split.

        Raises InputError when it does not fit together, or not the settings.
        """
        pairs = find_pairs(tiles)
        table = Palette(config.data.classes) if config.data.classes else find_palette(tiles, pairs)
        if table is None:
            raise InputError(
                f"{tiles}: training needs a class table. Received none. Put classes.yaml there, or set data.classes."
            )
        parts = split_patches(pairs, config.data, split_seed(config.data.split_seed, config.training))
        for group in leaks(parts):
            progress.say(f"warning: tiles of {group!r} are trained on and scored: neighbours leak, the scores flatter")
        settings, shown = config.data, partial(progress.advance, "reading")
        found = survey(parts, table, settings.undeclared, settings.tile, settings.preprocess, shown)
        for value, count in found.undeclared.most_common(5):
            progress.say(f"warning: {count:,} mask pixels hold {value}, which no class has: ignored")
        weights = resolve_class_weights(config.loss.class_weights, table.names, found.class_pixels["train"])
        for part in PARTS:
            if parts[part]:
                names = sorted({p.pair.group for p in parts[part]})
                listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
                progress.say(f"{part:5} {len(parts[part]):5} tiles of {config.data.tile} px from {listed}")
        return cls(table, pairs, parts, found, weights)

    @property
    def fingerprint(self) -> str:
        """The same for the same tiles, split, classes and pixels: what a resumed run must find again."""
        places = [
            (part, patch.pair.group, patch.pair.image.name, patch.row, patch.column)
            for part in PARTS
            for patch in self.parts[part]
        ]
        statistics = self.survey.statistics
        return sha256(repr((places, self.palette.table, statistics.count, statistics.mean.tolist())).encode()).hexdigest()

    def ground_sampling_distance(self) -> float | None:
        """Metres per pixel: the median over the groups, each by its first image; None where none is georeferenced."""
        first = {pair.group: pair.image for pair in reversed(self.pairs)}
        found = []
        for path in first.values():
            with open_raster(path) as raster:
                found.append(raster.ground_sampling_distance)
        known = [distance for distance in found if distance]
        return float(np.median(known)) if known else None
