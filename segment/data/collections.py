"""Collections: tile folders with different labels that a model learns from together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.class_mapping import admitted_classes, join_label_sets, wide_classes
from segment.config import Collection, DataSettings, PixelSizes
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.progress import Progress
from segment.core.raster.opening import open_raster
from segment.core.splits import PARTS, Part
from segment.data.ground import Division, class_counter
from segment.data.mask_reading import find_class_table
from segment.data.patches import Patch
from segment.data.splits import divide, split_collection
from segment.data.tiles import Pair, find_pairs, part_folders
from segment.label_sets import LabelSets


@dataclass(frozen=True)
class Labelled:
    """A tile folder, and what its masks mean to the model.

    Attributes:
        name: Name of the collection; empty where there is only one tile folder.
        folder: The tile folder.
        class_table: Its own class table, by which masks are decoded.
        codes: (256,) uint8, from an index of that table to a code of `labels`; 255 is ignored.
        labels: The codes of all collections, with those that this one can hold.
        division: Its patches for training, validation and test.
        gsd: Metres per pixel, the median over the groups, or else of the settings; None where
            unknown.
        weight: Share of the tiles drawn from it, relative to other collections.
        pixel_size: See `AugmentSettings.pixel_size`; None: the same as for all.
        notes: Notes on its folders for the user.
    """

    name: str
    folder: Path
    class_table: ClassTable
    codes: NDArray[np.uint8]
    labels: LabelSets
    division: Division
    gsd: float | None
    weight: float = 1.0
    pixel_size: PixelSizes | None = None
    notes: Sequence[str] = ()

    @property
    def parts(self) -> dict[Part, list[Patch]]:
        """Its patches for training, validation and test."""
        return self.division.parts

    @property
    def pairs(self) -> list[Pair]:
        """Its images and masks, each once."""
        return list(
            dict.fromkeys(patch.pair for part in PARTS for patch in self.parts.get(part, []))
        )


def check_data(tiles: Path | None, settings: DataSettings) -> None:
    """Checks that either a tile folder or collections are given.

    Args:
        tiles: The tile folder, or None.
        settings: Settings that may list collections.

    Raises:
        InputError: If both are given, or neither.
    """
    if tiles is not None and settings.collections:
        raise InputError(
            f"{tiles}: data.collections lists tile folders too. Leave out TILES or"
            " data.collections."
        )
    if tiles is None and not settings.collections:
        raise InputError(
            "No training data given. Name a tile folder, or list several in data.collections."
        )


def open_tiles(
    tiles: Path, settings: DataSettings, seed: int, progress: Progress | None = None
) -> Labelled:
    """Opens a tile folder as the only collection.

    Args:
        tiles: The tile folder.
        settings: Class table, tile size and split.
        seed: Seed of the split.
        progress: Receives the state of reading labels, which some splits depend on.

    Returns:
        The collection, with class indices as codes.

    Raises:
        InputError: If its files do not fit together, or it has no class table.
    """
    pairs = find_pairs(tiles)
    table = ClassTable(settings.classes) if settings.classes else find_class_table(tiles, pairs)
    if table is None:
        raise InputError(f"{tiles}: no class table found. Add classes.yaml, or set data.classes.")
    division = divide(pairs, settings, seed, class_counter(table, settings.tile, progress))
    gsd, codes = ground_sampling_distance(pairs), np.arange(256, dtype=np.uint8)
    notes = [*part_folders(tiles, pairs), *division.notes(table.names)]
    return Labelled("", tiles, table, codes, LabelSets(table.names), division, gsd, notes=notes)


def open_collections(
    settings: DataSettings, seed: int, progress: Progress | None = None
) -> list[Labelled]:
    """Opens the collections that the settings list.

    Args:
        settings: Settings with `collections` and the `classes` of the model.
        seed: Seed of the splits.
        progress: Receives the state of reading labels, which some splits depend on.

    Returns:
        The collections, with codes that are the same in all of them.

    Raises:
        InputError: If one does not fit together, if names repeat or are paths, if an image is in
            two collections, if a class of a table is not assigned to classes of the model, if there
            are too many sets of classes, or if no collection has training or validation tiles.
    """
    assert settings.collections and settings.classes
    names = [name_of(one, settings.root) for one in settings.collections]
    counts = Counter(name.casefold() for name in names)
    for name in names:
        if (count := counts[name.casefold()]) > 1:
            raise InputError(
                f"data.collections: {count} collections are called {name!r}. Give each its own"
                " `name`."
            )
        if name == ".." or Path(name).name != name:  # reports get a folder of that name
            raise InputError(
                f"data.collections: {name!r} is a path, not a name. Set `name` to one without"
                " slashes."
            )
    found = [
        _find(one, name, settings.root)
        for one, name in zip(settings.collections, names, strict=True)
    ]
    _require_apart([pairs for pairs, _ in found])
    target = ClassTable(settings.classes)
    sets = [
        admitted_classes(one, name, own, target)
        for one, name, (_, own) in zip(settings.collections, names, found, strict=True)
    ]
    labels = join_label_sets(sets, target)
    opened = []
    for one, name, (pairs, own), admitted in zip(
        settings.collections, names, found, sets, strict=True
    ):
        codes = np.full(256, IGNORED, np.uint8)
        codes[: len(admitted)] = [labels.code(some) for some in admitted]
        counter = class_counter(own, settings.tile, progress)
        division = split_collection(pairs, one, name, settings, seed, counter)
        gsd, notes = _choose_gsd(pairs, one)
        folder, held = Path(settings.root, one.path), labels.of(codes.tolist())
        notes = [*part_folders(folder, pairs), *notes, *wide_classes(one, target)]
        notes += division.notes(own.names)
        opened.append(
            Labelled(
                name, folder, own, codes, held, division, gsd, one.weight, one.pixel_size, notes
            )
        )
    for part in PARTS[:2]:
        if not any(one.parts[part] for one in opened):
            raise InputError(f"data.collections: no tiles for {part}. Change the split.")
    return opened


def name_of(one: Collection, root: str = "") -> str:
    """Returns the name of a collection in reports and groups.

    Args:
        one: The collection.
        root: Folder that its path starts from.

    Returns:
        The name that it is given, or otherwise the name of its folder.
    """
    return one.name or Path(root, one.path).resolve().name


def _require_apart(collections: Sequence[list[Pair]]) -> None:
    """Checks that no image and mask are in two collections.

    They would be learned in one and scored in the other.
    """
    first: dict[tuple[Path, Path], Pair] = {}
    for pair in (pair for pairs in collections for pair in pairs):
        other = first.setdefault((pair.image.resolve(), pair.mask.resolve()), pair)
        if other.collection != pair.collection:
            raise InputError(
                f"{pair.image}: is in two collections, {other.collection!r} and"
                f" {pair.collection!r}. List each folder once, and none inside another."
            )


def _find(one: Collection, name: str, root: str) -> tuple[list[Pair], ClassTable]:
    """Returns the pairs, with the collection's name in their groups, and its own class table."""
    folder = Path(root, one.path)
    pairs = find_pairs(folder)
    own = ClassTable(one.table) if one.table else find_class_table(folder, pairs)
    if own is None:
        raise InputError(
            f"{folder}: no class table found. Add classes.yaml, or set `table` of the collection."
        )
    whole = folder.resolve().name
    return [
        replace(
            pair, collection=name, group=name if pair.group == whole else f"{name}/{pair.group}"
        )
        for pair in pairs
    ], own


def _choose_gsd(pairs: list[Pair], one: Collection) -> tuple[float | None, list[str]]:
    """Returns metres per pixel of a collection, None where unknown, and notes on it.

    The georeference of its files has priority over the settings.
    """
    of_files = ground_sampling_distance(pairs)
    if of_files is None and one.gsd is None:
        return None, [
            "pixel size unknown, so not in the range that the model learned from. Set its `gsd`."
        ]
    if of_files and one.gsd and not 0.9 < of_files / one.gsd < 1.1:
        return of_files, [
            f"files have {of_files:.3g} m per pixel, `gsd` is {one.gsd:g}: the files' is used"
        ]
    return of_files or one.gsd, []


def ground_sampling_distance(pairs: Iterable[Pair]) -> float | None:
    """Returns the ground sampling distance of images: the median over the groups.

    Each group counts by its first image.

    Args:
        pairs: Images and masks.

    Returns:
        Metres per pixel; None if no image is georeferenced.

    Raises:
        InputError: If an image cannot be opened.
    """
    first = {pair.group: pair.image for pair in reversed(list(pairs))}
    found = []
    for path in first.values():
        with open_raster(path) as raster:
            found.append(raster.ground_sampling_distance)
    known = [distance for distance in found if distance]
    return float(np.median(known)) if known else None
