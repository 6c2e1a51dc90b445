"""Formats of uploaded files: what is admitted, and how it is opened from then on."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from segment.app.uploads.pictures import bytes_at_once, check_texts
from segment.app.uploads.tiff import read_images
from segment.core.errors import InputError
from segment.core.inputs.named_scenes import parse_bands
from segment.core.pixels.scale_choice import parse_scale
from segment.core.raster.sources import Source, as_source

IMAGE_PIXELS, SCENE_PIXELS, PICTURE_PIXELS = 50_000_000, 500_000_000, 120_000_000
"""Most pixels of an image to label, of a scene to map, and of a scene that is a PNG or JPEG.

The latter two formats cannot be read in parts.
"""

# First bytes of files: GDAL's driver, and the ending. Of these formats only TIFF may lead to other
# files, see `Raster.references`.
_TIFF = ("GTiff", ".tif")
_FORMATS = {
    b"II*\0": _TIFF,
    b"MM\0*": _TIFF,
    b"II+\0": _TIFF,
    b"MM\0+": _TIFF,
    b"\x89PNG\r\n\x1a\n": ("PNG", ".png"),
    b"\xff\xd8\xff": ("JPEG", ".jpg"),
}
_OTHERS = {
    b"PK": "a ZIP archive",
    b"MZ": "a program",
    b"\x7fELF": "a program",
    b"#!": "a program",
    b"%PDF": "a PDF",
    b"GIF8": "a GIF",
    b"\x1f\x8b": "a compressed file",
}
_XML = {b"<vrtdataset": "a VRT, which is a list of other files", b"<svg": "an SVG drawing"}
_MOST_BANDS = 16
_LONGEST = 100_000  # pixels a side: maps take five kilobytes of memory for each column
# Bytes that may have to be decoded for one pixel; this is GDAL's own limit for JPEGs.
_LARGEST_BLOCK = 500 * 2**20
_LONGEST_LIST = 100  # characters of a list of bands
# A file may unpack to _FREE_BYTES, or to _MOST_UNPACKING times its size if that is more.
_FREE_BYTES, _MOST_UNPACKING = 64 * 2**20, 300


def choose_bands(text: Any) -> tuple[int, ...] | None:
    """Reads band numbers as visitors write them.

    Args:
        text: Numbers from 1, such as "4,3,2".

    Returns:
        The numbers. None, for all bands but alpha, if the text is empty.

    Raises:
        InputError: If the text is not such a list, or names more bands than files may have.
    """
    if not isinstance(text, str) or len(text) > _LONGEST_LIST:
        raise InputError(
            "bands: not a list of band numbers. Write one such as 4,3,2, or leave it empty."
        )
    bands = parse_bands(text.strip() or None)
    if bands and len(bands) > _MOST_BANDS:
        raise InputError(
            f"bands: {len(bands)} bands, at most {_MOST_BANDS}. List those that the model reads."
        )
    return None if bands is None else tuple(bands)


def choose_scale(text: Any) -> str:
    """Reads a scale as visitors write it.

    Args:
        text: auto, never, LOW,HIGH or percentages, see `parse_scale`. Reports are files of the
            server, and refused.

    Returns:
        The text; auto if it is empty.

    Raises:
        InputError: If it is none of these.
    """
    if (
        not isinstance(text, str)
        or len(text) > _LONGEST_LIST
        or text.strip().lower().endswith(".json")
    ):
        raise InputError(
            "scale: unknown. Write auto, never, LOW,HIGH such as 0,3000, or percentages such as"
            " 2%,98%, or leave it empty."
        )
    chosen = text.strip() or "auto"
    parse_scale(chosen, "scale")
    return chosen


def admit(
    upload: Path,
    received: Sequence[Path],
    folder: Path,
    most_pixels: int,
    bands: tuple[int, ...] | None = None,
) -> Source:
    """Admits an uploaded file to the folder of a job.

    The file is linked, or copied where the file system cannot link it, under a name whose
    characters cannot form a path.

    Args:
        upload: Where the server put the file.
        received: Folders of all files that visitors may ask for.
        folder: Folder to put the file in.
        most_pixels: Largest number of pixels, see IMAGE_PIXELS.
        bands: Numbers of the bands to read, from 1. None for all but alpha.

    Returns:
        The source that opens the file, as the format that its first bytes say and as no other.

    Raises:
        InputError: If the file was not uploaded, is not a GeoTIFF, PNG or JPEG, has too many pixels
            or bands, leads to other files, or would need more room than its size suggests.
    """
    name = PurePosixPath(upload.name.replace("\\", "/")).name
    real = _resolve(upload)
    if real is None or not any(real.is_relative_to(place.resolve()) for place in received):
        raise InputError(
            f"{name}: no such file: files must be uploaded first, and are removed after an hour."
            " Upload it."
        )
    driver, ending = _find_format(real, name)
    folder.mkdir(parents=True, exist_ok=True)
    admitted = folder / f"{_safe_name(name)}{ending}"
    try:
        os.link(real, admitted)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(real, admitted)
    # With this use of alpha, nothing is decoded before the header is checked.
    source = Source(admitted, driver=driver, alpha="mask")
    _check_header(
        source,
        admitted.stat().st_size,
        most_pixels if driver == "GTiff" else min(most_pixels, PICTURE_PIXELS),
    )
    return as_source(replace(source, alpha=None), bands)


def _resolve(path: Path) -> Path | None:
    try:
        real = path.resolve()
        return real if real.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _find_format(file: Path, name: str) -> tuple[str, str]:
    with file.open("rb") as opened:
        start = opened.read(1024)
    for signature, found in _FORMATS.items():
        if start.startswith(signature):
            return found
    received = next(
        (kind for signature, kind in _OTHERS.items() if start.startswith(signature)), None
    )
    received = received or next((kind for tag, kind in _XML.items() if tag in start.lower()), None)
    received = received or ("another kind of file" if start else "an empty file")
    raise InputError(
        f"{name}: is {received}, not GeoTIFF, PNG or JPEG. Save the picture as one of them."
    )


def _safe_name(name: str) -> str:
    """Letters, digits, points and dashes of a file name without its ending, at most 120 bytes.

    Outputs are named after it.
    """
    tame = re.sub(r"[^\w.-]+", "_", PurePosixPath(name).stem).strip("._-")
    return tame.encode()[:120].decode(errors="ignore") or "image"


def _check_header(source: Source, size: int, most_pixels: int) -> None:
    file = Path(source.path)  # first what GDAL would read through to open it
    images = read_images(file) if source.driver == "GTiff" else []
    whole = bytes_at_once(file) if source.driver == "JPEG" else 0
    if source.driver == "PNG":
        check_texts(file)
    with source.open() as raster:
        name, pixels = file.name, raster.width * raster.height
        described = f"{raster.width:,} x {raster.height:,} pixels"
        if pixels > most_pixels:
            raise InputError(
                f"{name}: is {described}, at most {most_pixels // 10**6} megapixels are possible"
                " here. Cut it, or use segment-predict."
            )
        if len(raster.bands) > _MOST_BANDS:
            raise InputError(
                f"{name}: has {len(raster.bands)} bands, at most {_MOST_BANDS} bands are possible."
                " Leave some out."
            )
        if max(raster.height, raster.width) > _LONGEST:
            raise InputError(
                f"{name}: is {described}, at most {_LONGEST:,} a side are possible here. Cut it, or"
                " use segment-predict."
            )
        if raster.references:
            raise InputError(
                f"{name}: metadata refers to other files ({', '.join(raster.references)}). Save it"
                " without: gdal_translate -co PROFILE=GeoTIFF IN OUT"
            )
        unpacked = pixels * len(raster.info.colors) * raster.dtype.itemsize
        if unpacked > max(_FREE_BYTES, _MOST_UNPACKING * size):
            raise InputError(
                f"{name}: {described} in {size:,} bytes: the file is incomplete, or almost empty."
                " Save it again."
            )
        cure = (
            "Save it as a JPEG that is not progressive."
            if whole
            else "Save it in tiles: gdal_translate -co TILED=YES IN OUT"
        )
        if (block := max(raster.block_bytes, whole)) > _LARGEST_BLOCK:
            raise InputError(
                f"{name}: is a single block of {block // 2**20} MB, which cannot be read in parts."
                f" {cure}"
            )
        for image in images[1:]:
            if not image.is_page and (image.width > raster.width or image.height > raster.height):
                raise InputError(
                    f"{name}: overview or mask is {image.width:,} x {image.height:,} pixels, image"
                    f" is {described}. Save it without: gdal_translate -co TILED=YES IN OUT"
                )
            if image.block_bytes > _LARGEST_BLOCK:
                raise InputError(
                    f"{name}: an overview, mask or page is a single block of"
                    f" {image.block_bytes // 2**20} MB, at most {_LARGEST_BLOCK // 2**20} MB are"
                    " decoded. Save it in tiles: gdal_translate -co TILED=YES IN OUT"
                )
