"""Which bands of a raster a model reads, by what the file states that they are."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from segment.core.raster.virtual import has_palette

COLORS = ("red", "green", "blue")
"""Bands of a model of three bands that does not name its own."""
_INFRARED = "near infrared"
# nanometres: the range of each, and the middle, to which the nearest of several bands is taken
_WAVELENGTHS = {
    "red": (625, 665, 690),
    "green": (520, 560, 600),
    "blue": (450, 490, 515),
    _INFRARED: (770, 850, 900),
}
_WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanomet\w+|[uµμ]m|micromet\w+)", re.IGNORECASE)
# words that turn a colour into another band, such as "red edge" and "coastal blue"
_OTHERS = {"edge", "coastal", "aerosol", "deep", "short", "shortwave", "swir", "mid", "thermal"}
_INTERPRETED = {"red": "red", "green": "green", "blue": "blue", "nir": _INFRARED}  # by GDAL
# Sentinel-2, HLS and Landsat 8 and 9 agree on these; Landsat 4 to 7 have other bands by such names
_NUMBERED = {2: "blue", 3: "green", 4: "red"}
_COUNTED = re.compile(r"(band|layer|channel)?[ _]*\d*", re.IGNORECASE)
_NUMBER = re.compile(r"(SR_)?(?:B(\d{1,2}A?)|[Bb](0\d))(?![a-zA-Z0-9])")


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
    needs_colors = tuple(map(_standard_name, names)) == COLORS
    found = [known.get(name.casefold()) or known.get(_standard_name(name)) for name in names]
    every, count = tuple(candidates), len(candidates)
    if names and None not in found:
        bands = tuple(number for number in found if number is not None)
        notes = () if bands == every else (_describe(dataset, bands, names, count),)
        return BandChoice(bands, notes)
    if count == wanted.count:
        is_other = needs_colors and _INFRARED in known
        return BandChoice(None, (_warn_of_infrared(known, names, found),) if is_other else ())
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
        first = tuple(number for number in every if number != known.get(_INFRARED))[:3]
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
    described = _by_wavelength(texts) | _by_letter(texts) | _by_number(texts) | _by_word(texts)
    taken = {*described.values(), *(number for number, text in texts.items() if _word(text))}
    interpreted = [(_INTERPRETED.get(colors[n - 1].name), n) for n in candidates if n not in taken]
    stated = _once((name, number) for name, number in interpreted if name)
    return _once((text.casefold(), n) for n, text in texts.items() if text) | stated | described


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


def _warn_of_infrared(
    known: dict[str, int], names: Sequence[str], found: Sequence[int | None]
) -> str:
    lacking = ", ".join(name for name, number in zip(names, found, strict=True) if number is None)
    return (
        f"Warning: The file names its band {known[_INFRARED]} near infrared, and none {lacking}."
        f" The model maps {', '.join(names)}, and the bands are read in the order of the file."
    )


def _standard_name(name: str) -> str:
    """The colour that a name means by itself, else the name in lower case."""
    found = _NUMBER.fullmatch(name.strip())
    if found and found[2] in ("02", "03", "04"):
        return _NUMBERED[int(found[2])]
    return _word(name) or name.strip().casefold()


def _word(text: str) -> str | None:
    """The colour that the words of a description name, None for none or several."""
    words = set(re.findall(r"[a-z]+", text.casefold()))
    if words & _OTHERS:
        return None
    if words & {"nir", "infrared"} or words >= {"infra", "red"}:
        return _INFRARED
    found = words.intersection(COLORS)
    return found.pop() if len(found) == 1 else None


def _by_word(texts: dict[int, str]) -> dict[str, int]:
    claims = [(color, number) for number, text in texts.items() if (color := _word(text))]
    # of "green" and "green_i", the plain word is the band
    return _once(claims) | _once((c, n) for c, n in claims if texts[n].casefold() in (c, "nir"))


def _by_letter(texts: dict[int, str]) -> dict[str, int]:
    found = _once((text.casefold(), number) for number, text in texts.items())
    if not found.keys() >= {"r", "g", "b"}:
        return {}
    return {color: found[color[0]] for color in COLORS}


def _by_number(texts: dict[int, str]) -> dict[str, int]:
    """Colours by the band names of Sentinel-2, HLS, and Landsat 8 and 9.

    Landsat 4 to 7 name blue, green, red and near infrared B1 to B4. They have no names of two
    digits, no bands 8A and 9 to 12, and no surface reflectance of band 6; their band 8 is of
    another pixel size. Names that only count the bands of the file tell nothing.
    """
    found = [(_NUMBER.match(text), number) for number, text in texts.items()]
    names = {(m[2] or m[3]): number for m, number in found if m}
    numbers = [int(name.rstrip("A")) for name in names]
    reflectance = {int(m[2]) for m, _ in found if m and m[1] and m[2] and m[2].isdecimal()}
    if "8A" not in names and not reflectance and numbers == [*range(1, len(texts) + 1)]:
        return {}
    is_newer = not names.keys().isdisjoint({"02", "03", "04", "8A", "9", "10", "11", "12"})
    if not (is_newer or 6 in reflectance or ("8" in names and "1" not in names)):
        return {}
    return _once((_NUMBERED[int(n)], band) for n, band in names.items() if n.lstrip("0") in "234")


def _by_wavelength(texts: dict[int, str]) -> dict[str, int]:
    waves: dict[int, float] = {}
    for number, text in texts.items():
        if found := _WAVELENGTH.search(text):
            waves[number] = float(found[1]) * (1 if found[2].casefold()[0] == "n" else 1000)
    nearest = {}
    for color, (low, middle, high) in _WAVELENGTHS.items():
        if within := [number for number, wave in waves.items() if low <= wave <= high]:
            nearest[color] = min(within, key=lambda number: abs(waves[number] - middle))
    return nearest


def _once(claims: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Band numbers by name, without names that several bands claim."""
    found: dict[str, list[int]] = {}
    for name, number in claims:
        found.setdefault(name, []).append(number)
    return {name: numbers[0] for name, numbers in found.items() if len(numbers) == 1}
