"""Notes on training data, printed before a training starts."""

from collections.abc import Sequence

from segment.core.progress import Progress
from segment.core.splits import PARTS
from segment.data.collections import Labelled
from segment.data.division import count_shared
from segment.data.splits import leaks
from segment.data.survey import Survey

_RARE = 0.01  # share of the labelled training pixels
_SHOWN = 6  # groups of a part


def prefix_of(one: Labelled) -> str:
    """Returns what notes on a collection begin with.

    Args:
        one: The collection.

    Returns:
        "NAME: "; empty where there is only one tile folder.
    """
    return f"{one.name}: " if one.name else ""


def print_notes(one: Labelled, tile: int, progress: Progress) -> None:
    """Prints notes on the images and folders of a collection, and on groups that leak.

    Args:
        one: The collection.
        tile: Edge of a tile, pixels.
        progress: Prints them.
    """
    if note := one.pairs[0].info.alpha_note:
        progress.say(f"note: {one.folder}: {note}")
    for note in one.notes:
        progress.say(f"note: {prefix_of(one)}{note}")
    for group in leaks(one.parts, within_groups=one.division.split in ("run", "block")):
        progress.say(
            f"warning: tiles of {group!r} are both trained on and scored: the scores are too good"
        )
    if one.division.split != "patch" and (shared := count_shared(one.parts, tile)):
        progress.say(
            f"warning: {prefix_of(one)}{shared} tiles of val or test show ground that tiles of"
            " train show too: the scores are too good"
        )


def print_warnings(
    found: Survey,
    names: Sequence[str],
    absent: Sequence[str],
    collections: Sequence[Labelled],
    shares: Sequence[float],
    progress: Progress,
) -> None:
    """Prints warnings about classes that a part lacks, and about mask pixels of no class.

    Args:
        found: Survey of all pixels.
        names: Names of the classes.
        absent: Those without a pixel in the training part.
        collections: The collections.
        shares: Share of the labelled mask pixels of each collection that are of no class, 0 to 1.
        progress: Prints them.
    """
    if absent:
        progress.say(
            f"warning: no pixel of the training part is {', '.join(absent)}: cannot be learned"
        )
    scored = found.class_pixels["val"][: len(names)]
    unscored = [
        name for name, count in zip(names, scored, strict=True) if not count and name not in absent
    ]
    if unscored and not any("val" in one.division.missing for one in collections):
        progress.say(
            f"warning: no pixel of the validation part is {', '.join(unscored)}: not scored"
        )
    for value, count in found.undeclared.most_common(5):
        progress.say(f"warning: {count:,} mask pixels hold {value}, which no class has: ignored")
    for one, share in zip(collections, shares, strict=True):
        if share:
            progress.say(
                f"warning: {prefix_of(one)}{share:.1%} of the labelled mask pixels are of no class"
                " of the table: ignored"
            )


def print_parts(
    found: Survey,
    names: Sequence[str],
    collections: Sequence[Labelled],
    tile: int,
    progress: Progress,
) -> None:
    """Prints the tiles of each part, their labelled share, and classes that are rare in training.

    Args:
        found: Survey of all pixels.
        names: Names of the classes.
        collections: The collections.
        tile: Edge of a tile, pixels.
        progress: Prints them.
    """
    for one in collections:
        for part in PARTS:
            if patches := one.parts[part]:
                groups = sorted({patch.pair.group for patch in patches})
                more = f" and {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
                listed = ", ".join(groups[:_SHOWN]) + more
                progress.say(f"{part:5} {len(patches):5} tiles of {tile} px from {listed}")
    shares = ", ".join(f"{share:.2%} of {part}" for part, share in found.labelled.items())
    held = found.class_pixels["train"][: len(names)]
    rare = [
        f"{name} ({share:.2%})"
        for name, share in zip(names, held / max(held.sum(), 1), strict=True)
        if 0 < share < _RARE
    ]
    advice = f"; rare in train: {', '.join(rare)}, see data.sampling=balanced" if rare else ""
    progress.say(f"labelled pixels: {shares}{advice}")
