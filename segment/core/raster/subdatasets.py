"""Rasters in a container: names of their outputs, files of several pictures, and unread ones.

Their paths begin with a GDAL driver: NETCDF:"f.nc":a, GPKG:f.gpkg:may, SENTINEL2_L2A:...
"""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

_DRIVER = re.compile(r"([A-Za-z]\w+):(?!//)(.+)", re.DOTALL)  # a single letter is a Windows drive
_SCHEME = re.compile(r"(?:^|[/=])(?:https?|ftp|s3|gs|az|oss|swift|file)$")
# beginnings of file names that are the same in every product
_GENERIC = ("mtd", "metadata", "manifest")
# names of whole files that GDAL opens for a product
_PRODUCT = re.compile(
    r"((mtd|metadata|manifest|product).*\.(xml|safe)|(hdr|w\d+)\.adf)", re.IGNORECASE
)
_ODD = re.compile(r"[^\w.,=+-]+")


def subdataset_name(connection: str) -> str | None:
    """Names the outputs of a raster whose path begins with a GDAL driver.

    The name is that of the container without its ending, then the part that selects a raster in it,
    wherever that is in the path: flights_may, file_2. A product whose files have the same names in
    every product is named after its folder: S2A_MSIL2A_20240501_10m_EPSG_32632.

    Slashes in the selecting part become hyphens. Where it holds other characters that do not belong
    in a file name, these become underscores, and a digest of the path is added. A query of the
    container's address is left out, as it may hold a key; where nothing else selects a raster, the
    digest is added too.

    Args:
        connection: Path as GDAL reads it.

    Returns:
        The name, None for a path that does not begin with a driver.
    """
    if connection.lower().startswith("vrt://"):
        path, _, query = connection[len("vrt://") :].partition("?")
        return _join(_stem(path), [query], connection)
    found = _DRIVER.fullmatch(connection)
    if not found:
        return None
    parts = _split(found[2])
    place = next((i for i, part in enumerate(parts) if re.search(r"[/\\.]", part)), 0)
    path, _, query = parts[place].partition("?") if parts else ("", "", "")
    path, *options = re.split(r",(?=\w+=)", path)  # WMTS:https://.../capabilities.xml,layer=x
    others = options + [part for i, part in enumerate(parts) if i != place]
    return _join(_stem(path), others, connection, is_odd=bool(query) and not others)


def _split(address: str) -> list[str]:
    """Splits an address at its colons.

    Not split are parts in quotes, internet addresses (https://host:80/...) and Windows paths with a
    drive (C:).
    """
    parts: list[str] = []
    was_quoted = False
    for quoted, plain in re.findall(r'"([^"]*)"|([^:"]+)', address):
        last = parts[-1] if parts else ""
        is_drive = len(last) == 1 and last.isalpha() and plain[:1] in ("\\", "/")
        is_address = plain.startswith("//") and _SCHEME.search(last)
        is_port = re.search(r"//[^/]+$", last) and re.match(r"\d+(/|$)", plain)
        is_query = "?" in last  # its colons cannot be distinguished from those after it
        if plain and not was_quoted and (is_drive or is_address or is_port or is_query):
            parts[-1] += f":{plain}"
        else:
            parts.append(quoted or plain)
        was_quoted = bool(quoted)
    return parts


def product_name(path: Path | str) -> str | None:
    """Names the outputs of a file that has the same name in every product, after its folder.

    Args:
        path: File, such as S1A_IW_GRDH.SAFE/manifest.safe, or its address.

    Returns:
        The name of the folder without .SAFE, None for other files.
    """
    *folders, name = re.split(r"[/\\]+", str(path).partition("?")[0])
    return _folder_name(folders) or None if _PRODUCT.fullmatch(name) else None


def _stem(path: str) -> str:
    *folders, name = re.split(r"[/\\]+", path.rstrip("/\\"))
    stem = name.rsplit(".", 1)[0] or name
    return (stem.lower().startswith(_GENERIC) and _folder_name(folders)) or stem


def _folder_name(folders: list[str]) -> str:
    return re.sub(r"\.(safe|zip)$", "", (folders or [Path.cwd().name])[-1], flags=re.IGNORECASE)


def _join(stem: str, others: list[str], connection: str, is_odd: bool = False) -> str:
    chosen = [part.strip("/'").replace("/", "-") for part in others]
    name = "_".join(found for part in (stem, *chosen) if (found := _ODD.sub("_", part).strip("_")))
    if is_odd or any(_ODD.search(part) for part in chosen):
        name += f"_{hashlib.sha256(connection.encode(errors='surrogateescape')).hexdigest()[:8]}"
    return name.strip("_")


def explain(problem: str, path: str) -> tuple[str, str]:
    """Says why a file is no raster, and what to do with it.

    Args:
        problem: What GDAL says.
        path: The file, or its address.

    Returns:
        The problem and the cure.
    """
    if "://" in path:
        return problem, "Check that it can be reached."
    if "ENVI header" in problem:
        return "it is the header of an ENVI raster", "Give the file of its pixels."
    if "not recognized" not in problem:
        return problem, "Get a whole copy."
    cure = "Get a whole copy, or give a GeoTIFF, PNG or JPEG."
    if path.lower().endswith((".zip", ".gz", ".tar", ".tgz", ".bz2", ".7z", ".rar")):
        cure = "Unpack it, or name a raster in it, such as /vsizip/FILE.zip/SCENE.tif."
    return "its format is not recognized", cure


_PNG = b"\x89PNG\r\n\x1a\n"
_MOST = 1000  # chunks, or pages, that are looked at
_SUBFILE = 254  # TIFF 6.0: bits of a page that is a smaller copy (1) or a mask (4) of another
_COPY_OR_MASK = 5


def is_animated(path: Path | str) -> bool:
    """Returns whether a PNG or WebP holds the frames of an animation.

    Args:
        path: A file; others hold none.

    Returns:
        True for an animation of at least one frame.
    """
    with suppress(OSError, ValueError), open(path, "rb") as file:
        start = file.read(21)
        if start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X":
            return bool(int.from_bytes(start[20:]) & 2)
        place = len(_PNG)
        for _ in range(_MOST if start[:place] == _PNG else 0):
            file.seek(place)
            head = file.read(8)
            if head[4:] in (b"acTL", b"IDAT", b""):
                return head[4:] == b"acTL"
            place += 12 + int.from_bytes(head[:4], "big")
    return False


def holds_several(path: Path | str) -> bool:
    """Returns whether a file holds several pictures: pages of a TIFF, or frames of an animation.

    Smaller copies and masks of a page are no pictures of their own.

    Args:
        path: A file; others hold one picture.

    Returns:
        True for several pictures, of which the first is read.
    """
    with suppress(OSError, ValueError, OverflowError), open(path, "rb") as file:
        if (start := file.read(4)) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _pages(file, "little" if start[:1] == b"I" else "big", b"+" in start) > 1
    return is_animated(path)


def _pages(file: BinaryIO, order: Any, is_big: bool) -> int:
    """Counts the pages of a TIFF or BigTIFF, at most two."""
    width, counted, size, value_at = (8, 8, 20, 12) if is_big else (4, 2, 12, 8)
    file.seek(8 if is_big else 4)
    pages, seen, place = 0, set[int](), int.from_bytes(file.read(width), order)
    while place and place not in seen and len(seen) < _MOST and pages < 2:
        seen.add(place)
        file.seek(place)
        entries = int.from_bytes(file.read(counted), order)
        directory = file.read(size * min(entries, _MOST))
        tags = [directory[at : at + size] for at in range(0, len(directory), size)]
        kind = next((t for t in tags if int.from_bytes(t[:2], order) == _SUBFILE), b"")
        value = int.from_bytes(kind[value_at : value_at + 4], order)
        pages += not value & _COPY_OR_MASK
        file.seek(place + counted + size * entries)
        place = int.from_bytes(file.read(width), order)
    return pages


def further_pictures(path: str, within: Sequence[str]) -> str | None:
    """Describes further pictures in a file, of which the first is read.

    Args:
        path: The file.
        within: Names of its subdatasets.

    Returns:
        A sentence; None where there are none.
    """
    if within:
        return f"The file holds {len(within)} images, and one is read. Another is {within[-1]}"
    return "The file is an animation, and its first frame is read." if is_animated(path) else None


def several_notes(paths: Sequence[Path | str]) -> list[str]:
    """Reports how many images hold several pictures.

    Args:
        paths: Image files.

    Returns:
        One line with the count; empty if there are none.
    """
    several = [path for path in paths if isinstance(path, Path) and holds_several(path)]
    if not several:
        return []
    more = f" (and {len(several) - 1} more)" if len(several) > 1 else ""
    return [
        f"note: {several[0]}{more}: holds several pictures, pages or frames, of which the first is"
        " read"
    ]
