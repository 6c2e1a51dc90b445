"""Checks of masks and a class table: what is wrong, what that means, and what to write."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from segment.core.raster.classes import IGNORED, ClassTable, rgb_of
from segment.core.reports.page import Finding
from segment.data.mask_census import MaskCensus

_NAMED = 5
_NEAR = 16  # levels by which JPEG and smoothing change a value
_SMEARED = 8  # undeclared values; drawing errors leave fewer
_WHITE = str(IGNORED)


def find_refusals(class_table: ClassTable, census: MaskCensus) -> list[Finding]:
    """Checks for faults with which nothing can be learned or scored correctly.

    Args:
        class_table: Class table by which masks are decoded.
        census: Census of all masks, after `MaskCensus.read_with` of that table.

    Returns:
        A finding for each fault.
    """
    return [*_counted_from_one(class_table, census), *_lossy_values(class_table, census)]


def find_faults(
    class_table: ClassTable, census: MaskCensus, of_model: bool = False
) -> list[Finding]:
    """Checks for all other faults.

    Args:
        class_table: Class table by which masks are decoded.
        census: Census of all masks, after `MaskCensus.read_with` of that table.
        of_model: Whether the classes are those of a model, of which a scene may well show only
            some.

    Returns:
        A finding for each fault.
    """
    if of_model and len(_absent(class_table, census)) < len(class_table) - 1:
        return [finding for step in _OF_MODELS for finding in step(class_table, census)]
    return [
        finding
        for step in (*_OF_MODELS, _unclaimed_255, _mixed, _other_values)
        for finding in step(class_table, census)
    ]


def too_much_undeclared(class_table: ClassTable, census: MaskCensus, most: float) -> list[Finding]:
    """Checks whether too many labelled mask pixels have no entry in the class table.

    Args:
        class_table: Class table by which masks are decoded.
        census: Census of all masks.
        most: Largest share of the labelled pixels that is allowed, 0 to 1.

    Returns:
        One finding, or none.
    """
    share = census.undeclared_share(class_table)
    if share <= most:
        return []
    held = _listed(census.undeclared(class_table), max(census.held.total() + census.rest, 1))
    return [
        Finding(
            f"{share:.1%} of the labelled mask pixels hold what the class table does not name, more"
            f" than {most:.0%}.",
            f"They are {held}: neither learned nor scored.",
            "Correct the class table, with ignore: true for what is unlabelled, or allow it: --set"
            " data.max_undeclared=1.",
        )
    ]


def _listed(counts: Counter[str], total: int) -> str:
    more = f" and {len(counts) - _NAMED:,} more" if len(counts) > _NAMED else ""
    return (
        ", ".join(f"{value} ({count / total:.1%})" for value, count in counts.most_common(_NAMED))
        + more
    )


def _held(census: MaskCensus) -> str:
    """Lists what masks hold, with shares of all pixels except nodata."""
    counts = census.held + Counter({_WHITE: census.at_255})
    return _listed(counts, max(counts.total() + census.rest, 1))


def _numbers(census: MaskCensus) -> list[float]:
    return sorted(float(value) for value in census.values)


def _absent(class_table: ClassTable, census: MaskCensus) -> list[str]:
    shown = class_table.mask_colors()
    present = {c.name for key, c in shown.items() if key in census.held}
    return [
        c.name
        for c in class_table.classes
        if str(c.value) not in census.held and c.name not in present
    ]


def _entries(class_table: ClassTable, numbers: list[int]) -> str:
    ordered = sorted(class_table.table, key=lambda c: c.value or 0)
    entries = ", ".join(
        f"{c.name} value: {number}" for c, number in zip(ordered, numbers, strict=False)
    )
    return f"write the values into the class table ({entries})"


def _counted_from_one(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    size = len(class_table.table)
    numbers = [number for number in _numbers(census) if number != IGNORED]
    if (
        class_table.positional
        and size > 1
        and numbers
        and set(numbers) <= set(range(1, size + 1))
        and numbers[-1] == size
    ):
        yield Finding(
            f"Masks count classes from 1: they hold {_held(census)}.",
            f"The class table gives no values, and positions in it count from 0, so {size} would be"
            " of no class.",
            f"If they are its classes in order, {_entries(class_table, list(range(1, size + 1)))}.",
        )


def _from_zero_to_n(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    size = len(class_table.table)
    numbers = [number for number in _numbers(census) if number != IGNORED]
    if (
        class_table.positional
        and numbers
        and set(numbers) <= set(range(size + 1))
        and {0, size} <= set(numbers)
    ):
        yield Finding(
            f"Masks hold 0 to {size}, one value more than the class table has entries:"
            f" {_held(census)}.",
            f"The table gives no values, so 0 is its first entry, and {size} is of no class.",
            f"If masks count classes from 1, {_entries(class_table, list(range(1, size + 1)))}, and"
            " for 0 an entry of its own, with ignore: true if it is unlabelled.",
        )


def _is_smeared(class_table: ClassTable, census: MaskCensus) -> bool:
    """Returns whether values of one band are mixed: few values have most pixels, many the rest."""
    others = [value for value in census.undeclared(class_table) if value in census.values]
    counts = [census.held[value] for value in census.values] + [census.at_255]
    most = sum(sorted(counts)[-len(class_table.table) - 1 :])
    return len(others) > max(_SMEARED, 2 * len(class_table.table)) and most >= 0.8 * sum(counts)


def _lossy_values(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    """Checks for lossy files with class values so close that one can become another."""
    values = sorted(c.value or 0 for c in class_table.table)
    if (
        census.lossy
        and census.values
        and any(later - earlier < _NEAR for earlier, later in pairwise(values))
    ):
        yield Finding(
            f"{census.lossy:,} of {census.masks:,} masks are JPEG files, whose compression changes"
            f" values: they hold {_held(census)}.",
            f"Values of classes as near as {', '.join(map(str, values[:_NAMED]))} become each"
            " other.",
            "Export the masks again as PNG or GeoTIFF, with one value a class. If they were 0 and"
            " 255, value: 0 and value: 255 in the class table ignore what lies between.",
        )


def _lossy(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    undeclared = census.undeclared(class_table)
    if not undeclared or any(_lossy_values(class_table, census)):
        return
    total, between = undeclared.total(), _between(class_table, undeclared)
    mixed = len(between) > _SMEARED and between.total() > 0.5 * total
    if census.lossy or mixed or _is_smeared(class_table, census):
        cause = (
            f"{census.lossy:,} of {census.masks:,} are JPEG files"
            if census.lossy
            else "as resizing and JPEG leave them"
        )
        yield Finding(
            f"Masks hold {len(undeclared):,} values besides those of the classes ({cause}):"
            f" {_held(census)}.",
            f"{total:,} pixels are neither learned nor scored.",
            "Export the masks as PNG or GeoTIFF, without JPEG, smoothing or interpolation (nearest"
            " neighbour).",
        )


def _between(class_table: ClassTable, undeclared: Counter[str]) -> Counter[str]:
    """Counts colours that are close to a class, or to the line between two classes."""
    found = [value for value in undeclared if value.startswith("#")]
    colors = np.array([rgb_of(value) for value in found], float).reshape(-1, 3)
    classes = np.array([rgb_of(c.color) for c in class_table.table], float)
    near = np.zeros(len(found), bool)
    for number, start in enumerate(classes):
        for end in classes[number:]:
            along = end - start
            place = np.clip((colors - start) @ along / max(float(along @ along), 1.0), 0, 1)
            near |= np.abs(colors - start - place[:, None] * along).max(axis=1, initial=0) <= _NEAR
    return Counter(
        {value: undeclared[value] for value, is_near in zip(found, near, strict=True) if is_near}
    )


def _declared_nodata(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    total = census.held.total() + census.at_255 + census.rest + census.nodata.total()
    for c in class_table.classes:
        for shown in (str(c.value), c.color):
            if count := census.nodata[shown]:
                yield Finding(
                    f"Mask files declare {shown} as nodata, which is {c.name}: {count:,} pixels"
                    f" ({count / total:.1%}).",
                    "What a file declares as nodata is neither learned nor scored.",
                    f"If they are {c.name}, take the declaration out: gdal_edit.py -unsetnodata"
                    " MASK",
                )
    declared = {
        key for c in class_table.classes for key in (str(c.value), c.color)
    } & census.nodata.keys()
    absent = _absent(class_table, census)
    if census.nodata and len(absent) >= max(len(class_table) - 1, 1) and not declared:
        yield Finding(
            f"Mask files declare {_listed(census.nodata, total)} as nodata, and no pixel is"
            f" {', '.join(absent[:_NAMED])}.",
            "What a file declares as nodata is neither learned nor scored.",
            "If it is a class, take the declaration out (gdal_edit.py -unsetnodata MASK), and write"
            " its value into the table.",
        )


def _unclaimed_255(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    absent = _absent(class_table, census)
    if any(c.value == IGNORED for c in class_table.ignored):  # the table says what 255 is
        return
    # and masks hold several of them
    says_values = not class_table.positional and len(absent) < len(class_table) - 1
    if (
        census.at_255
        and absent
        and not says_values
        and not any(_counted_from_one(class_table, census))
    ):
        yield Finding(
            f"Masks hold {_held(census)}; no pixel is {', '.join(absent[:_NAMED])}, and no class"
            f" has the value {IGNORED}.",
            f"The {census.at_255:,} pixels of {IGNORED} are taken for unlabelled, and neither"
            " learned nor scored.",
            f"If {IGNORED} is a class, write value: {IGNORED} for it into the class table (e.g. for"
            f" {absent[-1]}).",
        )


def _mixed(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    if class_table.claims_255:
        white, numbered = (
            [],
            [
                g
                for g, held in census.groups.items()
                if held and _WHITE not in held and held > {"0"}
            ],
        )
        mapped = {
            str(m.value)
            for c, m in zip(class_table.classes, class_table.mapped, strict=True)
            if c.value == IGNORED
        }
        numbered = [g for g in numbered if census.groups[g] & mapped]
        white = [g for g, held in census.groups.items() if _WHITE in held]
    else:
        white = [g for g, held in census.groups.items() if held == {"0", _WHITE}]
        numbered = [g for g, held in census.groups.items() if held == {"0", "1"}]
    if white and numbered:
        yield Finding(
            f"Groups show classes by different values: {', '.join(white[:_NAMED])} by 0 and"
            f" {IGNORED}, {', '.join(numbered[:_NAMED])} by 0 and 1.",
            "All are read alike, so in some of them a class is ignored.",
            "Write the masks of all groups with the same values.",
        )
    elif not class_table.claims_255 and not any({"1", _WHITE} <= held for held in census.shown):
        examples = [census.shown.get(frozenset({"0", value})) for value in (_WHITE, "1")]
        if all(examples):
            yield Finding(
                f"Masks show classes by different values: {examples[0]} by 0 and {IGNORED},"
                f" {examples[1]} by 0 and 1, and none by all three.",
                f"{IGNORED} is taken for unlabelled in all of them.",
                "If it is a class in some, write all masks with the same values.",
            )


def _palette_numbers(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    """Checks for palette pictures whose numbers are in the class table, but not their colours."""
    undeclared, absent = census.undeclared(class_table), _absent(class_table, census)
    for colors in census.color_tables.values():
        shown = {
            c.value or 0: f"#{colors[c.value or 0].tobytes().hex().upper()}"
            for c in class_table.table
        }
        if any(undeclared[shown[c.value or 0]] for c in class_table.classes if c.name in absent):
            entries = ", ".join(
                f'{c.name} color: "{shown[c.value or 0]}"' for c in class_table.table
            )
            yield Finding(
                "Masks are pictures with a palette, read by its colours, which the class table"
                f" does not name: {_held(census)}.",
                "The numbers behind the colours are values of the table.",
                f"Write the palette's colours into the class table ({entries}), or export the"
                " numbers as one band.",
            )
            return


def _grey_bands(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    """Checks for class values in three equal bands."""
    undeclared = Counter(
        {v: n for v, n in census.undeclared(class_table).items() if v.startswith("#")}
    )
    absent = _absent(class_table, census)
    # others have their own colour
    values = {str(c.value) for c in class_table.table if c.ignore or c.name in absent}
    grey = all(len(set(rgb_of(v))) == 1 and str(rgb_of(v)[0]) in values for v in undeclared)
    if undeclared and grey and not census.color_tables:
        colors = ", ".join(f'{c.name} color: "#{3 * f"{c.value:02X}"}"' for c in class_table.table)
        yield Finding(
            f"Masks hold class values in three equal bands: {_held(census)}.",
            "Three bands are read as colours, and these are not the table's.",
            f"Export one band, or write these colours into the class table ({colors}).",
        )


def _swapped(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    """Checks for exchanged red and blue, as OpenCV writes an RGB array."""
    undeclared = census.undeclared(class_table)
    colors = {c.color for c in class_table.table}
    swapped = Counter(
        {
            v: n
            for v, n in undeclared.items()
            if v.startswith("#") and f"#{v[5:7]}{v[3:5]}{v[1:3]}" in colors
        }
    )
    if swapped and swapped.total() > 0.5 * undeclared.total():
        yield Finding(
            f"Masks hold the class table's colours with red and blue exchanged: {_held(census)}.",
            "OpenCV writes blue first. The colours as they are belong to no class.",
            "Write the masks again in the order RGB, or exchange red and blue in the table's"
            " colours.",
        )


def _other_values(class_table: ClassTable, census: MaskCensus) -> Iterator[Finding]:
    """Checks for values of one band that the table lacks, where classes have no pixel."""
    numbers, declared = _numbers(census), [c.value or 0 for c in class_table.table]
    if (
        not set(numbers) - {*declared, IGNORED}
        or not _absent(class_table, census)
        or _is_smeared(class_table, census)
    ):
        return
    if any(_counted_from_one(class_table, census)) or any(_from_zero_to_n(class_table, census)):
        return
    cure = "Write the classes' values into the table, or export masks with those that it has"
    if len(numbers) == len(declared):
        ordered = ", ".join(f"{number:g}" for number in numbers)
        whole = all(number in range(IGNORED + 1) for number in numbers)
        cure = (
            f"If these are its classes in order, {_entries(class_table, list(map(int, numbers)))}"
            if whole
            else (
                f"If {ordered} are its classes in order, export masks of 8 bits that hold"
                f" {', '.join(map(str, sorted(declared)))}"
            )
        )
    values = ", ".join(map(str, sorted(declared)[:_NAMED]))
    yield Finding(
        f"Masks hold {_held(census)}, and the class table has the values {values}: no pixel is "
        f"{', '.join(_absent(class_table, census)[:_NAMED])}.",
        "What no class has is neither learned nor scored.",
        f"{cure}.",
    )


_OF_MODELS = (_declared_nodata, _from_zero_to_n, _lossy, _palette_numbers, _grey_bands, _swapped)
