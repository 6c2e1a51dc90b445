"""Collections: data folders with different labels that are learned from together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from classify.collection_settings import ImageCollection
from classify.config import DataSettings, ImageSettings
from classify.data.class_folders import folder_notes
from classify.data.images import Collection, LabelledImage, find_images, gather_entries
from classify.data.splits import digest_split, split_images
from classify.label_sets import admitted_classes
from segment.core.errors import InputError, counted
from segment.core.labels.classes import ClassTable
from segment.core.splits import PARTS, Part


def find_training_images(data: Sequence[Path], settings: ImageSettings, seed: int) -> Collection:
    """Finds the images to train on: of data folders, or of the collections of the settings.

    Args:
        data: Data folders or CSVs; none where the settings list collections.
        settings: Class table, label map and collections.
        seed: Seed of the split of collections.

    Returns:
        The images, with notes on folders.

    Raises:
        InputError: If there are both folders and collections, or as in `find_images` and
            `open_collections`.
    """
    folders = list(data)
    if isinstance(settings, DataSettings) and settings.collections:
        if data:
            raise InputError(
                f"{data[0]}: data.collections lists data folders too. Leave out DATA or"
                " data.collections."
            )
        found = open_collections(settings, seed)
        folders = [Path(settings.root, one.path) for one in settings.collections]
    else:
        found = find_images(data, settings)
    notes = [note for folder in folders for note in folder_notes(folder)]
    return replace(found, notes=[*notes, *found.notes])


def open_collections(settings: DataSettings, seed: int) -> Collection:
    """Finds the images of the collections that the settings list.

    Each is split by itself, as if it were trained on alone: its test images are the same in every
    training with that seed and these shares.

    Args:
        settings: Settings with `collections` and the `classes` of the model.
        seed: Seed of the split.

    Returns:
        Images whose labels are the classes that each may be, with the parts that they are drawn to,
        and notes on those of no class, which are left out.

    Raises:
        InputError: If a collection is no folder of class folders, two have the same name, or a
            label or class does not exist.
    """
    assert settings.collections and settings.classes
    table = ClassTable(settings.classes)
    names = [name_of(one, settings.root) for one in settings.collections]
    repeated = [name for name, count in Counter(n.casefold() for n in names).items() if count > 1]
    if repeated:
        raise InputError(
            f"data.collections: {repeated[0]!r} is the name of several. Give each its own `name`."
        )
    images: list[LabelledImage] = []
    joined = Collection(table, images, multi_label=False)
    paths: dict[Path, str] = {}
    for one, name in zip(settings.collections, names, strict=True):
        own, found = read_collection(Path(settings.root, one.path), name)
        for image in found:
            other = paths.setdefault(image.path.resolve(), name)
            if other != name:
                raise InputError(
                    f"{image.path}: is in two collections, {other!r} and {name!r}. List each folder"
                    " once, and none inside another."
                )
        label_map = admitted_classes(name, one.classes, own, table.names)
        parts = split_collection(found, settings, seed)
        joined.label_maps[name], joined.digests[name] = label_map, digest_split(parts)
        drawn = [replace(image, part=part) for part in PARTS for image in parts[part]]
        images += with_classes(drawn, own, label_map, table.names)
        joined.notes.extend(notes_of_no_class(name, found, own, label_map))
    return joined


def name_of(one: ImageCollection, root: str = "") -> str:
    """Returns the name of a collection in reports.

    Args:
        one: The collection.
        root: Folder that its path starts from.

    Returns:
        The name that it is given, else that of its folder.
    """
    return one.name or Path(root, one.path).resolve().name


def read_collection(folder: Path, name: str | None = None) -> tuple[list[str], list[LabelledImage]]:
    """Finds the images of a data folder, by the labels of its class folders.

    Args:
        folder: The data folder.
        name: Name of the collection; that of the folder by default.

    Returns:
        Names of the labels in alphabetical order, and images, whose labels are positions in these.

    Raises:
        InputError: If it is no folder with class folders, or one of these is empty.
    """
    found, empty, listed = gather_entries([folder])
    if listed:
        raise InputError(
            f"{folder}: has labels.csv, collections have a folder for each class. Sort the images"
            " into class folders."
        )
    if empty:
        raise InputError(f"{empty[0]}: class folder has no images. Remove it.")
    # as `color_classes` orders and spells them
    spellings = {
        label.casefold(): label
        for label in sorted({entry.labels[0] for _, entry in found}, reverse=True)
    }
    order = sorted(spellings)
    images = [
        LabelledImage(
            entry.path, (order.index(entry.labels[0].casefold()),), entry.part, name or own
        )
        for own, entry in found
    ]
    return [spellings[key] for key in order], images


def split_collection(
    images: Sequence[LabelledImage], settings: ImageSettings, seed: int
) -> dict[Part, list[LabelledImage]]:
    """Splits the images of a collection by themselves.

    Args:
        images: Images, with the collection's own labels.
        settings: Shares of validation and test.
        seed: Seed of the split.

    Returns:
        Images of each part.

    Raises:
        InputError: As in `split_images`.
    """
    return split_images(
        images, settings.val_fraction, settings.test_fraction, seed, settings.val_seed
    )


def notes_of_no_class(
    name: str,
    images: Sequence[LabelledImage],
    labels: Sequence[str],
    label_map: Mapping[str, Sequence[str]],
) -> list[str]:
    """Reports the images of a collection that `with_classes` leaves out.

    Args:
        name: Name of the collection.
        images: Images; their labels are positions in `labels`.
        labels: The collection's own labels.
        label_map: Classes of the model by label.

    Returns:
        A line for each label of no class.
    """
    counts = Counter(labels[image.labels[0]] for image in images)
    return [
        f"{name}: {label}: {counted(counts[label], 'image')} of no class, left out"
        for label in labels
        if counts[label] and not label_map[label]
    ]


def with_classes(
    images: Sequence[LabelledImage],
    labels: Sequence[str],
    label_map: Mapping[str, Sequence[str]],
    names: Sequence[str],
) -> list[LabelledImage]:
    """Gives images the classes that they may be, in place of a collection's own labels.

    Args:
        images: Images; their labels are positions in `labels`.
        labels: The collection's own labels.
        label_map: Classes of the model by label.
        names: Classes of the model.

    Returns:
        Images, without those of no class.
    """
    sets = [tuple(sorted(names.index(name) for name in label_map[label])) for label in labels]
    return [
        replace(image, labels=sets[image.labels[0]]) for image in images if sets[image.labels[0]]
    ]
