"""What masks hold, seen with a class table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from segment.core.labels.classes import IGNORED, ClassTable
from segment.data.masks.census import MaskCensus

NAMED = 5
"""Values or classes that a message lists."""

NEAR = 16
"""Levels by which JPEG and smoothing change a value."""

SMEARED = 8
"""Undeclared values that resizing and JPEG leave; drawing errors leave fewer."""


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
        counts = self.census.held + Counter({str(IGNORED): self.census.at_255})
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

    def unscored(self, names: Sequence[str]) -> list[str]:
        """Describes classes of the table that have pixels, and that a model does not have.

        Args:
            names: Names of the model's classes, in any case.

        Returns:
            A sentence, or nothing.
        """
        known, held = {name.casefold() for name in names}, self.census.held
        lacking: Counter[str] = Counter()
        for c in self.class_table.classes:
            if c.name.casefold() not in known:
                lacking[c.name] += held[str(c.value)]
        for color, c in self.class_table.mask_colors().items():
            if not c.ignore and c.name.casefold() not in known:
                lacking[c.name] += held[color]
        total = max(held.total() + self.census.rest, 1)
        if not (lacking := +lacking):
            return []
        return [f"classes that the model does not have are not scored: {listed(lacking, total)}."]

    @cached_property
    def is_smeared(self) -> bool:
        """Whether values in one band are mixed: few have most of the pixels, many the rest."""
        census, size = self.census, len(self.class_table.table)
        values = census.values  # gathered at each call
        others = [value for value in self.undeclared if value in values]
        counts = [census.held[value] for value in values] + [census.at_255]
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
