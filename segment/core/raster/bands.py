"""Which bands of a raster a model reads, by what the file states that they are."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from segment.core.pixels.band_names import (
    COLORS,
    INFRARED,
    color_of,
    described_bands,
    is_other,
    once,
    standard_name,
)
from segment.core.raster.virtual import has_palette

_INTERPRETED = {"red": "red", "green": "green", "blue": "blue", "nir": INFRARED}  # by GDAL
_PLAIN = {"undefined", "gray", "red", "green", "blue", "alpha", "palette"}  # by GDAL
_COUNTED = re.compile(r"(band|layer|channel)?[ _]*\d*", re.IGNORECASE)


@dataclass(frozen=True)
class WantedBands:
    """The bands that a model reads.

    Attributes:
        count: Number of bands.
        names: What each of them is, as the training images named it; empty where they did not.
        if_present: Whether bands that a user asks for are left to the file where it lacks them.
        if_stated: Whether no bands are chosen where the file does not state which are meant.
    """

    count: int
    names: tuple[str, ...] = ()
    if_present: bool = False
    if_stated: bool = False


@dataclass(frozen=True)
class BandChoice:
    """Bands to read for a model.

    Attributes:
        bands: Their numbers, from 1; those of a palette are 1, 2, 3 for red, green, blue. None
            leaves all bands.
        notes: What to report of the choice.
    """

    bands: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()


def choose_bands(dataset: Any, candidates: Sequence[int], wanted: WantedBands) -> BandChoice:
    """Chooses the bands of a file for a model, where a user names none.

    A model reads the bands that the file names as its own. One of three bands without names reads
    red, green and blue: those of a palette, a grey band three times, or else the first three.

    Args:
        dataset: An open rasterio dataset.
        candidates: Numbers of its bands that are no masks.
        wanted: What the model reads.

    Returns:
        The choice. It leaves all bands where nothing can be chosen, whether they fit or not.
    """
    known = find_bands(dataset, candidates)
    names = wanted.names or (COLORS if wanted.count == len(COLORS) else ())
    needs_colors = tuple(map(standard_name, names)) == COLORS
    found = [known.get(name.casefold()) or known.get(standard_name(name)) for name in names]
    every, count = tuple(candidates), len(candidates)
    if names and None not in found:
        bands = tuple(number for number in found if number is not None)
        notes = () if bands == every else (_describe(dataset, bands, names, count),)
        return BandChoice(bands, notes)
    if count == wanted.count:
        other = _other_band(dataset, known, found, every) if needs_colors else None
        return BandChoice(None, (_warn_of_other(other, names, found),) if other else ())
    if not needs_colors:
        return BandChoice()
    if has_palette(dataset):
        notes = ("The colours of the palette are read as red, green and blue.",)
        return BandChoice((1, 2, 3), notes)
    if count == 1 and dataset.dtypes[every[0] - 1] in ("uint8", "uint16"):
        warning = (
            "Warning: The scene is grey, its only band is read as red, green and blue. Expect a"
            " poorer map than of a scene in colours."
        )
        return BandChoice(every * 3, (warning,))
    if count < len(COLORS):
        return BandChoice()
    if not any(found) and not wanted.if_stated:
        first = tuple(number for number in every if number != known.get(INFRARED))[:3]
        usual = " (4,3,2 for all bands of Sentinel-2)" if count in (12, 13) else ""
        warning = (
            f"Warning: The file does not state which of its {count} bands are red, green and blue:"
            f" bands {listed(first)} are read. Choose others with --bands{usual}."
        )
        return BandChoice(first, (warning,))
    lacking = " or ".join(n for n, number in zip(names, found, strict=True) if number is None)
    return BandChoice(notes=(f"The file names none of its bands {lacking}.",))


def find_bands(dataset: Any, candidates: Sequence[int]) -> dict[str, int]:
    """Finds out what the bands of a file are, as far as it states it.

    Descriptions (names, numbers of Sentinel-2, HLS or Landsat 8, wavelengths) come before the
    colour interpretation.

    Args:
        dataset: An open rasterio dataset.
        candidates: Numbers of its bands that are no masks.

    Returns:
        Band numbers by "red", "green", "blue" and "near infrared", and by the description of each
        band in lower case. What several bands claim to be is left out.
    """
    # each property of a dataset walks over all bands, so none is read in a loop over them
    descriptions, colors = dataset.descriptions, dataset.colorinterp
    texts = {number: (descriptions[number - 1] or "").strip() for number in candidates}
    texts = {n: "" if _COUNTED.fullmatch(text) else text for n, text in texts.items()}
    described = described_bands(texts)
    taken = {*described.values(), *(n for n, t in texts.items() if color_of(t) or is_other(t))}
    interpreted = [(_INTERPRETED.get(colors[n - 1].name), n) for n in candidates if n not in taken]
    stated = once((name, number) for name, number in interpreted if name)
    return once((text.casefold(), n) for n, text in texts.items() if text) | stated | described


def names_of_bands(dataset: Any, bands: Sequence[int]) -> tuple[str, ...]:
    """Names the bands of a file for a model that is trained on them.

    Args:
        dataset: An open rasterio dataset.
        bands: Numbers of the bands that are read.

    Returns:
        A name for each, by which `choose_bands` finds it in other files; empty if one has none.
    """
    names = {number: name for name, number in find_bands(dataset, bands).items()}
    found = [names[number] for number in bands if number in names]
    return tuple(found) if len(found) == len(bands) else ()


def listed(bands: Iterable[int]) -> str:
    """Formats band numbers as --bands takes them.

    Args:
        bands: The numbers.

    Returns:
        The numbers with commas between.
    """
    return ",".join(map(str, bands))


def _describe(dataset: Any, bands: Sequence[int], names: Sequence[str], count: int) -> str:
    texts = [dataset.descriptions[band - 1] or "" for band in bands]
    source = f"names {', '.join(texts)}" if all(texts) else "colour interpretation"
    return (
        f"Bands {listed(bands)} of {count} are read as {', '.join(names)}, by the file's {source}."
    )


def _other_band(
    dataset: Any, known: dict[str, int], found: Sequence[int | None], candidates: Sequence[int]
) -> tuple[int, str] | None:
    """The first band that the file calls something else than the colour it is read as, and what."""
    if INFRARED in known:
        return known[INFRARED], INFRARED
    descriptions, colors = dataset.descriptions, dataset.colorinterp
    for number in candidates:
        if is_other(text := descriptions[number - 1] or ""):
            return number, text
        if (color := colors[number - 1].name) not in _PLAIN:
            return number, color
    places = zip(found, COLORS, candidates, strict=True)
    return next(((n, color) for n, color, place in places if n and n != place), None)


def _warn_of_other(
    other: tuple[int, str], names: Sequence[str], found: Sequence[int | None]
) -> str:
    lacking = " or ".join(name for name, number in zip(names, found, strict=True) if number is None)
    return (
        f"Warning: The file names its band {other[0]} {other[1]}, and none {lacking}."
        f" The model maps {', '.join(names)}, and the bands are read in the order of the file."
    )
