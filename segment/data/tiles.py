"""Tile folders: groups of images and masks."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from segment.core.errors import InputError, counted
from segment.core.file_search import folders_below
from segment.core.labels.alignment import align
from segment.core.labels.masks import SUFFIXES
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import decide_alpha
from segment.core.splits import Part, part_named, part_notes
from segment.data.pairs.pair import Pair
from segment.data.pairs.unread import other_case, unread_notes


def find_pairs(root: Path) -> list[Pair]:
    """Finds all image and mask pairs of a tile folder.

    Args:
        root: The tile folder. Hidden files and folders in it are skipped.

    Returns:
        The pairs, sorted by group and name.

    Raises:
        InputError: If there are none, if a mask has no image or an image no mask, if a mask does
            not fit its image (see `align`), or if the bands or depth of images differ.
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
    if root.is_file():
        raise InputError(
            f"{root}: a file, not a tile folder. To train on a scene as it is, name its labels:"
            " --labels FILE, or data.labels in the settings. Or cut it with segment-tile."
        )
    if not root.is_dir():
        raise InputError(f"{root}: no such folder. Check the path.")
    pairs: list[Pair] = []
    problems: list[str] = [*_linked_parts(root), *other_case(root)]
    folders = sorted(_image_folders(root))
    places = [images / below for images in folders for below in sorted({*_with_files(images)})]
    decide_alpha([path for place in places for path in sorted(place.iterdir()) if _is_image(path)])
    for images in folders:
        masks = images.with_name("masks")
        if not masks.is_dir():
            problems.append(f"{images.parent}: has `images`, but no `masks`. Add the masks.")
            continue
        for below in sorted({*_with_files(images), *_with_files(masks)}):
            if (images / below).is_dir() and (masks / below).is_dir():
                way = (*images.parent.relative_to(root).parts, *below.parts)
                pairs += _pair_up(root, images / below, masks / below, way, problems)
            else:
                missing = masks / below if (images / below).is_dir() else images / below
                problems.append(
                    f"{missing}: folder is missing: `images` and `masks` need the same folders. Add"
                    " it."
                )
    if not pairs and not problems:
        raise InputError(
            f"{root}: no `images` and `masks` side by side found in it. Check the path."
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
            f"{pair.image}: has {counted(pair.info.bands, 'band')} of {pair.info.dtype}, most"
            f" images have {expected[0]} of {expected[1]}. Export all images alike."
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
                    f"{root / Path(*ways[0])}: link names another part than"
                    f" {root / Path(*ways[1])}, its target in the same tile folder. Put the folder"
                    f" in place of the link, or move it out of {root}."
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


def part_folders(root: Path, pairs: Sequence[Pair]) -> list[str]:
    """Returns notes on folders that name a part of the data, or nearly do, and on files left out.

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
                f"group {group} is partly in a folder for {part}, partly not: all of it is used for"
                f" {part}"
            )
    places = [
        (images / below, images.with_name("masks") / below)
        for images in sorted(_image_folders(root))
        for below in sorted({*_with_files(images)})
    ]
    return [*notes, *unread_notes(places, SUFFIXES)]


def _pair_up(
    root: Path, images: Path, masks: Path, folders: tuple[str, ...], problems: list[str]
) -> list[Pair]:
    image_of, mask_of = _by_stem(images, problems), _by_stem(masks, problems)
    problems += [
        f"{mask_of[stem]}: has no image {images / stem}.*. Add it, or remove the mask."
        for stem in sorted(mask_of.keys() - image_of.keys())
    ]
    named = {part: folder for folder in folders if (part := part_named(folder))}
    if len(named) > 1:
        listed = " and ".join(named.values())
        problems.append(f"{images}: path names several parts: {listed}. Rename one folder.")
        return []
    part = next(iter(named), None)
    group = "/".join(f for f in folders if not part_named(f)) or root.resolve().name
    pairs = []
    for stem, path in sorted(image_of.items()):
        if stem not in mask_of:
            problems.append(
                f"{path}: has no mask {masks / stem}.*. Add it, or move the image elsewhere."
            )
            continue
        try:
            with open_raster(path) as image, open_raster(mask_of[stem]) as mask:
                info, alignment = image.info, align(mask, image)
            info.require_colors()
        except InputError as error:
            problems.append(str(error))
            continue
        pairs.append(Pair(path, mask_of[stem], group, part, info, alignment))
    return pairs


def _by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not _is_image(path):
            continue
        if path.stem in files:
            problems.append(
                f"{path}: {files[path.stem].name} has the same name. Remove one of them."
            )
        else:
            files[path.stem] = path
    return files


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
