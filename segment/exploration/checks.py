"""Checks of a tile folder, in the order of their findings: first those that stop a training."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np

from segment.core.exploration.checks import (
    NODATA,
    OUTLIERS,
    Check,
    Values,
    check_distances,
    copies,
    listed,
    problems,
    uneven_classes,
)
from segment.exploration.mask_checks import MASK_CHECKS
from segment.exploration.summary import TileSummary

_UNEVEN = 5.0
_SURE = 3  # borders; one or two may match by chance


def _divided(folder: TileSummary) -> Iterator[Values]:
    if folder.divided:
        yield {"groups": listed(folder.divided)}


def _neighbours(folder: TileSummary, within: bool) -> Iterator[Values]:
    """Finds neighbours in the same group, or in different ones, which a split would divide."""
    borders = folder.borders.items() if not (within and len(folder.groups) == 1) else ()
    if found := Counter({two: n for two, n in borders if (two[0] == two[1]) == within}):
        (first, second), count = found.most_common(1)[0]
        rest = len(found) - 1
        yield {
            "more": f", and so do {rest} other pairs of groups" if rest else "",
            "first": first,
            "second": second,
            "count": count,
            "some": len(found),
            "are": "are" if count >= _SURE else "may be",
            "in_first": folder.groups[first],
            "groups": len(folder.groups),
            "images": len(folder.images),
        }


def _divided_by_ground(folder: TileSummary) -> Iterator[Values]:
    if division := folder.division:
        parts = {part: len(patches) for part, patches in division.parts.items()}
        lacks = division.notes(folder.class_table.names)[1:]
        yield {
            "groups": listed(list(folder.groups)),
            "edge": division.edge,
            "train": parts["train"],
            "val": parts["val"],
            "margin": len(division.margin),
            "lacks": "".join(f" {lack[0].upper()}{lack[1:]}." for lack in lacks),
        }


def _undivided(folder: TileSummary) -> Iterator[Values]:
    if folder.undivided:
        what, _, cure = str(folder.undivided).partition(". ")
        yield {"what": what, "cure": cure}


def _missing_classes(folder: TileSummary) -> Iterator[Values]:
    counts = zip(folder.class_table.names, folder.class_counts, strict=True)
    if missing := [name for name, count in counts if not count]:
        yield {"classes": listed(missing)}


def _classes_of_one_group(folder: TileSummary) -> Iterator[Values]:
    groups = np.count_nonzero([*folder.group_pixels.values()], axis=0)
    lone = [name for name, n in zip(folder.class_table.names, groups, strict=True) if n == 1]
    if lone and len(folder.groups) > 1:
        yield {"classes": listed(lone)}


def _palettes(folder: TileSummary) -> Iterator[Values]:
    if some := folder.masks.with_palette:
        groups = list(dict.fromkeys(pair.group for pair in some))
        yield {"count": len(some), "groups": listed(groups)}


def _small_images(folder: TileSummary) -> Iterator[Values]:
    tile = folder.settings.tile
    if small := [image for image in folder.images if min(image.width, image.height) < tile]:
        # networks halve tiles five times
        fitting = min(min(image.width, image.height) for image in small) // 32 * 32
        smaller = f"Train on smaller tiles, --set data.tile={fitting}, or cut" if fitting else "Cut"
        yield {"count": len(small), "tile": tile, "image": small[0].name, "smaller": smaller}


CHECKS: tuple[Check[TileSummary], ...] = (
    Check(
        problems,
        "Files that cannot be used: {count:,}. {first}{more}",
        "Training refuses the folder.",
        "Fix or move them.",
    ),
    *MASK_CHECKS,
    Check(
        _divided,
        "Scenes are divided between parts: {groups} are in train and in val or test.",
        "The model is scored next to what it learned from, so scores are too high.",
        "Keep all images of a scene in one part.",
    ),
    Check(
        _undivided,
        "{what}.",
        "Training refuses the folder.",
        "{cure}",
    ),
    Check(
        _divided_by_ground,
        "Squares of ground of {edge} px are divided between training and validation, not groups"
        " ({groups}).",
        "{train} tiles train, {val} are for validation, and {margin} between them are left out,"
        " closer than half a tile to another part.{lacks}",
        "Keep it, or add scenes as further groups: unfamiliar ground is a harder test.",
    ),
    Check(
        partial(_neighbours, within=False),
        "Groups continue each other: {first} and {second} at {count} borders{more}.",
        "They {are} parts of one scene. A split by group divides it, and scores are too high.",
        "Put their images into one folder, or into one part (data.val_groups, data.test_groups).",
    ),
    Check(
        partial(_neighbours, within=True),
        "Images of a group {are} neighbours cut from one scene, in {some} of {groups} groups: the"
        " {in_first} of {first} continue each other at {count} borders.",
        "Independent are the groups ({groups}), not the images ({images}). With a split by image or"
        " patch, scores are too high.",
        "Keep data.split=group, and choose whole groups with data.val_groups and data.test_groups.",
    ),
    Check(
        partial(copies, parts=(False,), labels=(True, False)),
        "Duplicate images in another part: {count:,}, such as {example}.",
        "One is learned and the other scored, so scores are too high.",
        "Remove one of each pair; they are shown below.",
    ),
    Check(
        partial(copies, parts=(True,), labels=(False,)),
        "Duplicate images in another group: {count:,}, such as {example}.",
        "A split by group may learn one and score the other, so scores would be too high.",
        "Remove one of each pair; they are shown below.",
    ),
    Check(
        partial(copies, parts=(True,), labels=(True,)),
        "Duplicate images in the same group: {count:,}, such as {example}.",
        "They have more weight than others.",
        "Remove one of each pair; they are shown below.",
    ),
    Check(
        _missing_classes,
        "No pixel is {classes}.",
        "A class without pixels cannot be learned.",
        "Add images that show it, or remove it from the class table.",
    ),
    Check(
        partial(uneven_classes, accepted=_UNEVEN),
        "Classes are uneven: {most} has {share:.0%} of the pixels, {times:.3g} times those of"
        " {least}. Rare: {rare}.",
        "Accuracy depends on the frequent classes alone, and a model may never predict the rare"
        " ones.",
        "Compare the Jaccard index of each class; keep focal + Dice, or --set"
        " loss.class_weights=balanced or data.sampling=balanced",
    ),
    Check(
        _classes_of_one_group,
        "Only one group shows {classes}.",
        "With a split by group, it is either learned or scored, not both.",
        "Add scenes that show it.",
    ),
    Check(
        _palettes,
        "Masks that are pictures with a palette: {count:,} ({groups}).",
        "They are read by their visible colours. Programs that read the stored numbers get other"
        " values.",
        "Nothing to do here. For other programs, convert them to RGB.",
    ),
    Check(
        _small_images,
        "Images smaller than a tile of {tile} px: {count:,}, such as {image}.",
        "They are padded with their mirror image, which is not learned.",
        "{smaller} larger images.",
    ),
    check_distances(1.5, "augment.scale=0.4"),
    NODATA,
    OUTLIERS,
)
