"""Tile folders: groups of images and masks."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.config import Undeclared
from segment.core.errors import InputError
from segment.core.file_search import folders_below
from segment.core.raster.alignment import ALIGNED, Alignment, align, summarise
from segment.core.raster.classes import ClassTable, load_class_table
from segment.core.raster.info import RasterInfo
from segment.core.raster.mask_values import decode_values
from segment.core.raster.masks import open_mask
from segment.core.raster.opening import open_raster
from segment.core.raster.orientation import summarise_turned
from segment.core.raster.reader import Raster
from segment.core.raster.sources import decide_alpha
from segment.core.splits import Part, part_named, part_notes

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Attributes:
        image: File of the image.
        mask: File of the mask.
        group: Name of the scene that they come from.
        part: Part of the data, where a folder fixes it.
        info: What the header of the image says.
        alignment: How the mask lies on the image.
        collection: Name of the tile folder they are from, where a model learns from several.
    """

    image: Path
    mask: Path
    group: str
    part: Part | None
    info: RasterInfo
    alignment: Alignment = ALIGNED
    collection: str = ""


def find_pairs(root: Path) -> list[Pair]:
    """Finds all image and mask pairs of a tile folder.

    Args:
        root: The tile folder. Hidden files and folders in it are skipped.

    Returns:
        The pairs, sorted by group and name.

    Raises:
        InputError: If there are none, if a mask has no image or an image no mask, if a mask does
            not lie on its image (see `align`), or if the bands or depth of images differ.
    """
    pairs, problems = scan_pairs(root)
    if problems:
        raise InputError(problems[0])
    return pairs


def scan_pairs(root: Path) -> tuple[list[Pair], list[str]]:
    """Finds the pairs of a tile folder that can be used, and what cannot.

    Args:
        root: The tile folder. Hidden files and folders in it are skipped.

    Returns:
        The pairs in the order of `find_pairs`, and a line for each thing that cannot be used.

    Raises:
        InputError: If there is no such folder, or it holds no folder `images`.
    """
    if not root.is_dir():
        raise InputError(
            f"{root}: must be a tile folder. Received: no such folder. Check the path."
        )
    pairs: list[Pair] = []
    problems: list[str] = list(_linked_parts(root))
    folders = sorted(_image_folders(root))
    places = [images / below for images in folders for below in sorted({*_with_files(images)})]
    decide_alpha([path for place in places for path in sorted(place.iterdir()) if _is_image(path)])
    for images in folders:
        masks = images.with_name("masks")
        if not masks.is_dir():
            problems.append(
                f"{images.parent}: `masks` must stand beside `images`. Received: none. Add the"
                " masks."
            )
            continue
        for below in sorted({*_with_files(images), *_with_files(masks)}):
            if (images / below).is_dir() and (masks / below).is_dir():
                pairs += _pair_up(
                    root, images / below, masks / below, _folders(root, images, below), problems
                )
            else:
                missing = masks / below if (images / below).is_dir() else images / below
                problems.append(
                    f"{missing}: folders within `images` and `masks` are alike. Received none here."
                    " Add it."
                )
    if not pairs and not problems:
        raise InputError(
            f"{root}: must hold `images` and `masks` side by side, with files. Received: none."
            " Check the path."
        )
    kinds = Counter((pair.info.bands, pair.info.dtype) for pair in pairs)
    alike = []
    for pair in pairs:
        expected = kinds.most_common(1)[0][0]
        pair = replace(pair, info=pair.info.fitted(expected[0]))
        if (pair.info.bands, pair.info.dtype) == expected:
            alike.append(pair)
            continue
        problems.append(
            f"{pair.image}: images of a tile folder have the same bands and depth. Received"
            f" {pair.info.bands} of {pair.info.dtype}, but {expected[0]} of {expected[1]} in most."
            " Export them alike."
        )
    return alike, problems


def _image_folders(root: Path) -> Iterator[Path]:
    """Yields all folders named `images`, see `folders_below`."""
    return (folder for folder in folders_below(root) if folder.name == "images" and folder != root)


def _linked_parts(root: Path) -> Iterator[str]:
    """Reports links that name a part for images that the folder also holds elsewhere.

    Each image is read once, and its part is that of its own place.
    """
    top = os.path.realpath(root)
    for below, names, _ in os.walk(top):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for link in (Path(below, name) for name in names if os.path.islink(Path(below, name))):
            target = Path(os.path.realpath(link))
            if not target.is_relative_to(top):
                continue
            ways = [path.relative_to(top).parts for path in (link, target)]
            named, held = ({part_named(folder) for folder in way} - {None} for way in ways)
            has_images = "images" in (*ways[0], *ways[1]) or any(_image_folders(target))
            if named - held and has_images:
                yield (
                    f"{root / Path(*ways[0])}: a link names a part for images outside the tile"
                    f" folder only. Received one to {root / Path(*ways[1])}. Put that folder in its"
                    f" place, or move it out of {root}."
                )


def _with_files(folder: Path) -> Iterator[Path]:
    """Yields, relative to a folder, itself and those within it that hold images or masks.

    Hidden folders are skipped.
    """
    yield Path()
    seen = {os.path.realpath(folder)}
    for below, names, files in os.walk(folder, followlinks=True):
        names[:] = [n for n in names if not n.startswith(".") and n not in ("images", "masks")]
        names[:] = [n for n in names if os.path.realpath(Path(below, n)) not in seen]
        seen.update(os.path.realpath(Path(below, n)) for n in names)
        if any(name.lower().endswith(SUFFIXES) and not name.startswith(".") for name in files):
            yield Path(below).relative_to(folder)


def _folders(root: Path, images: Path, below: Path) -> tuple[str, ...]:
    """Returns the names of the folders on the way down to some images, without `images`."""
    return (*images.parent.relative_to(root).parts, *below.parts)


def part_folders(root: Path, pairs: Sequence[Pair]) -> list[str]:
    """Returns notes on folders that name a part of the data, or nearly do.

    Args:
        root: The tile folder.
        pairs: Its images and masks.

    Returns:
        A sentence for each note.
    """
    ways = {pair.image.parent.relative_to(root).parts for pair in pairs}
    notes = part_notes(name for way in ways for name in way)
    parts: dict[str, set[Part | None]] = {}
    for pair in pairs:
        parts.setdefault(pair.group, set()).add(pair.part)
    for group, found in parts.items():
        if None in found and len(found) == 2:
            (part,) = found - {None}
            notes.append(
                f"group {group} lies in a folder for {part} and outside of it: all of it is for"
                f" {part}"
            )
    return notes


def _pair_up(
    root: Path, images: Path, masks: Path, folders: tuple[str, ...], problems: list[str]
) -> list[Pair]:
    image_of, mask_of = _by_stem(images, problems), _by_stem(masks, problems)
    problems += [
        f"{mask_of[stem]}: a mask needs its image. Received no {images / stem}.*. Add it, or remove"
        " the mask."
        for stem in sorted(mask_of.keys() - image_of.keys())
    ]
    named = {part: folder for folder in folders if (part := part_named(folder))}
    if len(named) > 1:
        listed = " and ".join(named.values())
        problems.append(
            f"{images}: a folder lies in one part. Received {listed} on the way down. Rename one of"
            " them."
        )
        return []
    part = next(iter(named), None)
    group = "/".join(f for f in folders if not part_named(f)) or root.resolve().name
    pairs = []
    for stem, path in sorted(image_of.items()):
        if stem not in mask_of:
            problems.append(
                f"{path}: an image needs its mask. Received no {masks / stem}.*. Add it, or move"
                " the image."
            )
            continue
        try:
            with open_raster(path) as image, open_raster(mask_of[stem]) as mask:
                info, alignment = image.info, align(mask, image)
        except InputError as error:
            problems.append(str(error))
            continue
        if info.colors == ("palette",):
            problems.append(
                f"{path}: images to learn from hold colours. Received numbers of a palette's"
                " colours. Turn them into colours: gdal_translate -expand rgb IN OUT"
            )
            continue
        pairs.append(Pair(path, mask_of[stem], group, part, info, alignment))
    return pairs


def grid_notes(pairs: Sequence[Pair]) -> list[str]:
    """Returns what a user has to know of how images and masks lie.

    Args:
        pairs: Images and masks.

    Returns:
        A line for each kind of note.
    """
    turned = summarise_turned([(pair.image, pair.info.orientation) for pair in pairs])
    return [*turned, *summarise([(pair.mask, pair.alignment) for pair in pairs])]


def _by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not _is_image(path):
            continue
        if path.stem in files:
            problems.append(
                f"{path}: one file a name. Received {files[path.stem].name} too. Remove one."
            )
        else:
            files[path.stem] = path
    return files


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def find_class_table(root: Path, pairs: Sequence[Pair]) -> ClassTable | None:
    """Finds the class table beside the data.

    It is `classes.yaml` in the root, or the same table in the groups. A table without values agrees
    with one that has the same classes and gives values.

    Args:
        root: The tile folder.
        pairs: Its images and masks.

    Returns:
        The class table; None if there is none.

    Raises:
        InputError: If tables do not agree, or one cannot be read.
    """
    folders = [root, *dict.fromkeys(p.image.parent.parent for p in pairs)]
    files = [f / "classes.yaml" for f in folders if (f / "classes.yaml").is_file()]
    tables = [load_class_table(f) for f in files]
    # a table that gives the values of masks has priority over tables without values
    first = next((i for i, table in enumerate(tables) if not table.positional), 0)
    for file, table in zip(files, tables, strict=True):
        agrees = table.decodes_as(tables[first]) or (
            table.positional and _names(table) == _names(tables[first])
        )
        if not agrees:
            raise InputError(
                f"{file}: the groups' class tables must agree. Received another than"
                f" {files[first]}. Change one."
            )
    return tables[first] if tables else None


def _names(class_table: ClassTable) -> list[tuple[str, str, bool]]:
    return [(c.name, c.color, c.ignore) for c in class_table.table]


def decode_mask(
    path: Path,
    class_table: ClassTable,
    undeclared: Undeclared = "ignore",
    names: Sequence[str] | None = None,
    image: Raster | None = None,
) -> tuple[NDArray[np.uint8], Counter[str]]:
    """Reads a mask file as class indices.

    Args:
        path: The mask.
        class_table: Class table by which it is decoded.
        undeclared: Whether to ignore values that the class table does not name, or to refuse them.
        names: Classes to count the indices by, if not those of `class_table`, see
            `ClassTable.decode`.
        image: Raster on whose grid the mask is read, see `Mask`; by default the mask's own grid.

    Returns:
        Class indices (rows, columns) uint8, 255 where ignored, and a count of undeclared values.

    Raises:
        InputError: If the mask cannot be read (see `Mask`), or if there are undeclared values and
            `undeclared` is "refuse".
    """
    with open_mask(path, image) as mask:
        indices, unknown = decode_values(mask.read(), class_table, names)
    if unknown and undeclared == "refuse":
        listed = ", ".join(f"{name} ({count} px)" for name, count in unknown.most_common(3))
        raise InputError(
            f"{path}: masks hold declared values or colours only. Received {listed}. Declare them,"
            " or ignore them."
        )
    return indices, unknown
