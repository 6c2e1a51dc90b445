"""The class table of masks, and how masks are read with it, decided by what all of them hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segment.config import DataSettings
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable, load_class_table, rgb_of
from segment.core.progress import Progress
from segment.core.reports.page import Finding
from segment.data.masks.census import MaskCensus, take_census
from segment.data.masks.checks import find_faults, find_refusals, too_much_undeclared
from segment.data.pairs.pair import Pair

_WHITE = str(IGNORED)


def find_class_table(root: Path, pairs: Sequence[Pair]) -> ClassTable | None:
    """Finds the class table beside the data.

    It is `classes.yaml` in the root, or the same table in the groups. A table without values agrees
    with one that has the same classes and gives values.

    Args:
        root: The tile folder.
        pairs: Its images and masks.

    Returns:
        The class table; None if there is none.

    Raises:
        InputError: If tables do not agree, or one cannot be read.
    """
    folders = [root, *dict.fromkeys(p.image.parent.parent for p in pairs)]
    files = [f / "classes.yaml" for f in folders if (f / "classes.yaml").is_file()]
    tables = [load_class_table(f) for f in files]
    # a table that gives the values of masks has priority over tables without values
    first = next((i for i, table in enumerate(tables) if not table.positional), 0)
    for file, table in zip(files, tables, strict=True):
        agrees = table.decodes_as(tables[first]) or (
            table.positional and _entries(table) == _entries(tables[first])
        )
        if not agrees:
            raise InputError(
                f"{file}: class table differs from {files[first]}. Make them the same."
            )
    return tables[first] if tables else None


def _entries(class_table: ClassTable) -> list[tuple[str, str, bool]]:
    return [(c.name, c.color, c.ignore) for c in class_table.table]


@dataclass(frozen=True)
class MaskReading:
    """How masks are read.

    Attributes:
        class_table: Class table by which masks are decoded. Where the given one has no values,
            this one has the values that masks hold.
        notes: What was assumed.
        findings: What is odd about the masks.
        refusals: Faults with which nothing can be learned or scored correctly.
    """

    class_table: ClassTable
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    refusals: list[Finding] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """Notes and findings as commands print them."""
        return [
            *(f"note: {note}" for note in self.notes),
            *(f"warning: {finding}" for finding in self.findings),
        ]


def choose_reading(table: ClassTable, census: MaskCensus, of_model: bool = False) -> MaskReading:
    """Decides how all masks of a census are read.

    There is one decision for all of them, so that no tile, window or block is read differently from
    the others. In one band, 255 is unlabelled unless a class has that value. Masks that hold only 0
    and 255, with a table that gives no values, show its two classes, or its black and its white
    one.

    Args:
        table: Class table of the masks or of a model.
        census: Census of all masks.
        of_model: Whether the table is that of a model, whose maps may be the masks, rather than a
            table written for the masks.

    Returns:
        The class table with the values that masks hold, and the results of the checks.
    """
    class_table, notes = _by_values(table, census, of_model)
    held = census.read_with(class_table)
    return MaskReading(
        class_table,
        notes,
        find_faults(class_table, held, of_model),
        find_refusals(class_table, held),
    )


def read_masks(
    folder: Path,
    pairs: Sequence[Pair],
    class_table: ClassTable,
    settings: DataSettings,
    progress: Progress,
    prefix: str = "",
) -> tuple[MaskReading, float]:
    """Reads all masks to learn from, and prints how they are read.

    Args:
        folder: The tile folder, for messages.
        pairs: Its images and masks.
        class_table: Class table of the masks.
        settings: How many undeclared pixels are allowed.
        progress: Receives messages and the number of masks read.
        prefix: Start of each line.

    Returns:
        The reading, and the share of the labelled pixels that the class table does not name.

    Raises:
        InputError: If a mask cannot be read, or if most pixels would be ignored, or be of another
            class than they show.
    """
    census, problems = take_census(pairs, progress)
    if problems:
        raise InputError(problems[0])
    reading = choose_reading(class_table, census)
    share = census.undeclared_share(reading.class_table)
    most = 1.0 if settings.undeclared == "refuse" else settings.max_undeclared
    too_much = too_much_undeclared(reading.class_table, census, most)
    for c, mapped in zip(reading.class_table.classes, reading.class_table.mapped, strict=True):
        if c.value != mapped.value:
            reading.notes.append(
                f"{c.name} is {c.value} in masks, and {mapped.value} in maps, where {c.value} is"
                " nodata"
            )
    for line in reading.lines:
        progress.say(f"{prefix}{line}")
    if reading.refusals:
        raise InputError(f"{folder}: {reading.refusals[0]}")
    if too_much and reading.findings:
        cause = reading.findings[0]
        raise InputError(
            f"{folder}: {too_much[0].what} {cause.what} {cause.cure} Or allow it: --set"
            " data.max_undeclared=1."
        )
    if too_much:
        raise InputError(f"{folder}: {too_much[0]}")
    return reading, share


def _by_values(
    table: ClassTable, census: MaskCensus, of_model: bool
) -> tuple[ClassTable, list[str]]:
    """Returns the table with the values that masks hold, and what was assumed."""
    values = census.values
    if of_model and table.claims_255 and _WHITE not in values:
        mapped = next(
            m for c, m in zip(table.classes, table.mapped, strict=True) if c.value == IGNORED
        )
        if str(mapped.value) in values:
            return ClassTable([*table.mapped, *table.ignored]), [
                f"masks hold {mapped.value} for {mapped.name}, as maps do"
            ]
    positions = {str(position) for position in range(len(table.table))}
    if not (table.positional or (of_model and {str(c.value) for c in table.table} == positions)):
        return table, []
    values |= {"0"} & census.nodata.keys()  # many programs declare 0 as nodata by default
    labelled = values - {_WHITE}
    colors = [(c, rgb_of(c.color)) for c in table.table]
    greys = {str(rgb[0]): c for c, rgb in colors if len(set(rgb)) == 1}
    if of_model and len(positions) != 2:
        return table, []
    if (
        len(values) > 1
        and values <= greys.keys()
        and (not labelled <= positions or len(labelled) == 1)
    ):
        names = {c.name: int(value) for value, c in greys.items()}
        ordered = sorted(values, key=int)
        read = ", ".join(f"{value} as {greys[value].name}" for value in ordered)
        note = (
            f"masks hold {', '.join(ordered)} alone, greys of the class table's colours: read"
            f" {read}"
        )
        return _with_values(table, names), [note]
    if values == {"0", _WHITE} and len(table.table) == 2:
        first, second = sorted(table.table, key=lambda c: c.value or 0)
        read = (
            f"masks hold 0, {_WHITE} alone, and the class table gives no values: read as 0"
            f" {first.name}, 1 {second.name}"
        )
        return _with_values(table, {first.name: 0, second.name: IGNORED}), [read]
    return table, []


def _with_values(table: ClassTable, values: dict[str, int]) -> ClassTable:
    """Returns the same classes with other values; classes not in `values` get free ones."""
    free = iter(value for value in range(IGNORED) if value not in values.values())
    ordered = sorted(table.table, key=lambda c: c.value or 0)
    return ClassTable(
        [
            c.model_copy(update={"value": values[c.name] if c.name in values else next(free)})
            for c in ordered
        ]
    )
