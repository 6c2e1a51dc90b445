"""Checks of masks and class tables, as an exploration reports them."""

from collections import Counter
from collections.abc import Iterator

import yaml

from segment.core.exploration.checks import Check, Values, listed
from segment.data.masks.checks import too_much_undeclared
from segment.exploration.summary import TileSummary

_RARE, _SELDOM, _SMALL = 0.01, 0.2, 0.001
_NAMED = 5


def _mask_reading(folder: TileSummary) -> Iterator[Values]:
    """Finds what a training finds when it reads the masks."""
    if reading := folder.reading:
        most = folder.settings.max_undeclared
        too_much = too_much_undeclared(reading.class_table, folder.masks, most)
        yield from map(vars, [*reading.refusals, *too_much, *reading.findings])


def _other_tables(folder: TileSummary) -> Iterator[Values]:
    held, total = folder.masks.held, folder.masks.held.total()
    colors = {c.color for c in folder.class_table.table}
    for table in folder.tables:
        absent, unknown = table.absent(held), table.unknown(held)
        ignored = sum(unknown.values()) / max(total, 1)
        # of the table in use, other checks report undeclared values and missing classes
        used = folder.is_declared and table.colors.keys() == colors and ignored <= 0.5
        if absent and unknown and ignored >= _RARE and not used:
            yield {
                "file": table.file.name,
                "absent": listed([f"{color} ({name})" for color, name in absent.items()]),
                "held": listed([f"{v} ({count / total:.1%})" for v, count in unknown.items()]),
                "share": "most" if ignored > 0.5 else f"{ignored:.1%}",
            }


def _undeclared(folder: TileSummary) -> Iterator[Values]:
    """Finds values that the class table does not name.

    Without a class table, these are values that few masks hold: they are most probably blanks.
    """
    masks, total = folder.masks, folder.masks.held.total()
    if folder.is_declared:
        found, why = masks.undeclared(folder.class_table), "the class table does not name it"
    else:
        in_masks = Counter(value for held in masks.of_mask.values() for value in held)
        most = _SELDOM * len(masks.of_mask)
        found = Counter({v: n for v, n in masks.held.items() if n < 0.05 * total})
        found = Counter({v: n for v, n in found.items() if in_masks[v] < most})
        why = "few masks hold it"
    for value, count in found.most_common(_NAMED):
        file, held = max(masks.of_mask.items(), key=lambda item: item[1].get(value, 0.0))
        yield {
            "value": value,
            "count": count,
            "share": count / total,
            "within": held.get(value, 0.0),
            "mask": file.name
            if folder.material.patches
            else file.relative_to(folder.root).as_posix(),
            "why": why,
        }


def _no_table(folder: TileSummary) -> Iterator[Values]:
    if folder.is_declared:
        return
    held, taken = folder.masks.held, len(folder.class_table.table)
    names = [name for name in folder.class_table.names if held[name] >= _SMALL * held.total()]
    entries = [
        {"name": "?", "color": v} if v.startswith("#") else {"name": "?", "value": int(v)}
        for v in names
    ]
    if len(held) == taken:
        which, why = "each value or colour of the masks is", ""
    else:
        which = f"the {taken} most frequent of {len(held):,} values or colours are each"
        why = (
            " So many are not drawn: JPEG and smoothing mix colours, and numbers of objects are not"
            " classes."
        )
    table = yaml.safe_dump(entries, default_flow_style=True, width=10_000).strip()
    yield {"which": which, "why": why, "table": table}


MASK_CHECKS: tuple[Check[TileSummary], ...] = (
    Check(_mask_reading, "{what}", "{meaning}", "{cure}"),
    Check(
        _other_tables,
        "{file} contradicts the masks: no mask holds {absent}, but they hold {held}, which it does"
        " not name.",
        "With this table, {share} of the pixels would be ignored.",
        "Find out which class each colour of the masks is, and write a classes.yaml beside the"
        " masks.",
    ),
    Check(
        _undeclared,
        "Masks hold {value} in {count:,} pixels ({share:.1%} of all, {within:.0%} of {mask}), and"
        " {why}.",
        "It is a blank, a drawing error, or a forgotten class. Pixels without a class are neither"
        " learned nor scored.",
        "If it is a class, add it to the class table; --set data.undeclared=refuse makes others"
        " errors.",
    ),
    Check(
        _no_table,
        "No class table fits the masks: {which} taken for a class.",
        "Training needs names and colours of classes.{why}",
        "Write classes.yaml into the folder, with names for: {table}",
    ),
)
