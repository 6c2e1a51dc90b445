"""Classes, split, statistics and faults of training data, found before training starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from segment.augment_settings import AugmentSettings
from segment.collection_settings import PixelSizes
from segment.config import Config
from segment.core.common_settings import split_seed
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.pixels.band_scale import BandScale
from segment.core.progress import Progress
from segment.core.splits import PARTS, Part
from segment.core.training.class_weights import resolve_class_weights
from segment.data.collections import Labelled, check_data, open_collections, open_tiles
from segment.data.masks.reading import read_masks
from segment.data.pairs.pair import Pair, require_alike
from segment.data.pairs.pixel_sizes import distances_of_groups
from segment.data.patches import Patch
from segment.data.pixels import Tables, TilePixels
from segment.data.survey import Survey, band_order_notes, survey
from segment.data.tile_scales import scale_collections
from segment.data.training_notes import prefix_of, print_notes, print_parts, print_warnings
from segment.label_sets import LabelSets

_LISTED = 100


@dataclass(frozen=True)
class TrainingData:
    """A tile folder, or several collections, that have been read once.

    Attributes:
        class_table: The classes of the model.
        labels: What the codes of masks admit.
        collections: The collections, with the class tables by which their masks are decoded, see
            `choose_reading`.
        survey: Statistics, class pixels and record of the images.
        class_weights: One weight per class, for the loss.
        masks: What was found about the masks, as report.json holds it: `absent` classes without a
            pixel in the training part, `undeclared` pixels by value or colour, the largest
            `undeclared_share` of a collection, `notes` and `findings`.
        scale: Scale that brings images to 8 bits; None where they stay as they are.
    """

    class_table: ClassTable
    labels: LabelSets
    collections: Sequence[Labelled]
    survey: Survey
    class_weights: list[float]
    masks: Mapping[str, Any]
    scale: BandScale | None = None

    @classmethod
    def prepare(cls, tiles: Path | None, config: Config, progress: Progress) -> "TrainingData":
        """Reads the data and prints what it finds.

        It prints what masks hold, undeclared colours, groups that leak, and the split.

        Args:
            tiles: The tile folder; None where `data.collections` lists several.
            config: Settings of the training.
            progress: Receives messages and the state of the reading.

        Returns:
            The training data.

        Raises:
            InputError: If the data do not fit together, or do not fit the settings.
        """
        settings, seed = config.data, split_seed(config.data.split_seed, config.training)
        check_data(tiles, settings)
        collections = (
            open_collections(settings, seed, progress)
            if tiles is None
            else [open_tiles(tiles, settings, seed, progress)]
        )
        collections, scale = scale_collections(collections, settings.scale, progress)
        pairs = [pair for one in collections for pair in one.pairs]
        require_alike(pairs)
        for line in band_order_notes(pairs):
            progress.say(f"warning: {line}")
        readings = [
            read_masks(one.folder, one.pairs, one.class_table, settings, progress, prefix_of(one))
            for one in collections
        ]
        collections = [
            replace(one, class_table=reading.class_table)
            for one, (reading, _) in zip(collections, readings, strict=True)
        ]
        table = (
            ClassTable(settings.classes)
            if settings.collections and settings.classes
            else collections[0].class_table
        )
        labels = replace(collections[0].labels, used=None)
        for one in collections:
            print_notes(one, settings.tile, progress)
        found = survey(
            _together(collections),
            TilePixels(table, settings.undeclared, megabytes=0, tables=_tables(collections)),
            settings.tile,
            settings.preprocess,
            partial(progress.advance, "reading"),
            labels.count,
        )
        if not found.class_pixels["val"][: len(table)].any():
            raise InputError(
                "data.collections: the masks of val have only sets of classes, so nothing can be"
                " scored. Change the split, or assign a class of a collection to a single one."
            )
        certain = found.class_pixels["train"][: len(table)]
        absent = [name for name, count in zip(table.names, certain, strict=True) if not count]
        shares = [share for _, share in readings]
        print_warnings(found, table.names, absent, collections, shares, progress)
        weights = resolve_class_weights(config.loss.class_weights, table.names, certain)
        print_parts(found, table.names, collections, settings.tile, progress)
        masks = {
            "absent": absent,
            "undeclared": dict(found.undeclared.most_common(_LISTED)),
            "undeclared_share": max(shares),
            "notes": [note for reading, _ in readings for note in reading.notes],
            "findings": [vars(finding) for reading, _ in readings for finding in reading.findings],
        }
        return cls(table, labels, collections, found, weights, masks, scale)

    @property
    def parts(self) -> dict[Part, list[Patch]]:
        """The patches of all collections, by part."""
        return _together(self.collections)

    @property
    def pairs(self) -> list[Pair]:
        """The images and masks of all collections."""
        return [pair for one in self.collections for pair in one.pairs]

    @property
    def tables(self) -> Tables:
        """How masks of each collection are decoded; empty where there is only one tile folder."""
        return _tables(self.collections)

    @property
    def fingerprint(self) -> str:
        """Digest of tiles, split, classes, pixels and labels; a resumed run must have the same."""
        places = [
            (part, patch.pair.group, patch.pair.image.name, patch.row, patch.column)
            for part in PARTS
            for patch in self.parts[part]
        ]
        statistics = self.survey.statistics
        found: tuple[object, ...] = (
            places,
            self.class_table.table,
            statistics.count,
            statistics.mean.tolist(),
        )
        if self.labels.unions:
            found += (self.labels.sets, [one.codes.tolist() for one in self.collections])
        if any(one.of_scenes for one in self.collections):
            found += (self.survey.content,)
        images = sha256(self.survey.record.digests.tobytes()).hexdigest()
        # images come last: the fingerprints of earlier versions lack them
        return sha256(repr(found).encode()).hexdigest() + self.survey.labels + images

    @property
    def facts(self) -> list[tuple[str, object]]:
        """What the report shows of the masks; facts without content are left out."""
        masks, share = self.masks, self.masks["undeclared_share"]
        facts = [
            ("Classes without a pixel in the training part", ", ".join(masks["absent"])),
            ("Labelled mask pixels of no class", f"{share:.1%}" if share else ""),
            ("How masks are read", "; ".join(masks["notes"])),
            ("Odd about masks", " ".join(finding["what"] for finding in masks["findings"])),
        ]
        return [(name, fact) for name, fact in facts if fact]

    def ground_sampling_distance(self) -> float | None:
        """Returns the ground sampling distance of the data.

        Returns:
            Metres per pixel: the median over the collections, or over the groups of the only one;
            None where unknown.
        """
        known = [one.gsd for one in self.collections if one.gsd]
        return float(np.median(known)) if known else None

    def ground_sampling_range(
        self, augment: AugmentSettings, crop: int = 0
    ) -> tuple[float, float] | None:
        """Returns the range of ground sampling distances that training shows.

        Args:
            augment: Settings of the augmentation, which may vary the scale.
            crop: Edge of random crops, pixels, which zoom does not draw from beyond their image; 0
                for tiles on a fixed grid.

        Returns:
            Smallest and largest metres per pixel; None where no collection has one.
        """
        factors, seen = self.pixel_sizes(augment.pixel_size), list[float]()
        for one in self.collections:
            pairs = list(dict.fromkeys(patch.pair for patch in one.parts["train"]))
            if not one.gsd or not pairs:
                continue
            largest = max(min(pair.info.height, pair.info.width) for pair in pairs)
            zoomed = 1 / (1 - augment.scale)
            coarsest = min(zoomed, max(1.0, largest / crop)) if crop else zoomed
            shown = factors.get(one.name, (1 / (1 + augment.scale), coarsest))
            own = distances_of_groups(pairs) or [one.gsd]
            seen += [distance * factor for distance in own for factor in shown]
        return (min(seen), max(seen)) if seen else None

    def pixel_sizes(self, common: PixelSizes | None) -> dict[str, PixelSizes]:
        """Returns the range of pixel sizes of each collection that has one.

        Args:
            common: Range for collections without their own, see `AugmentSettings.pixel_size`.

        Returns:
            Smallest and largest factor, by name of the collection.
        """
        found = {one.name: one.pixel_size or common for one in self.collections}
        return {name: sizes for name, sizes in found.items() if sizes}

    @property
    def labels_of_collections(self) -> dict[str, LabelSets]:
        """What the codes of each collection admit; empty where there is only one tile folder."""
        return {one.name: one.labels for one in self.collections if one.name}


def _together(collections: Sequence[Labelled]) -> dict[Part, list[Patch]]:
    return {part: [patch for one in collections for patch in one.parts[part]] for part in PARTS}


def _tables(collections: Sequence[Labelled]) -> Tables:
    return {one.name: (one.class_table, one.codes) for one in collections if one.name}
