"""Tile folders: groups of images and masks, and how they split."""

import os
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.config import DataSettings, Undeclared
from segment.core.errors import InputError
from segment.core.mask import read_mask
from segment.core.palette import IGNORED, Palette, load_palette
from segment.core.parts import PARTS, Part
from segment.core.raster import RasterInfo, read_info
from segment.stitch import tile_starts

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass(frozen=True)
class Pair:
    """An image and its mask. `group` names the scene they come from; `part` is set where folders fix it.

    collection: the name of the tile folder that they are of, where several are learned from.
    """

    image: Path
    mask: Path
    group: str
    part: Part | None
    info: RasterInfo
    collection: str = ""


@dataclass(frozen=True)
class Patch:
    """A square of a pair: its first row and column in the image, which may be smaller than the tile.

    seen_rows, seen_columns: how many of its first rows and columns the patches before it cover already.
    """

    pair: Pair
    row: int
    column: int
    seen_rows: int = 0
    seen_columns: int = 0

    def is_whole(self, tile: int) -> bool:
        """Whether a tile there lies within the image, and no patch before it covers a part of it."""
        within = self.row + tile <= self.pair.info.height and self.column + tile <= self.pair.info.width
        return within and not (self.seen_rows or self.seen_columns)


def find_pairs(root: Path) -> list[Pair]:
    """All image and mask pairs of a tile folder, sorted by group and name; hidden files and folders are passed over.

    Raises InputError when there are none, when a mask has no image or an image no mask,
    or when their sizes, or the bands or depth of images, differ.
    """
    pairs, problems = scan_pairs(root)
    if problems:
        raise InputError(problems[0])
    return pairs


def scan_pairs(root: Path) -> tuple[list[Pair], list[str]]:
    """The pairs of a tile folder that can be used, as `find_pairs` sorts them, and a line for each thing that cannot.

    Raises InputError when there is no such folder, or no images with masks beside them.
    """
    if not root.is_dir():
        raise InputError(f"{root}: must be a tile folder. Received: no such folder. Check the path.")
    pairs: list[Pair] = []
    problems: list[str] = []
    for images in sorted(_image_folders(root)):
        masks = images.with_name("masks")
        if masks.is_dir():
            pairs += _pair_up(root, images, masks, problems)
        else:
            problems.append(f"{images.parent}: `masks` must stand beside `images`. Received: none. Add the masks.")
    if not pairs and not problems:
        raise InputError(f"{root}: must hold `images` and `masks` side by side, with files. Received: none. Check the path.")
    kinds = Counter((pair.info.bands, pair.info.dtype) for pair in pairs)
    alike = []
    for pair in pairs:
        expected = kinds.most_common(1)[0][0]
        if (pair.info.bands, pair.info.dtype) == expected:
            alike.append(pair)
            continue
        problems.append(
            f"{pair.image}: images of a tile folder have the same bands and depth. Received {pair.info.bands} of "
            f"{pair.info.dtype}, but {expected[0]} of {expected[1]} in most. Export them alike."
        )
    return alike, problems


def _image_folders(root: Path) -> Iterator[Path]:
    """All folders named `images`, behind links too, but none that is hidden or within a hidden one."""
    seen: set[str] = set()
    for folder, names, _ in os.walk(root, followlinks=True):
        names[:] = sorted(n for n in names if not n.startswith(".") and os.path.realpath(Path(folder, n)) not in seen)
        seen.update(os.path.realpath(Path(folder, n)) for n in names)
        if "images" in names:
            yield Path(folder, "images")


def _pair_up(root: Path, images: Path, masks: Path, problems: list[str]) -> list[Pair]:
    image_of, mask_of = _by_stem(images, problems), _by_stem(masks, problems)
    problems += [
        f"{mask_of[stem]}: a mask needs its image. Received no {images / stem}.*. Add it, or remove the mask."
        for stem in sorted(mask_of.keys() - image_of.keys())
    ]
    folders = images.parent.relative_to(root).parts
    part = next((p for p in PARTS if p in folders), None)
    group = "/".join(f for f in folders if f not in PARTS) or root.resolve().name
    pairs = []
    for stem, path in sorted(image_of.items()):
        if stem not in mask_of:
            problems.append(f"{path}: an image needs its mask. Received no {masks / stem}.*. Add it, or move the image.")
            continue
        try:
            info, mask = read_info(path), read_info(mask_of[stem])
        except InputError as error:
            problems.append(str(error))
            continue
        if (info.width, info.height) != (mask.width, mask.height):
            problems.append(
                f"{mask_of[stem]}: masks must have the size of their image. Received image {info.width}x{info.height}, "
                f"mask {mask.width}x{mask.height}. Re-export the mask at the image's size."
            )
            continue
        if info.colors == ("palette",):
            problems.append(
                f"{path}: images to learn from hold colours. Received numbers of a palette's colours. "
                "Turn them into colours: gdal_translate -expand rgb IN OUT"
            )
            continue
        pairs.append(Pair(path, mask_of[stem], group, part, info))
    return pairs


def _by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in files:
            problems.append(f"{path}: one file a name. Received {files[path.stem].name} too. Remove one.")
        else:
            files[path.stem] = path
    return files


def find_palette(root: Path, pairs: Sequence[Pair]) -> Palette | None:
    """The class table beside the data: `classes.yaml` in the root, or the same one in the groups; None without.

    Raises InputError when they do not agree. One without values agrees with one that has the same classes and gives values.
    """
    folders = [root, *dict.fromkeys(p.image.parent.parent for p in pairs)]
    files = [f / "classes.yaml" for f in folders if (f / "classes.yaml").is_file()]
    palettes = [load_palette(f) for f in files]
    # where some say which values masks hold, those that give none leave it to them
    first = next((i for i, palette in enumerate(palettes) if not palette.positional), 0)
    for file, palette in zip(files, palettes, strict=True):
        agrees = palette.decodes_as(palettes[first]) or (palette.positional and _names(palette) == _names(palettes[first]))
        if not agrees:
            raise InputError(f"{file}: the groups' class tables must agree. Received another than {files[first]}. Change one.")
    return palettes[first] if palettes else None


def _names(palette: Palette) -> list[tuple[str, str, bool]]:
    return [(c.name, c.color, c.ignore) for c in palette.table]


def grid_patches(pairs: Sequence[Pair], tile: int) -> list[Patch]:
    """The patches that cover each image side by side; the last row and column shift inward."""
    patches = []
    for pair in pairs:
        rows = tile_starts(max(pair.info.height, tile), tile, tile)
        columns = tile_starts(max(pair.info.width, tile), tile, tile)
        # the last tile shifted inward: it is the only one that does not start at a multiple of the tile
        patches += [Patch(pair, row, column, -row % tile, -column % tile) for row in rows for column in columns]
    return patches


def split_patches(pairs: Sequence[Pair], settings: DataSettings, seed: int) -> dict[Part, list[Patch]]:
    """Patches for training, validation and test.

    Folders named train, val and test win, then `val_groups` and `test_groups`; what remains is drawn by seed:
    whole groups (default), or single patches, whose neighbours then leak from training into validation.

    Raises InputError when a named group does not exist or a part that is needed stays empty.
    """
    groups = sorted({p.group for p in pairs})
    for name in [*settings.val_groups, *settings.test_groups]:
        if name not in groups:
            raise InputError(f"Groups must exist. Received {name!r}. There are: {', '.join(groups)}.")
    named: dict[str, Part] = {}
    named.update(dict.fromkeys(settings.val_groups, "val"))
    named.update(dict.fromkeys(settings.test_groups, "test"))
    fixed = [replace(p, part=p.part or named.get(p.group)) for p in pairs]
    if settings.split == "run" and settings.val_fraction and not any(p.part == "val" for p in fixed):
        fixed = _with_runs(fixed, settings.val_fraction, seed)
    needs_validation = settings.val_fraction > 0 and not any(p.part == "val" for p in fixed)
    free = sorted({p.group for p in fixed if p.part in (None, "train")})
    drawn: set[str] = set()
    if needs_validation and settings.split == "group":
        if len(free) < 2:
            raise InputError(
                f"Splitting by group needs two groups or more. Received {len(free)} ({', '.join(free)}). "
                "Add scenes as further groups, or set data.split=patch (whose neighbours leak)."
            )
        count = min(max(1, round(len(free) * settings.val_fraction)), len(free) - 1)
        drawn = set(random.Random(seed).sample(free, count))
    parts: dict[Part, list[Patch]] = {part: [] for part in PARTS}
    for patch in grid_patches(fixed, settings.tile):
        part = patch.pair.part or "train"
        parts["val" if part == "train" and patch.pair.group in drawn else part].append(patch)
    if needs_validation and settings.split == "patch":
        random.Random(seed).shuffle(parts["train"])
        count = max(1, round(len(parts["train"]) * settings.val_fraction))
        parts["val"], parts["train"] = parts["train"][:count], parts["train"][count:]
    for part in PARTS[:2] if settings.val_fraction else PARTS[:1]:
        if not parts[part]:
            raise InputError(f"Training and validation need tiles each. Received none for {part}. Change the split.")
    return parts


def _with_runs(pairs: Sequence[Pair], fraction: float, seed: int) -> list[Pair]:
    """The pairs, of which runs of neighbours, in the natural order of their names, are for validation.

    Neighbouring numbers are often neighbouring ground: drawn singly, they would leak into training. A group gives one run for
    each eight images of validation, four at most, at even distances, from a place drawn by seed.
    """
    runs: set[Path] = set()
    random_places = random.Random(seed)
    for group in sorted({p.group for p in pairs}):
        members = [p for p in pairs if p.group == group and p.part in (None, "train")]
        members.sort(key=lambda p: [int(t) if t.isdigit() else t for t in re.split(r"([0-9]+)", p.image.stem)])
        if len(members) < 2:
            continue
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        pieces = max(1, min(4, count // 8))
        start = random_places.randrange(len(members))
        for piece in range(pieces):
            first = start + piece * len(members) // pieces
            length = count * (piece + 1) // pieces - count * piece // pieces
            runs.update(members[(first + i) % len(members)].image for i in range(length))
    return [replace(p, part="val") if p.image in runs else p for p in pairs]


def leaks(parts: dict[Part, list[Patch]]) -> list[str]:
    """Groups that stand both in training and in validation or test: their scores flatter."""
    groups = {part: {p.pair.group for p in patches} for part, patches in parts.items()}
    return sorted(groups["train"] & (groups["val"] | groups["test"]))


def pad_tile(image: NDArray[Any], mask: NDArray[np.uint8], tile: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Fills up an image and mask smaller than a tile: the image by reflection, the mask with 255 (ignored)."""
    missing = ((0, tile - mask.shape[0]), (0, tile - mask.shape[1]))
    if missing == ((0, 0), (0, 0)):
        return image, mask
    return fill_up(image, tile), np.pad(mask, missing, constant_values=IGNORED)


def fill_up(pixels: NDArray[Any], tile: int) -> NDArray[Any]:
    """Pixels (rows, columns, ...) that are fewer than those of a tile, continued by reflection."""
    missing = [(0, tile - length) for length in pixels.shape[:2]] + [(0, 0)] * (pixels.ndim - 2)
    return np.pad(pixels, missing, "reflect") if any(behind for _, behind in missing) else pixels


def decode_mask(
    path: Path, palette: Palette, undeclared: Undeclared = "ignore", names: Sequence[str] | None = None
) -> tuple[NDArray[np.uint8], Counter[str]]:
    """A mask file as class indices (rows, columns) uint8, 255 ignored, and a count of undeclared values.

    names: classes to count the indices by, if not the palette's (see `Palette.decode`).
    Raises InputError when it cannot be read (see `read_mask`), or `undeclared` is "refuse" and there are any.
    """
    indices, unknown = palette.decode(read_mask(path), names)
    if unknown and undeclared == "refuse":
        listed = ", ".join(f"{name} ({count} px)" for name, count in unknown.most_common(3))
        raise InputError(f"{path}: masks hold declared colours only. Received {listed}. Declare them, or ignore them.")
    return indices, unknown
