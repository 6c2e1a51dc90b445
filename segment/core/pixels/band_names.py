"""What spectral bands are, by their names: words, numbers of sensors and wavelengths."""

import re
from collections.abc import Iterable

COLORS = ("red", "green", "blue")
"""Bands of a model of three bands that does not name its own."""
INFRARED = "near infrared"
"""Name of that band."""
# nanometres: the range of each, and the middle, to which the nearest of several bands is taken
_WAVELENGTHS = {
    "red": (625, 665, 690),
    "green": (520, 560, 600),
    "blue": (450, 490, 515),
    INFRARED: (770, 850, 900),
}
_WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanomet\w+|[uµμ]m|micromet\w+)", re.IGNORECASE)
# words that turn a colour into another band, such as "red edge" and "coastal blue"
_OTHERS = {"edge", "coastal", "aerosol", "deep", "short", "shortwave", "swir", "mid", "thermal"}
# words of bands that are no colours, but may be of a colour, such as "pan-sharpened red"
_NO_COLORS = {"pan", "panchromatic", "mwir", "lwir", "tir", "ndvi", "vv", "vh", "hh", "hv"}
_NO_COLORS |= {"dem", "dsm", "dtm", "elevation"}
# Sentinel-2, HLS and Landsat 8 and 9 agree on these; Landsat 4 to 7 have other bands by such names
_NUMBERED = {2: "blue", 3: "green", 4: "red"}
_NUMBER = re.compile(r"(SR_)?(?:B(\d{1,2}A?)|[Bb](0\d))(?![a-zA-Z0-9])")


def described_bands(texts: dict[int, str]) -> dict[str, int]:
    """Finds out what bands are by their descriptions.

    Args:
        texts: Description of each band, by its number.

    Returns:
        Band numbers by "red", "green", "blue" and "near infrared", as far as they are described.
    """
    return _by_wavelength(texts) | _by_letter(texts) | _by_number(texts) | _by_word(texts)


def standard_name(name: str) -> str:
    """Returns the colour that a name means by itself.

    Args:
        name: Name of a band.

    Returns:
        The colour, else the name in lower case.
    """
    found = _NUMBER.fullmatch(name.strip())
    if found and found[2] in ("02", "03", "04"):
        return _NUMBERED[int(found[2])]
    return color_of(name) or name.strip().casefold()


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.casefold()))


def is_other(text: str) -> bool:
    """Returns whether a description names something that is no colour.

    Args:
        text: Description of a band.

    Returns:
        True for such as "Thermal 1" and "NDVI".
    """
    return color_of(text) is None and not _words(text).isdisjoint(_OTHERS | _NO_COLORS)


def color_of(text: str) -> str | None:
    """Returns the colour that the words of a description name.

    Args:
        text: Description of a band.

    Returns:
        "red", "green", "blue" or "near infrared", None for none or several of them.
    """
    words = _words(text)
    if words & _OTHERS:
        return None
    # in other languages infrarot, infrarouge, infrarosso
    if "nir" in words or words >= {"infra", "red"} or any(w.startswith("infrar") for w in words):
        return INFRARED
    found = words.intersection(COLORS)
    return found.pop() if len(found) == 1 else None


def _by_word(texts: dict[int, str]) -> dict[str, int]:
    claims = [(color, number) for number, text in texts.items() if (color := color_of(text))]
    # of "green" and "green_i", the plain word is the band
    return once(claims) | once((c, n) for c, n in claims if texts[n].casefold() in (c, "nir"))


def _by_letter(texts: dict[int, str]) -> dict[str, int]:
    found = once((text.casefold(), number) for number, text in texts.items())
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
    return once((_NUMBERED[int(n)], band) for n, band in names.items() if n.lstrip("0") in "234")


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


def once(claims: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Drops names that several bands claim.

    Args:
        claims: Names, and numbers of the bands that claim them.

    Returns:
        Band numbers by name.
    """
    found: dict[str, list[int]] = {}
    for name, number in claims:
        found.setdefault(name, []).append(number)
    return {name: numbers[0] for name, numbers in found.items() if len(numbers) == 1}
