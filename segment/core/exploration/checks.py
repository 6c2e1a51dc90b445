"""Checks of data: what was found, what it means for a model, and what to do about it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from segment.core.exploration.summary import Summary
from segment.core.reports.page import Finding

_NAMED = 5
_RARE = 0.01  # share of all classes
_REPEATED = 1e-4  # share of the pixels
_APART = 3.0  # multiple of the range of the other values

S = TypeVar("S", bound=Summary, contravariant=True)
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Check(Generic[S]):
    """One line of a table of checks.

    Names in braces in the texts are replaced by the values that the test yields.

    Attributes:
        test: Yields values for the texts, once for each problem that it finds.
        what: What was found.
        meaning: What it means for a model.
        cure: What to do about it.
    """

    test: Callable[[S], Iterable[Values]]
    what: str
    meaning: str
    cure: str


def run_checks(checks: Sequence[Check[S]], summary: S) -> list[Finding]:
    """Runs checks.

    Args:
        checks: The checks, in the order of the findings.
        summary: What is known of the data.

    Returns:
        A finding for each problem.
    """
    return [
        Finding(*(text.format_map(values) for text in (check.what, check.meaning, check.cure)))
        for check in checks
        for values in check.test(summary)
    ]


def listed(names: Sequence[str]) -> str:
    """Lists the first five names.

    Args:
        names: Names to list.

    Returns:
        The names, and how many more there are.
    """
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def problems(summary: Summary) -> Iterator[Values]:
    """Tests for files that cannot be used.

    Args:
        summary: What is known of the data.

    Yields:
        Their `count`, why the `first` cannot be used, and how many `more` there are.
    """
    if some := summary.problems:
        more = f" {len(some) - 1:,} more are listed below." if len(some) > 1 else ""
        yield {"count": len(some), "first": some[0], "more": more}


def copies(summary: Summary, parts: Sequence[bool], labels: Sequence[bool]) -> Iterator[Values]:
    """Tests for duplicate images of a kind.

    Args:
        summary: What is known of the data.
        parts: Whether both images may be in the same part, in different ones, or in either.
        labels: Whether both may have the same labels or group, different ones, or either.

    Yields:
        Their `count`, and one of them as an `example`.
    """
    some = [c for c in summary.copies if c.same_part in parts and c.same_labels in labels]
    if some:
        yield {"count": len(some), "example": f"{some[0].image.name} of {some[0].original.name}"}


def uneven_classes(summary: Summary, accepted: float) -> Iterator[Values]:
    """Tests whether some classes are much more frequent than others.

    Args:
        summary: What is known of the data.
        accepted: Largest ratio of the amounts of two classes that is accepted.

    Yields:
        The `most` and `least` frequent class, the `share` of the former, how many `times` that is
        the share of the latter, and the `rare` classes.
    """
    held = np.flatnonzero(summary.class_counts)
    names = [summary.class_table.names[label] for label in held]
    shares = summary.class_counts[held] / max(summary.class_counts.sum(), 1)
    if len(held) and shares.max() >= accepted * shares.min():
        rare = max(_RARE, shares.max() / accepted)
        few = [f"{n} ({s:.1%})" for n, s in zip(names, shares, strict=True) if s < rare]
        yield {
            "most": names[shares.argmax()],
            "share": shares.max(),
            "times": shares.max() / shares.min(),
            "least": names[shares.argmin()],
            "rare": listed(few),
        }


def check_distances(accepted: float, setting: str) -> Check[Summary]:
    """Makes a check of ground sampling distances.

    Args:
        accepted: Largest ratio of two distances that is accepted.
        setting: Setting with which training varies the scale.

    Returns:
        The check.
    """
    return Check(
        partial(_distances_differ, accepted=accepted),
        "Ground sampling distances range from {least:.2g} to {most:.2g} m per pixel.",
        "The same object has other sizes in other images.",
        "Resample the images to one distance, or let training vary the scale: --set " + setting,
    )


def _distances_differ(summary: Summary, accepted: float) -> Iterator[Values]:
    distances = summary.distances
    if distances and max(distances) > accepted * min(distances):
        yield {"least": min(distances), "most": max(distances)}


def _like_nodata(summary: Summary) -> Iterator[Values]:
    """Finds the lowest or highest value of a band, if it is repeated and far from all others."""
    if summary.dtype == "uint8":
        return
    found: dict[float, list[str]] = {}
    for name, band in zip(summary.band_names, summary.pixels.values.T, strict=True):
        for value in {float(band.min(initial=0)), float(band.max(initial=0))}:
            others = band[band != value].astype(np.float64)
            if len(others) and len(band) - len(others) >= max(_REPEATED * len(band), 2):
                first, last = np.percentile(others, (0.5, 99.5))
                gap = max(first - value, value - last)
                if gap > _APART * (last - first):
                    found.setdefault(value, []).append(name)
    for value, bands in found.items():
        yield {"value": value, "bands": listed(bands)}


def _outliers(summary: Summary) -> Iterator[Values]:
    if rows := summary.outliers:
        yield {"count": len(rows), "names": listed([summary.images[row].name for row in rows])}


NODATA: Check[Summary] = Check(
    _like_nodata,
    "Pixels hold {value:g}, far from all other values, in {bands}.",
    "It looks like nodata that the files do not declare. A model would learn from it as if it were"
    " measured, and it distorts means.",
    "Declare it in the files, e.g. with gdal_edit.py -a_nodata {value:g}",
)
OUTLIERS: Check[Summary] = Check(
    _outliers,
    "Images unlike all others: {count:,}. {names}.",
    "They may be damaged, blank, from another sensor or in the wrong folder; or just rare.",
    "Check them below, and remove those that do not belong there.",
)
