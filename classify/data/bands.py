"""Spectral bands of images: which are read, and which of them are red, green and blue."""

import re
from collections.abc import Sequence

from classify.config import ImageSettings
from segment.core.errors import InputError

EUROSAT_BANDS = (
    "B01",
    "B02",
    "B03",
    "B04",
    "B05",
    "B06",
    "B07",
    "B08",
    "B09",
    "B10",
    "B11",
    "B12",
    "B8A",
)
"""Sentinel-2 bands in the order of EuroSAT's GeoTIFFs, which do not name them.

Source: Helber et al. (2019).
"""

_COLORS = (("B04", "red"), ("B03", "green"), ("B02", "blue"))


def choose_bands(
    settings: ImageSettings, count: int, descriptions: Sequence[str | None]
) -> tuple[int, ...] | None:
    """Chooses the bands to read from a file.

    Names are looked up among the band names of the file. If the file names no Sentinel-2 band and
    has 13 bands, they are also looked up in the order of EuroSAT. B8 is the same as B08, and case
    does not matter.

    Args:
        settings: Settings with the bands to read and to leave out, by number or name.
        count: Number of bands in the file without alpha. Alpha is read where its number is asked
            for.
        descriptions: Band names in the file, see `Raster.descriptions`.

    Returns:
        Numbers of the bands to read, from 1, in the order of `settings.bands`; None if the settings
        choose no bands.

    Raises:
        InputError: If a band does not exist or is asked for twice, or if no band is left.
    """
    if settings.bands is None and not settings.leave_out:
        return None
    numbers, most = _numbers(count, descriptions), max(count, len(descriptions))
    wanted = (
        range(1, count + 1)
        if settings.bands is None
        else [_find(b, "bands", most, numbers) for b in settings.bands]
    )
    left_out = {_find(band, "leave_out", most, numbers) for band in settings.leave_out}
    for band in wanted:
        if list(wanted).count(band) > 1:
            raise InputError(f"data.bands: {settings.bands} has band {band} twice. Remove one.")
    chosen = tuple(band for band in wanted if band not in left_out)
    if not chosen:
        raise InputError(
            f"data.leave_out: {settings.leave_out} leaves no band to read. List fewer."
        )
    return chosen


def band_names(
    chosen: Sequence[int] | None, count: int, descriptions: Sequence[str | None]
) -> list[str]:
    """Finds the names of the chosen bands.

    Args:
        chosen: Band numbers from 1; None for all `count` bands.
        count: Number of bands in the file without alpha.
        descriptions: Band names in the file.

    Returns:
        Names from the file, or from EuroSAT; an empty list if one of the bands has no name.
    """
    names = {number: name for name, number in _numbers(count, descriptions).items()}
    found = [names.get(number) for number in (range(1, count + 1) if chosen is None else chosen)]
    return [name for name in found if name is not None] if None not in found else []


def bands_by_name(
    names: Sequence[str], count: int, descriptions: Sequence[str | None]
) -> tuple[int, ...] | None:
    """Finds bands of a file by name.

    Args:
        names: Names to look up.
        count: Number of bands in the file without alpha.
        descriptions: Band names in the file.

    Returns:
        Band numbers from 1, in the order of `names`; None if the file has none of them.

    Raises:
        InputError: If the file has only some of the names.
    """
    numbers = _numbers(count, descriptions)
    found = [_number(name, numbers) for name in names]
    if names and None in found and any(found):
        missing = names[found.index(None)]
        raise InputError(
            f"file has no band {missing}, but others of {', '.join(names)}. Choose other bands, or"
            " leave the file out."
        )
    return tuple(number for number in found if number is not None) or None


def rgb_positions(
    chosen: Sequence[int] | None, count: int, descriptions: Sequence[str | None]
) -> tuple[int, int, int]:
    """Finds red, green and blue among the chosen bands, for weights that were learned on RGB.

    Names (B04, B03, B02 or red, green, blue) are looked up as in `choose_bands`. A colour that is
    unknown or not chosen takes the first band that no other colour has, so without names the
    positions are 0, 1 and 2. If no band is left, the colour shares the last one: weights for one
    band add up.

    Args:
        chosen: Band numbers returned by `choose_bands`; None for all `count` bands.
        count: Number of bands in the file without alpha.
        descriptions: Band names in the file.

    Returns:
        Positions of red, green and blue among the chosen bands, from 0.
    """
    numbers = _numbers(count, descriptions)
    bands = list(range(1, count + 1) if chosen is None else chosen)
    named = [
        next(filter(None, (_number(name, numbers) for name in names)), None) for names in _COLORS
    ]
    known = [bands.index(number) if number in bands else None for number in named]
    free = [position for position in range(len(bands)) if position not in known]
    red, green, blue = (
        p if p is not None else free.pop(0) if free else len(bands) - 1 for p in known
    )
    return red, green, blue


def assumes_eurosat(count: int, descriptions: Sequence[str | None]) -> bool:
    """Returns whether the bands of a file are taken for those of EuroSAT, as it does not name them.

    Args:
        count: Number of bands in the file without alpha.
        descriptions: Band names in the file.

    Returns:
        True for 13 bands, none of which has the name of a Sentinel-2 band.
    """
    sentinel = {_plain(name) for name in EUROSAT_BANDS}
    names = {_plain(name) for name in descriptions[:count] if name}
    return count == len(EUROSAT_BANDS) and names.isdisjoint(sentinel)


def _numbers(count: int, descriptions: Sequence[str | None]) -> dict[str, int]:
    """Band numbers by name, as the file or EuroSAT spells it."""
    named: dict[str, int] = {}
    for number, description in enumerate(descriptions[:count], start=1):
        if description and description.strip():
            named.setdefault(description.strip(), number)
    if assumes_eurosat(count, descriptions):
        named = {name: number for number, name in enumerate(EUROSAT_BANDS, start=1)} | named
    return dict(sorted(named.items(), key=lambda item: item[1]))


def _plain(name: str) -> str:
    return re.sub(r"^b0+(?=\d)", "b", name.strip().casefold())


def _number(name: str, numbers: dict[str, int]) -> int | None:
    return next(
        (number for known, number in numbers.items() if _plain(known) == _plain(name)), None
    )


def _find(band: int | str, key: str, count: int, numbers: dict[str, int]) -> int:
    number = band if isinstance(band, int) else _number(band, numbers)
    if number is None or not 1 <= number <= count:
        names = f", or by name {', '.join(numbers)}" if numbers else ", without names"
        raise InputError(
            f"data.{key}: images have no band {band!r}. There are bands 1 to {count}{names}."
        )
    return number
