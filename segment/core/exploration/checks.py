"""Checks of data that explorations of scene labels and of tile folders share."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.reports.page import Finding

_NAMED = 5
_REPEATED = 1e-4  # share of the pixels
_APART = 3.0  # multiple of the range of the other values


def listed(names: Sequence[str]) -> str:
    """Lists the first five names.

    Args:
        names: Names to list.

    Returns:
        The names, and how many more there are.
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def listed_sizes(sizes: Mapping[str, int]) -> str:
    """Lists sizes of images.

    Args:
        sizes: Number of images by size.

    Returns:
        The first five sizes with their numbers, and how many more sizes there are.
    """
    return listed([f"{size} ({count:,})" for size, count in sizes.items()])


def uneven_pixel_sizes(distances: Sequence[float], most: float, setting: str) -> list[Finding]:
    """Checks whether pixel sizes differ by more than a factor.

    Args:
        distances: Pixel sizes in metres.
        most: Largest ratio of two sizes that is accepted.
        setting: Setting with which training varies the scale, for the advice.

    Returns:
        One finding if they differ by more, otherwise none.
    """
    if not distances or max(distances) <= most * min(distances):
        return []
    return [
        Finding(
            f"Pixels measure from {min(distances):.2g} to {max(distances):.2g} m.",
            "The same thing has other sizes in other images.",
            "Bring the images to one ground sampling distance, or let training vary it: --set"
            f" {setting}",
        )
    ]


def unlike_all_others(names: Sequence[str]) -> list[Finding]:
    """Reports outliers.

    Args:
        names: Names of the outliers.

    Returns:
        One finding, or none without outliers.
    """
    if not names:
        return []
    return [
        Finding(
            f"{len(names):,} images look unlike all others: {listed(names)}.",
            "They may be damaged, blank, of another sensor or in the wrong folder; or just rare.",
            "Look at them below, and remove what does not belong there.",
        )
    ]


def like_nodata(values: NDArray[np.floating[Any]], names: Sequence[str]) -> list[Finding]:
    """Checks for extreme values that look like undeclared nodata.

    These are the lowest or highest value of a band, if it is repeated and far from all others.

    Args:
        values: Valid pixels (pixels, bands).
        names: Names of the bands.

    Returns:
        A finding for each such value.
    """
    found: dict[float, list[str]] = {}
    for name, band in zip(names, values.T, strict=True):
        low, high = float(band.min(initial=0)), float(band.max(initial=0))
        for value in {low, high}:
            others = band[band != value].astype(np.float64)
            if len(others) and len(band) - len(others) >= max(_REPEATED * len(band), 2):
                first, last = np.percentile(others, (0.5, 99.5))
                if (
                    min(abs(value - first), abs(value - last)) > _APART * (last - first)
                    and not first <= value <= last
                ):
                    found.setdefault(value, []).append(name)
    return [
        Finding(
            f"Pixels hold {value:g}, far from all others, in {listed(bands)}.",
            "It looks like nodata that files do not declare: it would be learned as if it were"
            " measured, and spoils means.",
            f"Declare it in the files, e.g. with gdal_edit.py -a_nodata {value:g}",
        )
        for value, bands in found.items()
    ]


def band_names(bands: int, dtype: str) -> list[str]:
    """Returns names for bands that files do not name.

    Args:
        bands: Number of bands.
        dtype: Name of the dtype.

    Returns:
        red, green and blue for three bands of 8 bits, otherwise numbered bands.
    """
    return (
        ["red", "green", "blue"]
        if (bands, dtype) == (3, "uint8")
        else [f"band {number}" for number in range(1, bands + 1)]
    )
