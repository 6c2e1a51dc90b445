"""Division of a tile folder into training, validation and test."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from segment.collection_settings import Collection
from segment.config import DataSettings
from segment.core.errors import InputError
from segment.core.splits import PARTS, Part, part_named
from segment.data.division import Count, Division, leave_margin, split_ground
from segment.data.pairs.pair import Pair
from segment.data.patches import Patch, grid_patches


def divide(
    pairs: Sequence[Pair], settings: DataSettings, seed: int, count: Count | None = None
) -> Division:
    """Divides patches into training, validation and test.

    Folders that name a part fix it (see `part_named`). `val_groups` and `test_groups` name groups
    of other folders, or of folders for training. The rest is drawn by seed: whole groups, squares
    of ground with a margin between parts, runs of neighbouring images, or single patches, whose
    neighbours then leak from training into validation. By default groups are drawn, or squares
    where there is only one group. Nothing is drawn where `val_fraction` is 0. A group that a folder
    fixes is not drawn, and its images outside of such a folder go with it.

    Args:
        pairs: Images and masks.
        settings: Split, validation fraction, named groups and tile size.
        seed: Seed of what is drawn.
        count: Counts the labelled pixels of patches, so that each class is in each part where that
            is possible; None to divide by the number of patches.

    Returns:
        The division.

    Raises:
        InputError: If a named group does not exist, is named for two parts or is fixed to another
            part, or if a part that is needed stays empty.
    """
    fixed = _fix(pairs, _named_groups(pairs, settings))
    needs_validation = settings.val_fraction > 0 and not any(p.part == "val" for p in fixed)
    if needs_validation and settings.split == "run":
        fixed = _with_runs(fixed, settings.val_fraction, seed)
    free = sorted({p.group for p in fixed if p.part is None})
    learned = sorted({p.group for p in fixed if p.part == "train"})
    split = settings.split if needs_validation else "group"
    if split == "auto":
        split = "block" if len(free) + len(learned) == 1 else "group"
    drawn: set[str] = set()
    if needs_validation and split == "group":
        if learned and not free:
            raise InputError(
                "No tiles for validation: folders assign all groups to train"
                f" ({', '.join(learned[:6])}). Add a folder val, name groups of train in"
                " data.val_groups, or set data.split=patch (scores then are too good)."
            )
        if not free and not learned:
            tests = sorted({p.group for p in fixed})
            raise InputError(
                f"No tiles for train: folders assign all groups to test ({', '.join(tests[:6])})."
                " Add a folder train, or rename the folder test."
            )
        if len(free) + len(learned) < 2:
            raise InputError(
                f"Splitting by group needs two groups or more, there is {len(free)}"
                f" ({', '.join(free)}). Add scenes as further groups, or set data.split=patch"
                " (scores then are too good)."
            )
        wanted = round((len(free) + len(learned)) * settings.val_fraction)
        most = len(free) - (not learned)
        drawn = set(random.Random(seed).sample(free, min(max(1, wanted), most)))
    parts: dict[Part, list[Patch]] = {part: [] for part in PARTS}
    for patch in grid_patches(fixed, settings.tile):
        parts[patch.pair.part or ("val" if patch.pair.group in drawn else "train")].append(patch)
    division = Division(parts, split)
    if needs_validation and split in ("block", "patch") and parts["train"]:
        patches = [patch for patch in parts["train"] if patch.pair.part is None] or parts["train"]
        kept = (
            []
            if patches is parts["train"]
            else [patch for patch in parts["train"] if patch.pair.part]
        )
        if split == "block":
            division = split_ground(patches, count, settings.val_fraction, settings.tile, seed)
            kept, division = leave_margin(kept, division, settings.tile)
            parts["val"], parts["train"] = division.parts["val"], kept + division.parts["train"]
            division = replace(division, parts=parts)
        else:
            random.Random(seed).shuffle(patches)
            drawn_patches = max(1, round(len(parts["train"]) * settings.val_fraction))
            parts["val"] = patches[:drawn_patches]
            parts["train"] = kept + patches[drawn_patches:]
    for part in PARTS[:2] if settings.val_fraction else PARTS[:1]:
        if not parts[part]:
            raise InputError(f"No tiles for {part}. Change the split.")
    return division


def split_collection(
    pairs: Sequence[Pair],
    one: Collection,
    name: str,
    settings: DataSettings,
    seed: int,
    count: Count | None = None,
) -> Division:
    """Divides the patches of a collection.

    Args:
        pairs: Images and masks of the collection.
        one: Its settings, which have priority; with weight 0 all is test.
        name: Its name, by which its groups start.
        settings: Split, validation fraction and tile size.
        seed: Seed of what is drawn.
        count: Counts the labelled pixels of patches, see `divide`.

    Returns:
        The division.

    Raises:
        InputError: As in `divide`, and if groups of a collection of weight 0 are named.
    """
    if one.weight == 0:
        if named := [key for key in ("val_groups", "test_groups") if getattr(one, key)]:
            raise InputError(
                f"data.collections: {name}: weight 0 leaves no tiles for {named[0]} to divide, all"
                f" are test. Leave {' and '.join(named)} out, or set a weight."
            )
        tests = grid_patches(pairs, settings.tile)
        return Division({"train": [], "val": [], "test": tests}, "group")
    groups = {pair.group for pair in pairs}

    def whole_name(group: str) -> str:
        return name if group == name and name in groups else f"{name}/{group}"

    own = {
        "split": one.split or settings.split,
        "val_fraction": settings.val_fraction if one.val_fraction is None else one.val_fraction,
        "val_groups": [whole_name(group) for group in one.val_groups],
        "test_groups": [whole_name(group) for group in one.test_groups],
    }
    try:
        return divide(pairs, settings.model_copy(update=own), seed, count)
    except InputError as error:
        raise InputError(f"data.collections: {name}: {error}") from error


def _named_groups(pairs: Sequence[Pair], settings: DataSettings) -> dict[str, Part]:
    """Returns the part of each group that the settings name."""
    groups = sorted({p.group for p in pairs})
    named: dict[str, Part] = {}
    wished: list[tuple[str, Part]] = [(name, "val") for name in settings.val_groups]
    for name, part in [*wished, *((name, PARTS[2]) for name in settings.test_groups)]:
        if named.setdefault(name, part) != part:
            raise InputError(
                f"val_groups and test_groups both name {name!r}. Leave it out of one of them."
            )
        # otherwise the folder fixes it
        if name not in groups and (part_named(name) != part or all(p.part != part for p in pairs)):
            raise InputError(f"There is no group {name!r}. Known are: {', '.join(groups)}.")
    return named


def _fix(pairs: Sequence[Pair], named: Mapping[str, Part]) -> list[Pair]:
    """Returns the pairs with the part that a folder or the settings fix; None: to be drawn."""
    by_folder: dict[str, set[Part]] = {}
    for pair in pairs:
        if pair.part:
            by_folder.setdefault(pair.group, set()).add(pair.part)
    for group, part in named.items():
        if others := by_folder.get(group, set()) - {"train", part}:
            raise InputError(
                f"data.{part}_groups: group {group!r} is in a folder for"
                f" {', '.join(sorted(others))}. Move it, or leave it out."
            )
    alone = {group: next(iter(found)) for group, found in by_folder.items() if len(found) == 1}
    fixed = []
    for pair in pairs:
        by_name = named.get(pair.group) if pair.part in (None, "train") else None
        fixed.append(replace(pair, part=by_name or pair.part or alone.get(pair.group)))
    return fixed


def _with_runs(pairs: Sequence[Pair], fraction: float, seed: int) -> list[Pair]:
    """Returns the pairs, with runs of neighbours set to validation.

    Neighbours follow each other in the natural order of names. Consecutive numbers are often
    neighbouring ground: drawn singly, such images would leak into training. A group gives one run
    for each eight images of validation, four at most, at even distances, from a position drawn by
    seed.
    """
    runs: set[Path] = set()
    places = random.Random(seed)
    for group in sorted({p.group for p in pairs if p.part is None}):
        members = [p for p in pairs if p.group == group and p.part is None]
        members.sort(
            key=lambda p: [
                int(t) if i % 2 else t for i, t in enumerate(re.split(r"([0-9]+)", p.image.stem))
            ]
        )
        if len(members) < 2:
            continue
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        pieces = max(1, min(4, count // 8))
        start = places.randrange(len(members))
        for piece in range(pieces):
            first = start + piece * len(members) // pieces
            length = count * (piece + 1) // pieces - count * piece // pieces
            runs.update(members[(first + i) % len(members)].image for i in range(length))
    return [replace(p, part="val") if p.image in runs else p for p in pairs]


def leaks(parts: dict[Part, list[Patch]], within_groups: bool = False) -> list[str]:
    """Returns groups that are both in training and in validation or test.

    The scores of these groups are too good.

    Args:
        parts: Patches of each part.
        within_groups: Whether validation was drawn within groups, apart from training on purpose.

    Returns:
        Names of the groups, sorted.
    """
    groups = {part: {p.pair.group for p in patches} for part, patches in parts.items()}
    drawn = set() if within_groups else groups["val"]
    return sorted(groups["train"] & (drawn | groups["test"]))
