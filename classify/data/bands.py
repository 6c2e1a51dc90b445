"""Bands of images: which are read, and which of them are red, green and blue."""

import re
from collections.abc import Sequence

from classify.config import ImageSettings
from segment.core.errors import InputError

EUROSAT_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A")
"""Sentinel-2 bands in the order of EuroSAT's GeoTIFFs (Helber et al. 2019), which do not name them."""

_COLORS = (("B04", "red"), ("B03", "green"), ("B02", "blue"))


def choose_bands(settings: ImageSettings, count: int, descriptions: Sequence[str | None]) -> tuple[int, ...] | None:
    """Numbers of the bands to read, from 1, in the order of `settings.bands`; None when the settings ask for nothing.

    count: bands of a file, without alpha, which is read where its number is asked for.
    descriptions: what the file calls its bands (see `Raster.descriptions`). Names are looked up there; where it names no
    Sentinel-2 band and has 13 bands, in the order of EuroSAT too. B8 is B08, and case does not matter.

    Raises InputError for a band that there is not, that is asked for twice, and when none is left.
    """
    if settings.bands is None and not settings.leave_out:
        return None
    numbers, most = _numbers(count, descriptions), max(count, len(descriptions))
    wanted = range(1, count + 1) if settings.bands is None else [_find(b, "bands", most, numbers) for b in settings.bands]
    left_out = {_find(band, "leave_out", most, numbers) for band in settings.leave_out}
    for band in wanted:
        if list(wanted).count(band) > 1:
            raise InputError(f"data.bands names each band once. Received {settings.bands}, with band {band} twice. Remove one.")
    chosen = tuple(band for band in wanted if band not in left_out)
    if not chosen:
        raise InputError(f"data.leave_out must leave bands to read. Received {settings.leave_out}. Take some out of it.")
    return chosen


def band_names(chosen: Sequence[int] | None, count: int, descriptions: Sequence[str | None]) -> list[str]:
    """What the file, or EuroSAT, calls the chosen bands (None: all `count`); empty where one of them has no name."""
    names = {number: name for name, number in _numbers(count, descriptions).items()}
    found = [names.get(number) for number in (range(1, count + 1) if chosen is None else chosen)]
    return [name for name in found if name is not None] if None not in found else []


def bands_by_name(names: Sequence[str], count: int, descriptions: Sequence[str | None]) -> tuple[int, ...] | None:
    """Numbers of the bands that a file calls so, in the order of `names`; None where it knows none of them.

    Raises InputError where it knows some only.
    """
    numbers = _numbers(count, descriptions)
    found = [_number(name, numbers) for name in names]
    if names and None in found and any(found):
        missing = names[found.index(None)]
        raise InputError(f"bands are {', '.join(names)}. Received a file without {missing}. Name others, or leave it out.")
    return tuple(number for number in found if number is not None) or None


def rgb_positions(chosen: Sequence[int] | None, count: int, descriptions: Sequence[str | None]) -> tuple[int, int, int]:
    """Positions, from 0, of red, green and blue among the chosen bands: where weights learned on RGB belong.

    chosen: what `choose_bands` returned; None stands for all `count` bands. Names (B04, B03, B02 or red, green, blue) are
    looked up as there. A colour that is not known, or was not chosen, takes the first band that no other colour has, so
    that without names they are 0, 1 and 2. When there are none left it shares the last one: weights for one band add up.
    """
    numbers = _numbers(count, descriptions)
    bands = list(range(1, count + 1) if chosen is None else chosen)
    named = [next(filter(None, (_number(name, numbers) for name in names)), None) for names in _COLORS]
    known = [bands.index(number) if number in bands else None for number in named]
    free = [position for position in range(len(bands)) if position not in known]
    red, green, blue = (p if p is not None else free.pop(0) if free else len(bands) - 1 for p in known)
    return red, green, blue


def _numbers(count: int, descriptions: Sequence[str | None]) -> dict[str, int]:
    """Band numbers by name, as the file or EuroSAT writes it."""
    named: dict[str, int] = {}
    for number, description in enumerate(descriptions[:count], start=1):
        if description and description.strip():
            named.setdefault(description.strip(), number)
    eurosat = {name: number for number, name in enumerate(EUROSAT_BANDS, start=1)}
    sentinel = {_plain(name) for name in EUROSAT_BANDS}
    if count == len(EUROSAT_BANDS) and not any(_plain(name) in sentinel for name in named):
        named = eurosat | named
    return dict(sorted(named.items(), key=lambda item: item[1]))


def _plain(name: str) -> str:
    return re.sub(r"^b0+(?=\d)", "b", name.strip().casefold())


def _number(name: str, numbers: dict[str, int]) -> int | None:
    return next((number for known, number in numbers.items() if _plain(known) == _plain(name)), None)


def _find(band: int | str, key: str, count: int, numbers: dict[str, int]) -> int:
    number = band if isinstance(band, int) else _number(band, numbers)
    if number is None or not 1 <= number <= count:
        names = f", and the names {', '.join(numbers)}" if numbers else ", without names"
        raise InputError(f"data.{key} holds bands of the images. Received {band!r}. There are: 1 to {count}{names}.")
    return number
