"""Checks of a tile folder: what its statistics mean for a model, and what to do about it."""

from collections import Counter

import numpy as np
import yaml

from segment.core.exploration.checks import (
    band_names,
    like_nodata,
    listed,
    uneven_pixel_sizes,
    unlike_all_others,
)
from segment.core.reports.page import Finding
from segment.data.mask_checks import too_much_undeclared
from segment.exploration.summary import TileSummary

_UNEVEN, _RARE, _SELDOM = 5.0, 0.01, 0.2
_NAMED = 5
_SURE = 3  # borders; one or two may match by chance


def find_all(view: TileSummary) -> list[Finding]:
    """Runs all checks of a tile folder.

    Args:
        view: Statistics of the tile folder.

    Returns:
        The findings; those that break a training come first.
    """
    steps = (
        _problems,
        _masks,
        _tables,
        _undeclared,
        _no_table,
        _divided,
        _across,
        _neighbours,
        _twins,
        _balance,
        _palettes,
        _small,
    )
    return [finding for step in (*steps, _distances, _nodata, _outliers) for finding in step(view)]


def _problems(view: TileSummary) -> list[Finding]:
    if not view.problems:
        return []
    more = (
        f" So it is with {len(view.problems) - 1} more, listed below."
        if len(view.problems) > 1
        else ""
    )
    return [
        Finding(
            f"Files that do not fit: {view.problems[0]}{more}",
            "Training refuses the folder.",
            "Fix or move them.",
        )
    ]


def _masks(view: TileSummary) -> list[Finding]:
    """Checks masks and the class table as a training does."""
    if view.reading is None:
        return []
    too_much = too_much_undeclared(view.reading.class_table, view.masks, view.max_undeclared)
    return [*view.reading.refusals, *too_much, *view.reading.findings]


def _tables(view: TileSummary) -> list[Finding]:
    found = []
    for table in view.tables:
        absent, unknown = table.absent(view.masks.held), table.unknown(view.masks.held)
        total = view.masks.held.total()
        if not absent or not unknown or sum(unknown.values()) < _RARE * total:
            continue
        ignored = sum(unknown.values()) / total
        if (
            ignored <= 0.5
            and view.declared
            and table.colors.keys() == {c.color for c in view.class_table.table}
        ):
            # this table is in use: other checks report undeclared values and missing classes
            continue
        held = ", ".join(
            f"{value} ({count / total:.1%})" for value, count in list(unknown.items())[:_NAMED]
        )
        found.append(
            Finding(
                f"{table.file.name} contradicts the masks: no mask holds"
                f" {listed([f'{c} ({n})' for c, n in absent.items()])}, but they hold {held}, which"
                " it does not name.",
                f"Read with this table, {'most' if ignored > 0.5 else f'{ignored:.1%} of the'}"
                " pixels would be ignored.",
                "Find out which class each colour of the masks is, and lay a classes.yaml of your"
                " own beside the masks.",
            )
        )
    return found


def _as_table(view: TileSummary) -> str:
    held = view.masks.held
    values = [name for name in view.class_table.names if held[name] >= 0.001 * held.total()]
    entries = [
        {"name": "?", "color": v} if v.startswith("#") else {"name": "?", "value": int(v)}
        for v in values
    ]
    return yaml.safe_dump(entries, default_flow_style=True, width=10_000).strip()


def _undeclared(view: TileSummary) -> list[Finding]:
    """Checks for values that the class table does not name.

    Without a class table, these are values that few masks hold: they are most probably blanks.
    """
    masks, total = view.masks, view.masks.held.total()
    named = "which the class table does not name" if view.declared else "and few masks hold it"
    found = []
    for value, count in (view.undeclared if view.declared else _seldom(view)).most_common(_NAMED):
        mask, share = max(
            ((path, held.get(value, 0.0)) for path, held in masks.of_mask.items()),
            key=lambda item: item[1],
        )
        found.append(
            Finding(
                f"Masks hold {value} in {count:,} pixels ({count / total:.1%} of all, {share:.0%}"
                f" of {view.path(mask)}), {named}.",
                "A blank, a slip of who drew, or a class that was forgotten. What no class has is"
                " neither learned nor scored.",
                "If it is a class, add it to the table, else leave it out; --set"
                " data.undeclared=refuse makes it an error.",
            )
        )
    return found


def _seldom(view: TileSummary) -> Counter[str]:
    masks = view.masks.of_mask.values()
    return Counter(
        {
            value: count
            for value, count in view.masks.held.items()
            if sum(value in held for held in masks) < _SELDOM * len(masks)
            and count < 0.05 * view.masks.held.total()
        }
    )


def _no_table(view: TileSummary) -> list[Finding]:
    if view.declared:
        return []
    count, taken = len(view.masks.held), len(view.class_table.table)
    which = (
        "their own values"
        if count == taken
        else f"of the {count:,} values or colours that they hold, the {taken} commonest"
    )
    why = (
        ""
        if count == taken
        else (
            " So many are not drawn: JPEG and smoothed edges mix colours, and instances are no"
            " classes."
        )
    )
    return [
        Finding(
            f"No class table fits the masks: {which} stand for classes here.",
            f"Training needs names and colours.{why}",
            f"Lay classes.yaml into the folder, with names for: {_as_table(view)}",
        )
    ]


def _divided(view: TileSummary) -> list[Finding]:
    if not view.divided:
        return []
    return [
        Finding(
            f"Scenes are divided between parts: {listed(view.divided)} stand in train and in val or"
            " test.",
            "Neighbours of what was trained on are scored: the scores flatter.",
            "Keep all images of a scene in one part.",
        )
    ]


def _across(view: TileSummary) -> list[Finding]:
    """Checks for neighbouring images in different groups, which a split by group would divide."""
    between = Counter(
        tuple(sorted((view.pairs[n.first].group, view.pairs[n.second].group)))
        for n in view.neighbours
        if view.pairs[n.first].group != view.pairs[n.second].group
    )
    if not between:
        return []
    groups, count = between.most_common(1)[0]
    others = f", and so do {len(between) - 1} other pairs of groups" if len(between) > 1 else ""
    return [
        Finding(
            f"Groups continue each other: images of {groups[0]} and {groups[1]} share {count}"
            f" borders{others}.",
            f"They {_are(count)} parts of one scene, and a split by group divides it: the scores"
            " flatter.",
            "Put their images into one folder, or into one part (data.val_groups,"
            " data.test_groups).",
        )
    ]


def _are(borders: int) -> str:
    """Returns "are" or "may be": a few matching borders can be chance."""
    return "are" if borders >= _SURE else "may be"


def _neighbours(view: TileSummary) -> list[Finding]:
    within = Counter(
        view.pairs[n.first].group
        for n in view.neighbours
        if view.pairs[n.first].group == view.pairs[n.second].group
    )
    if not within:
        return []
    group, count = within.most_common(1)[0]
    return [
        Finding(
            f"Images of a group {_are(count)} neighbours cut from one scene, in {len(within)} of"
            f" {len(view.groups)} groups: the {view.groups[group]} of {group} continue each other"
            f" at {count} borders.",
            f"{len(view.groups)} scenes {_are(count)} independent, not {len(view.pairs)} images;"
            " then a split by image or by patch flatters.",
            "Leave data.split=group, and choose whole groups with data.val_groups and"
            " data.test_groups.",
        )
    ]


def _twins(view: TileSummary) -> list[Finding]:
    if not view.twins:
        return []
    divided = [t for t in view.twins if t.divided]
    across = [t for t in view.twins if not t.divided and t.first.group != t.second.group]
    some = divided or across or view.twins
    return [
        Finding(
            f"{len(view.twins):,} images come twice: {view.path(some[0].second.image)} and"
            f" {view.path(some[0].first.image)}{' among them' if len(view.twins) > 1 else ''};"
            f" {len(divided):,} of them in different parts, {len(across):,} more in different"
            " groups.",
            "What is trained on and scored makes the scores flatter.",
            "Remove one of each pair; they are shown below.",
        )
    ]


def _balance(view: TileSummary) -> list[Finding]:
    pixels, names = view.class_pixels, view.class_table.names
    shares = pixels / max(pixels.sum(), 1)
    missing = [name for name, count in zip(names, pixels, strict=True) if not count]
    found = []
    if missing:
        found.append(
            Finding(
                f"No pixel is {listed(missing)}.",
                "It cannot be learned.",
                "Add images that show it, or take it out of the table.",
            )
        )
    held = np.flatnonzero(pixels)
    if len(held) < 2:
        return found
    most, least = held[pixels[held].argmax()], held[pixels[held].argmin()]
    if pixels[most] >= _UNEVEN * pixels[least]:
        rare = [
            f"{names[i]} ({shares[i]:.1%})"
            for i in held
            if shares[i] < max(_RARE, shares[most] / _UNEVEN)
        ]
        found.append(
            Finding(
                f"Classes are uneven: {names[most]} has {shares[most]:.0%} of the pixels,"
                f" {pixels[most] / pixels[least]:.1f} times those of {names[least]}. Rare:"
                f" {listed(rare)}.",
                "Accuracy tells of the frequent classes alone, and a model may leave the rare ones"
                " out.",
                "Read the Jaccard index of each class; keep focal + Dice, or --set"
                " loss.class_weights=balanced",
            )
        )
    lone = [
        name
        for label, name in enumerate(names)
        if np.count_nonzero(_of_groups(view)[:, label]) == 1
    ]
    if lone and len(view.groups) > 1:
        found.append(
            Finding(
                f"Only one group shows {listed(lone)}.",
                "Split by group, it is either learned or scored, not both.",
                "Add scenes that show it.",
            )
        )
    return found


def _of_groups(view: TileSummary) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """Returns the pixels of each group and class, (groups, classes)."""
    groups = list(view.groups)
    found = np.zeros((len(groups), len(view.class_table)), np.int64)
    for pair, pixels in zip(view.pairs, view.looks.class_pixels, strict=True):
        found[groups.index(pair.group)] += pixels
    return found


def _palettes(view: TileSummary) -> list[Finding]:
    some = view.masks.with_palette
    if not some:
        return []
    groups = list(dict.fromkeys(pair.group for pair in some))
    return [
        Finding(
            f"{len(some):,} masks are pictures with a palette ({listed(groups)}).",
            "Here they are read as the colours one sees; programs that read the stored numbers get"
            " others.",
            "Nothing for this toolkit. Convert them to RGB for programs that cannot.",
        )
    ]


def _small(view: TileSummary) -> list[Finding]:
    small = [pair for pair in view.pairs if min(pair.info.width, pair.info.height) < view.tile]
    if not small:
        return []
    # networks halve tiles five times
    fitting = min(min(pair.info.width, pair.info.height) for pair in small) // 32 * 32
    smaller = (
        f"Train on smaller tiles, e.g. --set data.tile={fitting}, or cut" if fitting else "Cut"
    )
    return [
        Finding(
            f"{len(small):,} images are smaller than a tile of {view.tile} px, such as"
            f" {view.path(small[0].image)}.",
            "They are filled up by their mirror image, which is not learned.",
            f"{smaller} larger images.",
        )
    ]


def _distances(view: TileSummary) -> list[Finding]:
    return uneven_pixel_sizes(view.distances, 1.5, "augment.scale=0.4")


def _nodata(view: TileSummary) -> list[Finding]:
    info = view.pairs[0].info
    return (
        []
        if info.dtype == "uint8"
        else like_nodata(view.looks.values, band_names(info.bands, info.dtype))
    )


def _outliers(view: TileSummary) -> list[Finding]:
    return unlike_all_others([view.path(pair.image) for pair in view.outliers])
