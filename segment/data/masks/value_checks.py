"""Masks beside their class table: what they hold, and checks of the values in one band."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.reports.page import Finding
from segment.data.mask_census import MaskCensus

NAMED = 5
"""Values or classes that a message lists."""

NEAR = 16
"""Levels by which JPEG and smoothing change a value."""

SMEARED = 8
"""Undeclared values that resizing and JPEG leave; drawing errors leave fewer."""

_WHITE = str(IGNORED)


def listed(counts: Counter[str], total: int) -> str:
    """Lists the most frequent values with their shares.

    Args:
        counts: Pixels by value or colour.
        total: Pixels that the shares are of.

    Returns:
        For example "0 (62.5%), 9 (31.2%)".
    """
    more = f" and {len(counts) - NAMED:,} more" if len(counts) > NAMED else ""
    return (
        ", ".join(f"{value} ({count / total:.1%})" for value, count in counts.most_common(NAMED))
        + more
    )


@dataclass(frozen=True)
class MaskContents:
    """What masks hold, seen with a class table.

    Attributes:
        class_table: Class table by which masks are decoded.
        census: Census of all masks, after `MaskCensus.read_with` of that table.
    """

    class_table: ClassTable
    census: MaskCensus

    @cached_property
    def held(self) -> str:
        """List of what masks hold, with shares of all pixels except nodata."""
        counts = self.census.held + Counter({_WHITE: self.census.at_255})
        return listed(counts, max(counts.total() + self.census.rest, 1))

    @cached_property
    def numbers(self) -> list[float]:
        """Values in one band, sorted."""
        return sorted(float(value) for value in self.census.values)

    @cached_property
    def absent(self) -> list[str]:
        """Names of the classes without a pixel."""
        shown = self.class_table.mask_colors()
        present = {c.name for key, c in shown.items() if key in self.census.held}
        return [
            c.name
            for c in self.class_table.classes
            if str(c.value) not in self.census.held and c.name not in present
        ]

    @cached_property
    def undeclared(self) -> Counter[str]:
        """Pixels by value or colour that the class table does not name."""
        return self.census.undeclared(self.class_table)

    @cached_property
    def is_smeared(self) -> bool:
        """Whether values in one band are mixed: few have most of the pixels, many the rest."""
        census, size = self.census, len(self.class_table.table)
        others = [value for value in self.undeclared if value in census.values]
        counts = [census.held[value] for value in census.values] + [census.at_255]
        most = sum(sorted(counts)[-size - 1 :])
        return len(others) > max(SMEARED, 2 * size) and most >= 0.8 * sum(counts)

    @cached_property
    def counts_from_one(self) -> bool:
        """Whether masks count classes from 1, with a table that gives no values."""
        size = len(self.class_table.table)
        numbers = [number for number in self.numbers if number != IGNORED]
        return (
            self.class_table.positional
            and size > 1
            and bool(numbers)
            and set(numbers) <= set(range(1, size + 1))
            and numbers[-1] == size
        )

    @cached_property
    def counts_one_too_many(self) -> bool:
        """Whether masks hold 0 to the size of a table that gives no values."""
        size = len(self.class_table.table)
        numbers = set(self.numbers) - {IGNORED}
        return (
            self.class_table.positional and numbers <= set(range(size + 1)) and {0, size} <= numbers
        )

    @cached_property
    def classes_blend(self) -> bool:
        """Whether files are lossy, and classes have values so close that one can become another."""
        values = sorted(c.value or 0 for c in self.class_table.table)
        return bool(
            self.census.lossy
            and self.census.values
            and any(later - earlier < NEAR for earlier, later in pairwise(values))
        )

    def entries(self, numbers: list[int]) -> str:
        """Returns advice to write values into the class table.

        Args:
            numbers: Values for its entries, in their order.

        Returns:
            Half a sentence.
        """
        ordered = sorted(self.class_table.table, key=lambda c: c.value or 0)
        entries = ", ".join(
            f"{c.name} value: {number}" for c, number in zip(ordered, numbers, strict=False)
        )
        return f"write the values into the class table ({entries})"


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


Check = Callable[[MaskContents], Iterator[Finding]]
REFUSALS: tuple[Check, ...] = (_counted_from_one, _lossy_values, _only_background)
"""Checks for faults with which nothing can be learned or scored correctly."""

VALUE_CHECKS: tuple[Check, ...] = (_unclaimed_255, _mixed, _other_values)
"""Checks for other faults of values, where the class table was written for the masks."""
