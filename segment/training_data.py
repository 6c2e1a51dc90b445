"""What training knows of a tile folder before it starts: classes, split, statistics, and what is odd about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from segment.collections import Labelled, open_collections, open_tiles
from segment.config import AugmentSettings, Config, DataSettings, PixelSizes
from segment.core.class_weights import resolve_class_weights
from segment.core.config import split_seed
from segment.core.errors import InputError
from segment.core.palette import Palette
from segment.core.parts import PARTS, Part
from segment.core.progress import Progress
from segment.dataset import Survey, Tables, survey
from segment.label_sets import LabelSets
from segment.tiles import Pair, Patch, leaks


@dataclass(frozen=True)
class TrainingData:
    """A tile folder, or several collections, that have been read once.

    palette: the classes of the model. labels: what codes of masks admit. class_weights: one per class, for the loss.
    """

    palette: Palette
    labels: LabelSets
    collections: Sequence[Labelled]
    survey: Survey
    class_weights: list[float]

    @classmethod
    def prepare(cls, tiles: Path | None, config: Config, progress: Progress) -> "TrainingData":
        """Reads the data and says what it found: undeclared colours, groups that leak, the split.

        tiles: the tile folder; None where `data.collections` lists several.
        Raises InputError when they do not fit together, or not the settings.
        """
        settings, seed = config.data, split_seed(config.data.split_seed, config.training)
        check_data(tiles, settings)
        if tiles is not None:
            collections = [open_tiles(tiles, settings, seed)]
            table = collections[0].palette
        else:
            assert settings.classes
            collections, table = open_collections(settings, seed), Palette(settings.classes)
        require_alike([pair for one in collections for pair in one.pairs])
        labels = replace(collections[0].labels, used=None)
        for one in collections:
            for group in leaks(one.parts) if one.split != "run" else []:
                progress.say(f"warning: tiles of {group!r} are trained on and scored: neighbours leak, the scores flatter")
        parts = _together(collections)
        shown, tables = partial(progress.advance, "reading"), _tables(collections)
        found = survey(
            parts, table, settings.undeclared, settings.tile, settings.preprocess, shown, tables=tables, codes=labels.count
        )
        for value, count in found.undeclared.most_common(5):
            progress.say(f"warning: {count:,} mask pixels hold {value}, which no class has: ignored")
        weights = resolve_class_weights(config.loss.class_weights, table.names, found.class_pixels["train"][: len(table)])
        for one in collections:
            for part in PARTS:
                if one.parts[part]:
                    progress.say(_describe(part, one.parts[part], settings.tile))
        return cls(table, labels, collections, found, weights)

    @property
    def parts(self) -> dict[Part, list[Patch]]:
        """The patches of all collections."""
        return _together(self.collections)

    @property
    def pairs(self) -> list[Pair]:
        return [pair for one in self.collections for pair in one.pairs]

    @property
    def tables(self) -> Tables:
        """How masks of each collection are decoded; none where there is but one tile folder."""
        return _tables(self.collections)

    @property
    def fingerprint(self) -> str:
        """The same for the same tiles, split, classes and pixels: what a resumed run must find again."""
        places = [
            (part, patch.pair.group, patch.pair.image.name, patch.row, patch.column)
            for part in PARTS
            for patch in self.parts[part]
        ]
        statistics = self.survey.statistics
        found: tuple[object, ...] = (places, self.palette.table, statistics.count, statistics.mean.tolist())
        if self.labels.unions:
            found += (self.labels.sets, [one.codes.tolist() for one in self.collections])
        return sha256(repr(found).encode()).hexdigest()

    def ground_sampling_distance(self) -> float | None:
        """Metres per pixel: the median over the collections, or over the groups of the only one; None where unknown."""
        known = [one.gsd for one in self.collections if one.gsd]
        return float(np.median(known)) if known else None

    def ground_sampling_range(self, augment: AugmentSettings) -> tuple[float, float] | None:
        """Smallest and largest metres per pixel that training shows; None where no collection says its own."""
        factors, plain = self.pixel_sizes(augment.pixel_size), (1 / (1 + augment.scale), 1 / (1 - augment.scale))
        seen = [
            one.gsd * factor
            for one in self.collections
            if one.gsd and one.parts["train"]
            for factor in factors.get(one.name, plain)
        ]
        return (min(seen), max(seen)) if seen else None

    def pixel_sizes(self, common: PixelSizes | None) -> dict[str, PixelSizes]:
        """See `AugmentSettings.pixel_size`, for each collection that has one. common: of those without their own."""
        found = {one.name: one.pixel_size or common for one in self.collections}
        return {name: sizes for name, sizes in found.items() if sizes}

    @property
    def labels_of_collections(self) -> dict[str, LabelSets]:
        """What the codes of each collection admit; none where there is but one tile folder."""
        return {one.name: one.labels for one in self.collections if one.name}


def check_data(tiles: Path | None, settings: DataSettings) -> None:
    """Raises InputError unless either a tile folder or collections are given."""
    if tiles is not None and settings.collections:
        raise InputError(f"{tiles}: data.collections lists what to learn from. Leave TILES or data.collections out.")
    if tiles is None and not settings.collections:
        raise InputError("There is nothing to learn from. Name a tile folder, or list several in data.collections.")


def require_alike(pairs: Sequence[Pair]) -> None:
    """Raises InputError when images of different collections have other bands or depth."""
    first = pairs[0]
    for pair in pairs:
        if (pair.info.bands, pair.info.dtype) != (first.info.bands, first.info.dtype):
            raise InputError(
                f"{pair.image}: its {pair.info.bands} bands of {pair.info.dtype} differ from the {first.info.bands} of "
                f"{first.info.dtype} of {first.image}. Export all collections alike, or leave one out."
            )


def _together(collections: Sequence[Labelled]) -> dict[Part, list[Patch]]:
    return {part: [patch for one in collections for patch in one.parts[part]] for part in PARTS}


def _tables(collections: Sequence[Labelled]) -> Tables:
    return {one.name: (one.palette, one.codes) for one in collections if one.name}


def _describe(part: Part, patches: Sequence[Patch], tile: int) -> str:
    names = sorted({patch.pair.group for patch in patches})
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return f"{part:5} {len(patches):5} tiles of {tile} px from {listed}"
