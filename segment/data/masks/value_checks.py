"""Checks of the values that masks hold in one band."""

from collections.abc import Callable, Iterator

from segment.core.labels.classes import IGNORED
from segment.core.reports.page import Finding
from segment.data.masks.contents import NAMED, MaskContents

_WHITE = str(IGNORED)


def _counted_from_one(masks: MaskContents) -> Iterator[Finding]:
    size = len(masks.class_table.table)
    if masks.counts_from_one:
        yield Finding(
            f"Masks count classes from 1: they hold {masks.held}.",
            f"The class table gives no values, and positions in it count from 0, so {size} would be"
            " of no class.",
            f"If they are its classes in order, {masks.entries(list(range(1, size + 1)))}.",
        )


def _lossy_values(masks: MaskContents) -> Iterator[Finding]:
    values = sorted(c.value or 0 for c in masks.class_table.table)
    if masks.classes_blend:
        yield Finding(
            f"{masks.census.lossy:,} of {masks.census.masks:,} masks are JPEG files, whose"
            f" compression changes values: they hold {masks.held}.",
            f"Values of classes as near as {', '.join(map(str, values[:NAMED]))} become each"
            " other.",
            "Export the masks again as PNG or GeoTIFF, with one value a class. If they were 0 and"
            " 255, value: 0 and value: 255 in the class table ignore what lies between.",
        )


def _only_background(masks: MaskContents) -> Iterator[Finding]:
    """Checks for 0 and 255 with a table of one class without a value, which then would be 0."""
    table = masks.class_table
    if table.positional and len(table.table) == 1 and masks.census.values == {"0", _WHITE}:
        (only,) = table.names
        yield Finding(
            f"Masks hold {masks.held}, and the class table has one class, {only}.",
            f"The table gives no values, so 0 would be {only}, and {_WHITE} unlabelled.",
            f"If {_WHITE} is {only}, write a class for 0 before it into the class table, e.g."
            " background; if 0 is, give it value: 0.",
        )


def _unclaimed_255(masks: MaskContents) -> Iterator[Finding]:
    """Checks for 255 that no class has, where a class has no pixel."""
    absent, table = masks.absent, masks.class_table
    if any(c.value == IGNORED for c in table.ignored):
        return
    has_values = not table.positional and len(absent) < len(table) - 1  # and masks hold several
    if masks.census.at_255 and absent and not has_values and not masks.counts_from_one:
        yield Finding(
            f"Masks hold {masks.held}; no pixel is {', '.join(absent[:NAMED])}, and no class"
            f" has the value {IGNORED}.",
            f"The {masks.census.at_255:,} pixels of {IGNORED} are taken for unlabelled, and neither"
            " learned nor scored.",
            f"If {IGNORED} is a class, write value: {IGNORED} for it into the class table (e.g. for"
            f" {absent[-1]}).",
        )


def _mixed(masks: MaskContents) -> Iterator[Finding]:
    """Checks for groups or masks that show classes by different values."""
    groups = masks.census.groups
    if masks.class_table.claims_255:
        mapped = {
            str(m.value)
            for c, m in zip(masks.class_table.classes, masks.class_table.mapped, strict=True)
            if c.value == IGNORED
        }
        white = [g for g, held in groups.items() if _WHITE in held]
        numbered = [
            g for g, held in groups.items() if _WHITE not in held and held > {"0"} and held & mapped
        ]
    else:
        white = [g for g, held in groups.items() if held == {"0", _WHITE}]
        numbered = [g for g, held in groups.items() if held == {"0", "1"}]
    if white and numbered:
        yield Finding(
            f"Groups show classes by different values: {', '.join(white[:NAMED])} by 0 and"
            f" {IGNORED}, {', '.join(numbered[:NAMED])} by 0 and 1.",
            "All are read alike, so in some of them a class is ignored.",
            "Write the masks of all groups with the same values.",
        )
    elif not masks.class_table.claims_255 and not any(
        {"1", _WHITE} <= held for held in masks.census.shown
    ):
        examples = [masks.census.shown.get(frozenset({"0", value})) for value in (_WHITE, "1")]
        if all(examples):
            yield Finding(
                f"Masks show classes by different values: {examples[0]} by 0 and {IGNORED},"
                f" {examples[1]} by 0 and 1, and none by all three.",
                f"{IGNORED} is taken for unlabelled in all of them.",
                "If it is a class in some, write all masks with the same values.",
            )


def _other_values(masks: MaskContents) -> Iterator[Finding]:
    """Checks for values of one band that the table lacks, where classes have no pixel."""
    numbers, declared = masks.numbers, [c.value or 0 for c in masks.class_table.table]
    if (
        not set(numbers) - {*declared, IGNORED}
        or not masks.absent
        or masks.is_smeared
        or masks.counts_from_one
        or masks.counts_one_too_many
    ):
        return
    cure = "Write the classes' values into the table, or export masks with those that it has"
    if len(numbers) == len(declared):
        ordered = ", ".join(f"{number:g}" for number in numbers)
        whole = all(number in range(IGNORED + 1) for number in numbers)
        cure = (
            f"If these are its classes in order, {masks.entries(list(map(int, numbers)))}"
            if whole
            else (
                f"If {ordered} are its classes in order, export masks of 8 bits that hold"
                f" {', '.join(map(str, sorted(declared)))}"
            )
        )
    values = ", ".join(map(str, sorted(declared)[:NAMED]))
    yield Finding(
        f"Masks hold {masks.held}, and the class table has the values {values}: no pixel is "
        f"{', '.join(masks.absent[:NAMED])}.",
        "What no class has is neither learned nor scored.",
        f"{cure}.",
    )


def other_legend(masks: MaskContents) -> Iterator[Finding]:
    """Checks for colour tables of class rasters that show other classes than the values are.

    Args:
        masks: What masks hold.

    Yields:
        The finding.
    """
    named = masks.class_table.mask_colors()
    for legend in masks.census.legends.values():
        shown = {
            c.value or 0: (c, f"#{legend[c.value or 0].tobytes().hex().upper()}")
            for c in masks.class_table.table
        }
        others = [
            (value, named[color], c)
            for value, (c, color) in shown.items()
            if color in named and named[color] is not c and color != c.map_color
        ]
        if len(others) > 1:
            value, drawn, c = others[0]
            cure = ", ".join(f"{drawn.name} value: {value}" for value, drawn, _ in others)
            yield Finding(
                f"The colour table of masks shows {value} in the colour of {drawn.name}, and"
                f" {value} is {c.name} in the class table.",
                "Values are read, not colours.",
                f"Write the values of the masks into the class table ({cure}), if the colours are"
                " right.",
            )
            return


def _other_legend_than_positions(masks: MaskContents) -> Iterator[Finding]:
    if masks.class_table.positional:
        yield from other_legend(masks)


Check = Callable[[MaskContents], Iterator[Finding]]
REFUSALS: tuple[Check, ...] = (
    _counted_from_one,
    _lossy_values,
    _only_background,
    _other_legend_than_positions,
)
"""Checks for faults with which nothing can be learned or scored correctly."""

VALUE_CHECKS: tuple[Check, ...] = (_unclaimed_255, _mixed, _other_values)
"""Checks for other faults of values, where the class table was written for the masks."""
