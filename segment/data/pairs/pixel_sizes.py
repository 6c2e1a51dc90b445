"""Ground sampling distance of the images of a tile folder, or of scenes."""

from collections.abc import Iterable, Sequence

import numpy as np

from segment.core.raster.opening import open_raster
from segment.data.pairs.pair import Pair


def choose_gsd(pairs: Sequence[Pair], given: float | None) -> tuple[float | None, list[str]]:
    """Chooses the ground sampling distance of a collection.

    The georeference of its files has priority over the settings.

    Args:
        pairs: Its images and masks.
        given: Metres per pixel that the settings give, or None.

    Returns:
        Metres per pixel, None where unknown, and notes on it.

    Raises:
        InputError: If an image cannot be opened.
    """
    of_files = ground_sampling_distance(pairs)
    if of_files is None and given is None:
        return None, [
            "pixel size unknown, so not in the range that the model learned from. Set its `gsd`."
        ]
    if of_files and given and not 0.9 < of_files / given < 1.1:
        return of_files, [
            f"files have {of_files:.3g} m per pixel, `gsd` is {given:g}: the files' is used"
        ]
    return of_files or given, []


def ground_sampling_distance(pairs: Iterable[Pair]) -> float | None:
    """Returns the ground sampling distance of images: the median over the groups.

    Args:
        pairs: Images and masks.

    Returns:
        Metres per pixel; None if no image is georeferenced.

    Raises:
        InputError: If an image cannot be opened.
    """
    known = distances_of_groups(pairs)
    return float(np.median(known)) if known else None


def distances_of_groups(pairs: Iterable[Pair]) -> list[float]:
    """Returns the ground sampling distance of each group, which counts by its first image.

    Args:
        pairs: Images and masks.

    Returns:
        Metres per pixel, of the groups that are georeferenced.

    Raises:
        InputError: If an image cannot be opened.
    """
    first = {pair.group: pair.image for pair in reversed(list(pairs))}
    found = []
    for path in first.values():
        with open_raster(path) as raster:
            found.append(raster.ground_sampling_distance)
    return [distance for distance in found if distance]
