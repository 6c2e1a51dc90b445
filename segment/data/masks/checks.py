"""Checks of masks and a class table: what is wrong, what that means, and what to write."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from segment.core.labels.classes import ClassTable, rgb_of
from segment.core.reports.page import Finding
from segment.data.masks.census import MaskCensus
from segment.data.masks.contents import NAMED, NEAR, SMEARED, MaskContents, listed
from segment.data.masks.value_checks import REFUSALS, VALUE_CHECKS, Check, other_legend


def find_refusals(class_table: ClassTable, census: MaskCensus) -> list[Finding]:
    """Checks for faults with which nothing can be learned or scored correctly.

    Args:
        class_table: Class table by which masks are decoded.
        census: Census of all masks, after `MaskCensus.read_with` of that table.

    Returns:
        A finding for each fault.
    """
    masks = MaskContents(class_table, census)
    return [finding for check in REFUSALS for finding in check(masks)]


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
    masks, steps = MaskContents(class_table, census), _OF_MODELS
    if not of_model or len(masks.absent) >= len(class_table) - 1:
        steps = (*steps, *VALUE_CHECKS)
    return [finding for step in steps for finding in step(masks)]


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
    held = listed(census.undeclared(class_table), max(census.held.total() + census.rest, 1))
    return [
        Finding(
            f"{share:.1%} of the labelled mask pixels hold what the class table does not name, more"
            f" than {most:.0%}.",
            f"They are {held}: neither learned nor scored.",
            "Correct the class table, with ignore: true for what is unlabelled, or allow it: --set"
            " data.max_undeclared=1.",
        )
    ]


def _lossy(masks: MaskContents) -> Iterator[Finding]:
    undeclared = masks.undeclared
    if not undeclared or masks.classes_blend:
        return
    total, between = undeclared.total(), _between(masks.class_table, undeclared)
    blended = len(between) > SMEARED and between.total() > 0.5 * total
    if masks.census.lossy or blended or masks.is_smeared:
        cause = (
            f"{masks.census.lossy:,} of {masks.census.masks:,} are JPEG files"
            if masks.census.lossy
            else "as resizing and JPEG leave them"
        )
        yield Finding(
            f"Masks hold {len(undeclared):,} values besides those of the classes ({cause}):"
            f" {masks.held}.",
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
            near |= np.abs(colors - start - place[:, None] * along).max(axis=1, initial=0) <= NEAR
    return Counter(
        {value: undeclared[value] for value, is_near in zip(found, near, strict=True) if is_near}
    )


def _declared_nodata(masks: MaskContents) -> Iterator[Finding]:
    total = (
        masks.census.held.total()
        + masks.census.at_255
        + masks.census.rest
        + masks.census.nodata.total()
    )
    for c in masks.class_table.classes:
        for shown in (str(c.value), c.color):
            if count := masks.census.nodata[shown]:
                yield Finding(
                    f"Mask files declare {shown} as nodata, which is {c.name}: {count:,} pixels"
                    f" ({count / total:.1%}).",
                    "What a file declares as nodata is neither learned nor scored.",
                    f"If they are {c.name}, take the declaration out: gdal_edit.py -unsetnodata"
                    " MASK",
                )
    declared = {
        key for c in masks.class_table.classes for key in (str(c.value), c.color)
    } & masks.census.nodata.keys()
    absent = masks.absent
    if masks.census.nodata and len(absent) >= max(len(masks.class_table) - 1, 1) and not declared:
        yield Finding(
            f"Mask files declare {listed(masks.census.nodata, total)} as nodata, and no pixel is"
            f" {', '.join(absent[:NAMED])}.",
            "What a file declares as nodata is neither learned nor scored.",
            "If it is a class, take the declaration out (gdal_edit.py -unsetnodata MASK), and write"
            " its value into the table.",
        )


def _from_zero_to_n(masks: MaskContents) -> Iterator[Finding]:
    size = len(masks.class_table.table)
    if masks.counts_one_too_many:
        yield Finding(
            f"Masks hold 0 to {size}, one value more than the class table has entries:"
            f" {masks.held}.",
            f"The table gives no values, so 0 is its first entry, and {size} is of no class.",
            f"If masks count classes from 1, {masks.entries(list(range(1, size + 1)))}, and"
            " for 0 an entry of its own, with ignore: true if it is unlabelled.",
        )


def _palette_numbers(masks: MaskContents) -> Iterator[Finding]:
    """Checks for palette pictures whose numbers are in the class table, but not their colours."""
    undeclared, absent = masks.undeclared, masks.absent
    for colors in masks.census.color_tables.values():
        shown = {
            c.value or 0: f"#{colors[c.value or 0].tobytes().hex().upper()}"
            for c in masks.class_table.table
        }
        if any(
            undeclared[shown[c.value or 0]] for c in masks.class_table.classes if c.name in absent
        ):
            entries = ", ".join(
                f'{c.name} color: "{shown[c.value or 0]}"' for c in masks.class_table.table
            )
            yield Finding(
                "Masks are pictures with a palette, read by its colours, which the class table"
                f" does not name: {masks.held}.",
                "The numbers behind the colours are values of the table.",
                f"Write the palette's colours into the class table ({entries}), or export the"
                " numbers as one band.",
            )
            return


def _grey_bands(masks: MaskContents) -> Iterator[Finding]:
    """Checks for class values in three equal bands."""
    undeclared = Counter({v: n for v, n in masks.undeclared.items() if v.startswith("#")})
    absent = masks.absent
    # others have their own colour
    values = {str(c.value) for c in masks.class_table.table if c.ignore or c.name in absent}
    grey = all(len(set(rgb_of(v))) == 1 and str(rgb_of(v)[0]) in values for v in undeclared)
    if undeclared and grey and not masks.census.color_tables:
        colors = ", ".join(
            f'{c.name} color: "#{3 * f"{c.value:02X}"}"' for c in masks.class_table.table
        )
        yield Finding(
            f"Masks hold class values in three equal bands: {masks.held}.",
            "Three bands are read as colours, and these are not the table's.",
            f"Export one band, or write these colours into the class table ({colors}).",
        )


def _swapped(masks: MaskContents) -> Iterator[Finding]:
    """Checks for exchanged red and blue, as OpenCV writes an RGB array."""
    undeclared = masks.undeclared
    colors = {c.color for c in masks.class_table.table}
    swapped = Counter(
        {
            v: n
            for v, n in undeclared.items()
            if v.startswith("#") and f"#{v[5:7]}{v[3:5]}{v[1:3]}" in colors
        }
    )
    if swapped and swapped.total() > 0.5 * undeclared.total():
        yield Finding(
            f"Masks hold the class table's colours with red and blue exchanged: {masks.held}.",
            "OpenCV writes blue first. The colours as they are belong to no class.",
            "Write the masks again in the order RGB, or exchange red and blue in the table's"
            " colours.",
        )


def _other_legend_than_values(masks: MaskContents) -> Iterator[Finding]:
    if not masks.class_table.positional:
        yield from other_legend(masks)


_OF_MODELS: tuple[Check, ...] = (
    _declared_nodata,
    _from_zero_to_n,
    _lossy,
    _palette_numbers,
    _grey_bands,
    _swapped,
    _other_legend_than_values,
)
