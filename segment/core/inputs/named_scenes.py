"""Scenes as users name them in a command: by files, folders and patterns."""

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segment.core.errors import InputError, printable
from segment.core.file_search import files_matching
from segment.core.raster.alpha import known_content
from segment.core.raster.nodata import Nodata
from segment.core.raster.sources import SUFFIXES, Source, as_source


def find_sources(
    names: Sequence[str],
    outputs: Sequence[str] = (),
    bands: Sequence[int] | None = None,
    nodata: Nodata | None = None,
) -> list[Source]:
    """Finds the rasters that a user names.

    Names may be files, folders (the rasters in them), patterns (*, ?, [...]; ** for any depth), and
    whatever GDAL resolves by itself.

    Args:
        names: The names, in the order of the sources.
        outputs: Endings that follow the stem of a raster in the names of files made from it. Such
            files beside the raster are skipped in folders and patterns.
        bands: Bands to read, see `open_raster`. Of several sources, those that lack one of these
            bands are read as if none were asked for.
        nodata: Value or range that means "no data" in all of them, see `open_raster`.

    Returns:
        The sources, each once.

    Raises:
        InputError: If a name is empty, or a folder or a pattern leads to no rasters.
    """
    found: list[Source] = []
    for name in names:
        if not name:
            raise InputError("The name of a raster is empty. Check the command.")
        source = Source.of(name)
        is_folder = isinstance(source.path, Path) and source.path.is_dir()
        if not is_folder and (
            isinstance(source.path, str) or source.path.is_file() or not glob.has_magic(name)
        ):
            found.append(source)
            continue
        matching = files_matching(f"{glob.escape(name)}/*" if is_folder else name)
        # links that lead nowhere are among them: opening them is an error, not a silent loss
        rasters = [f for f in matching if f.suffix.lower() in SUFFIXES and not f.is_dir()]
        made = {file.with_name(file.stem + ending) for file in rasters for ending in outputs}
        chosen = [Source(file) for file in rasters if file not in made]
        if not chosen:
            raise InputError(
                f"{name}: no rasters found ({', '.join(SUFFIXES)}). Check the path, or name files."
            )
        found += chosen
    return as_sources(list(dict.fromkeys(found)), bands, nodata)


def as_sources(
    scenes: Sequence[Path | str | Source],
    bands: Sequence[int] | None = None,
    nodata: Nodata | None = None,
) -> list[Source]:
    """Converts the scenes of a command to sources and sets their options.

    Args:
        scenes: What a user names, or sources.
        bands: As in `find_sources`.
        nodata: As in `find_sources`.

    Returns:
        The sources.
    """
    sources = [as_source(scene, bands, nodata) for scene in scenes]
    is_one_of_several = bands is not None and len(sources) > 1
    return [replace(s, if_present=s.if_present or is_one_of_several) for s in sources]


def alpha_note(sources: Sequence[Source]) -> str | None:
    """Reports images whose band tagged as alpha is a spectral band.

    Args:
        sources: Images that were read.

    Returns:
        A sentence with the first of them and the number of others, None where there are none.
    """
    found = [
        source.path
        for source in sources
        if source.alpha != "none" and known_content(source.path) == "band"
    ]
    if not found:
        return None
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (
        f"{found[0]}{more}: the band tagged as alpha holds the values of a spectral band: it masks"
        " nothing."
    )


def scale_notes(sources: Sequence[Source]) -> list[str]:
    """Reports the scales by which images are brought to 8 bits.

    Args:
        sources: Images.

    Returns:
        A line for each scale; empty if no image has one.
    """
    return [f"note: {scale.note}" for scale in dict.fromkeys(s.scale for s in sources) if scale]


def parse_bands(text: str | None) -> list[int] | None:
    """Parses the band numbers of the option --bands.

    Args:
        text: Numbers with commas between, such as "4,3,2"; None where the option is not given.

    Returns:
        The numbers, None where the option is not given.

    Raises:
        InputError: If the text is not such a list.
    """
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--bands: {text!r} is not a list of band numbers. Write e.g. 4,3,2.")
    return [int(part) for part in parts]


def require_own_names(sources: Sequence[Source]) -> None:
    """Checks that outputs of different sources have different names.

    Args:
        sources: The sources.

    Raises:
        InputError: If outputs that are named after two of them would be the same.
    """
    named: dict[str, list[str]] = {}
    for source in sources:
        named.setdefault(source.stem, []).append(printable(source.path))
    for stem, paths in named.items():
        if len(paths) > 1:
            more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
            raise InputError(
                f"{len(paths)} scenes are named {stem!r}, their outputs would have the same names:"
                f" {', '.join(paths[:2])}{more}. Map them one by one, into different folders."
            )
