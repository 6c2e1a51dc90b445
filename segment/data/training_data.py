"""Classes, split, statistics and faults of training data, found before training starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from segment.config import AugmentSettings, Config, PixelSizes
from segment.core.common_settings import split_seed
from segment.core.errors import InputError
from segment.core.progress import Progress
from segment.core.raster.classes import ClassTable
from segment.core.splits import PARTS, Part
from segment.core.training.class_weights import resolve_class_weights
from segment.data.collections import Labelled, check_data, open_collections, open_tiles
from segment.data.dataset import Survey, Tables, survey
from segment.data.mask_census import take_census
from segment.data.mask_checks import too_much_undeclared
from segment.data.mask_reading import MaskReading, choose_reading
from segment.data.patches import Patch
from segment.data.splits import leaks
from segment.data.tiles import Pair
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
    """

    class_table: ClassTable
    labels: LabelSets
    collections: Sequence[Labelled]
    survey: Survey
    class_weights: list[float]
    masks: Mapping[str, Any]

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
            open_collections(settings, seed)
            if tiles is None
            else [open_tiles(tiles, settings, seed)]
        )
        require_alike([pair for one in collections for pair in one.pairs])
        readings = [_read_masks(one, config, progress) for one in collections]
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
            if note := one.pairs[0].info.alpha_note:
                progress.say(f"note: {one.folder}: {note}")
            for note in one.notes:
                progress.say(f"note: {one.name}: {note}" if one.name else f"note: {note}")
            for group in leaks(one.parts) if one.split != "run" else []:
                progress.say(
                    f"warning: tiles of {group!r} are trained on and scored: neighbours leak, the"
                    " scores flatter"
                )
        parts = _together(collections)
        shown, tables = partial(progress.advance, "reading"), _tables(collections)
        found = survey(
            parts,
            table,
            settings.undeclared,
            settings.tile,
            settings.preprocess,
            shown,
            tables=tables,
            codes=labels.count,
        )
        if not found.class_pixels["val"][: len(table)].any():
            raise InputError(
                "data.collections: scores need pixels that are of one class for certain. The masks"
                " of val have only sets of classes. Change the split, or assign a class of a"
                " collection to a single one."
            )
        certain = found.class_pixels["train"][: len(table)]
        absent = [name for name, count in zip(table.names, certain, strict=True) if not count]
        if absent:
            progress.say(
                f"warning: no pixel of the training part is {', '.join(absent)}: it cannot be"
                " learned"
            )
        for value, count in found.undeclared.most_common(5):
            progress.say(
                f"warning: {count:,} mask pixels hold {value}, which no class has: ignored"
            )
        for one, (_, share) in zip(collections, readings, strict=True):
            if share:
                place = f"{one.name}: " if one.name else ""
                progress.say(
                    f"warning: {place}{share:.1%} of the labelled mask pixels are of no class of"
                    " the table: ignored"
                )
        weights = resolve_class_weights(config.loss.class_weights, table.names, certain)
        for one in collections:
            for part in PARTS:
                if one.parts[part]:
                    progress.say(_describe(part, one.parts[part], settings.tile))
        masks = {
            "absent": absent,
            "undeclared": dict(found.undeclared.most_common(_LISTED)),
            "undeclared_share": max(share for _, share in readings),
            "notes": [note for reading, _ in readings for note in reading.notes],
            "findings": [vars(finding) for reading, _ in readings for finding in reading.findings],
        }
        return cls(table, labels, collections, found, weights, masks)

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
        """Digest of tiles, split, classes and pixels; a resumed run must find the same."""
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
        return sha256(repr(found).encode()).hexdigest()

    @property
    def facts(self) -> list[tuple[str, object]]:
        """What the report shows of the masks; facts without content are left out."""
        absent, share, odd = (
            self.masks["absent"],
            self.masks["undeclared_share"],
            self.masks["findings"],
        )
        facts = [
            ("Classes without a pixel in the training part", ", ".join(absent)),
            ("Labelled mask pixels of no class", f"{share:.1%}" if share else ""),
            ("How masks are read", "; ".join(self.masks["notes"])),
            ("Odd about masks", " ".join(finding["what"] for finding in odd)),
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

    def ground_sampling_range(self, augment: AugmentSettings) -> tuple[float, float] | None:
        """Returns the range of ground sampling distances that training shows.

        Args:
            augment: Settings of the augmentation, which may vary the scale.

        Returns:
            Smallest and largest metres per pixel; None where no collection says its own.
        """
        factors, plain = (
            self.pixel_sizes(augment.pixel_size),
            (
                1 / (1 + augment.scale),
                1 / (1 - augment.scale),
            ),
        )
        seen = [
            one.gsd * factor
            for one in self.collections
            if one.gsd and one.parts["train"]
            for factor in factors.get(one.name, plain)
        ]
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


def require_alike(pairs: Sequence[Pair]) -> None:
    """Checks that the images of all collections have the same bands and depth.

    Args:
        pairs: Images and masks.

    Raises:
        InputError: If they differ.
    """
    first = pairs[0]
    for pair in pairs:
        if (pair.info.bands, pair.info.dtype) != (first.info.bands, first.info.dtype):
            raise InputError(
                f"{pair.image}: its {pair.info.bands} bands of {pair.info.dtype} differ from the"
                f" {first.info.bands} of {first.info.dtype} of {first.image}. Export all"
                " collections alike, or leave one out."
            )


def _together(collections: Sequence[Labelled]) -> dict[Part, list[Patch]]:
    return {part: [patch for one in collections for patch in one.parts[part]] for part in PARTS}


def _tables(collections: Sequence[Labelled]) -> Tables:
    return {one.name: (one.class_table, one.codes) for one in collections if one.name}


def _describe(part: Part, patches: Sequence[Patch], tile: int) -> str:
    names = sorted({patch.pair.group for patch in patches})
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return f"{part:5} {len(patches):5} tiles of {tile} px from {listed}"


def _read_masks(one: Labelled, config: Config, progress: Progress) -> tuple[MaskReading, float]:
    """Returns how masks of a collection are read, and the share of pixels without a class.

    The reading is printed before anything else. Raises InputError if a mask cannot be read, and if
    most pixels would teach nothing, or something other than they show.
    """
    census, problems = take_census(one.pairs, progress)
    if problems:
        raise InputError(problems[0])
    reading = choose_reading(one.class_table, census)
    share = census.undeclared_share(reading.class_table)
    most = 1.0 if config.data.undeclared == "refuse" else config.data.max_undeclared
    too_much = too_much_undeclared(reading.class_table, census, most)
    for c, mapped in zip(reading.class_table.classes, reading.class_table.mapped, strict=True):
        if c.value != mapped.value:
            reading.notes.append(
                f"{c.name} is {c.value} in masks, and {mapped.value} in maps, where {c.value} is"
                " nodata"
            )
    for line in reading.lines:
        progress.say(f"{one.name}: {line}" if one.name else line)
    if reading.refusals:
        raise InputError(f"{one.folder}: {reading.refusals[0]}")
    if too_much and reading.findings:
        cause = reading.findings[0]
        raise InputError(
            f"{one.folder}: {too_much[0].what} {cause.what} {cause.cure} Or allow it: --set"
            " data.max_undeclared=1."
        )
    if too_much:
        raise InputError(f"{one.folder}: {too_much[0]}")
    return reading, share
