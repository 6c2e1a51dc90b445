"""Collections: tile folders or scenes with different labels that are learned from together."""

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.class_mapping import admitted_classes, join_label_sets, wide_classes
from segment.collection_settings import Collection, PixelSizes
from segment.config import DataSettings
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.progress import Progress
from segment.core.raster.sources import SUFFIXES
from segment.core.splits import PARTS, Part
from segment.data.division import Division, class_counter, labelled_windows
from segment.data.masks.reading import find_class_table
from segment.data.pairs.find_scenes import FoundImages, find_scenes
from segment.data.pairs.pair import Pair
from segment.data.pairs.pixel_sizes import choose_gsd, ground_sampling_distance
from segment.data.patches import Patch
from segment.data.splits import divide, split_collection
from segment.data.tiles import find_pairs, part_folders
from segment.label_sets import LabelSets
from segment.label_settings import SceneSettings


@dataclass(frozen=True)
class Labelled:
    """A tile folder or scenes, and what their masks mean to the model.

    Attributes:
        name: Name of the collection; empty where there is only one tile folder.
        folder: The tile folder, or the scenes.
        class_table: Its own class table, by which masks are decoded.
        codes: (256,) uint8, from an index of that table to a code of `labels`; 255 is ignored.
        labels: The codes of all collections, with those that this one can hold.
        division: Its patches for training, validation and test.
        gsd: Metres per pixel: median over the groups, or of the settings; None where unknown.
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
    def of_scenes(self) -> bool:
        """Whether its images are scenes, which are read by windows."""
        return any(pair.scene for pair in self.pairs)

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
    """Opens a tile folder, or scenes, as the only collection.

    Args:
        tiles: The tile folder; a scene, or several, where the settings name their labels.
        settings: Class table, tile size, split and labels of scenes.
        seed: Seed of the split.
        progress: Receives the state of reading labels, which some splits depend on.

    Returns:
        The collection, with class indices as codes.

    Raises:
        InputError: If its files do not fit together, or it has no class table.
    """
    table = ClassTable(settings.classes) if settings.classes else None
    found = _read_headers(tiles, settings, settings.root, table, "data.classes")
    pairs, table = found.pairs, found.class_table
    count = class_counter(table, settings.tile, progress)
    division = divide(pairs, settings, seed, count)
    if settings.labels:
        division = labelled_windows(division, count, settings.min_labelled, settings.tile)
    gsd, codes = ground_sampling_distance(pairs), np.arange(256, dtype=np.uint8)
    notes = [*found.notes, *division.notes(table.names)]
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
    _require_apart([one.pairs for one in found])
    target = ClassTable(settings.classes)
    sets = [
        admitted_classes(one, name, own.class_table, target)
        for one, name, own in zip(settings.collections, names, found, strict=True)
    ]
    labels = join_label_sets(sets, target)
    opened = []
    for one, name, of_files, admitted in zip(settings.collections, names, found, sets, strict=True):
        pairs, own = of_files.pairs, of_files.class_table
        codes = np.full(256, IGNORED, np.uint8)
        codes[: len(admitted)] = [labels.code(some) for some in admitted]
        counter = class_counter(own, settings.tile, progress)
        division = split_collection(pairs, one, name, settings, seed, counter)
        if one.labels:
            division = labelled_windows(division, counter, one.min_labelled, settings.tile)
        gsd, notes = choose_gsd(pairs, one.gsd)
        folder, held = Path(settings.root, one.path), labels.of(codes.tolist())
        notes = [*of_files.notes, *notes, *wide_classes(one, target), *division.notes(own.names)]
        found_in = name, folder, own, codes, held, division, gsd
        opened.append(Labelled(*found_in, one.weight, one.pixel_size, notes))
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
        The name that it is given, or otherwise that of its folder or its scene.
    """
    return one.name or _own_name(one, root)


def _own_name(one: Collection, root: str) -> str:
    path = Path(root, one.path)
    path = (path.parent if one.labels and glob.has_magic(path.name) else path).resolve()
    return path.stem if one.labels and path.suffix.lower() in SUFFIXES else path.name


def _require_apart(collections: Sequence[list[Pair]]) -> None:
    """Checks that no image and mask are in two collections.

    They would be learned in one and scored in the other.
    """
    first: dict[tuple[Path, Path], Pair] = {}
    for pair in (pair for pairs in collections for pair in pairs):
        labels = pair.image if pair.scene else pair.mask  # of a scene, all are in one collection
        other = first.setdefault((pair.image.resolve(), labels.resolve()), pair)
        if other.collection != pair.collection:
            raise InputError(
                f"{pair.image}: is in two collections, {other.collection!r} and"
                f" {pair.collection!r}. List each folder once, and none inside another."
            )


def _find(one: Collection, name: str, root: str) -> FoundImages:
    """Finds the images of a collection, with its name in their groups."""
    table = ClassTable(one.table) if one.table else None
    found = _read_headers(Path(root, one.path), one, root, table, "`table` of the collection")
    whole = _own_name(one, root)
    pairs = [
        replace(
            pair, collection=name, group=name if pair.group == whole else f"{name}/{pair.group}"
        )
        for pair in found.pairs
    ]
    return replace(found, pairs=pairs)


def _read_headers(
    path: Path, settings: SceneSettings, root: str, table: ClassTable | None, option: str
) -> FoundImages:
    """Finds the tiles of a folder, or scenes, and the class table of their masks."""
    if settings.labels:
        return find_scenes(path, settings, root, table, option)
    pairs = find_pairs(path)
    table = table or find_class_table(path, pairs)
    if table is None:
        raise InputError(f"{path}: no class table found. Add classes.yaml, or set {option}.")
    return FoundImages(pairs, table, part_folders(path, pairs))
