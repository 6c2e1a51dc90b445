"""Labelled images that a model is scored on, or quantised with, and their labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from classify.config import ImageSettings
from classify.data.collections import (
    notes_of_no_class,
    read_collection,
    split_collection,
    with_classes,
)
from classify.data.images import LabelledImage, collection_name, find_images
from classify.data.splits import digest_split
from classify.label_sets import LabelView
from classify.labelling.inference import label_info
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.splits import PARTS, Part, PartChoice


@dataclass(frozen=True)
class ScoredImages:
    """Images that a model is scored on.

    Attributes:
        images: The images. Their labels are classes of the model; several where any is right.
        views: Collections whose own labels they have.
        notes: Remarks on labels that are joined, and on images that are left out.
    """

    images: list[LabelledImage]
    views: list[LabelView]
    notes: list[str]


def find_scored(data: Sequence[Path], info: ModelInfo, part: PartChoice = "all") -> ScoredImages:
    """Finds the images of data folders, labelled with the classes of a model.

    Folders of other names are read by the label map of the collection of the training that has
    them all.

    Args:
        data: Data folders or CSVs.
        info: Description of the model.
        part: Part of the data.

    Returns:
        The images of the part.

    Raises:
        InputError: If the part has no images, if the model gives one label per image and the data
            have several (or the other way round), or if the part must be drawn but the data are not
            the images of the training.
    """
    images: list[LabelledImage] = []
    views: dict[str, LabelView] = {}
    others: list[Path] = []
    notes: list[str] = []
    for folder in data:
        if (view := _view_of(folder, info)) is None:
            others.append(folder)
        else:
            views[view.collection] = view
            images += _of_collection(folder, info, part, view, notes)
    if others or not data:
        # of no collection, even if the folder is called as one is
        images += [
            replace(image, collection="") if image.collection in views else image
            for image in _of_classes(others, info, part, notes)
        ]
    counts = Counter(image.path.resolve() for image in images)
    if repeated := [path for path, count in counts.items() if count > 1]:
        raise InputError(f"{repeated[0]}: is in two of the folders. Name each folder once.")
    if not images:
        raise InputError(
            f"{data[0]}: no images in {part}. Choose another part of {', '.join(PARTS)}."
        )
    return ScoredImages(images, list(views.values()), notes)


def _view_of(folder: Path, info: ModelInfo) -> LabelView | None:
    """The collection that has the class folders of a data folder; None for the model's classes."""
    maps, names = label_info(info).label_maps, info.class_table.names
    if not maps or not folder.is_dir() or (folder / "labels.csv").is_file():
        return None
    found = {label.casefold() for label in read_collection(folder)[0]}
    known = {one: {label.casefold() for label in label_map} for one, label_map in maps.items()}
    having = sorted(
        (one for one in known if found <= known[one]),
        key=lambda one: one != collection_name(folder),
    )
    if found <= {name.casefold() for name in names}:  # of the model, unless it is a collection
        having = [
            one for one in having[:1] if (one, found) == (collection_name(folder), known[one])
        ]
    return LabelView.of(having[0], maps[having[0]], names) if having else None


def _of_collection(
    folder: Path, info: ModelInfo, part: PartChoice, view: LabelView, notes: list[str]
) -> list[LabelledImage]:
    own, images = read_collection(folder, view.collection)
    if part != "all":
        settings, seed = _split_settings(info)
        parts = split_collection(images, settings, seed)
        known = info.training.get("split", {}).get(view.collection)
        if _is_drawn(parts, part, images) and digest_split(parts) != known:
            raise _other_images(folder, info)
        images = parts[part]
    known_labels = {key.casefold(): classes for key, classes in view.label_map.items()}
    label_map = {label: known_labels[label.casefold()] for label in own}
    notes += notes_of_no_class(view.collection, images, own, label_map)
    return with_classes(images, own, label_map, info.class_table.names)


def _split_settings(info: ModelInfo) -> tuple[ImageSettings, int]:
    """Settings of images of a training as far as they are needed to split them, and the seed."""
    training = info.training.get("settings", {})
    data = training.get("data", {})
    keys = ("label_map", "val_fraction", "test_fraction", "val_seed")
    settings = ImageSettings(
        classes=info.classes, **{key: data[key] for key in keys if key in data}
    )
    own = data.get("split_seed")
    return settings, training.get("training", {}).get("seed", 0) if own is None else own


def _is_drawn(
    parts: Mapping[Part, Sequence[LabelledImage]], part: Part, images: Sequence[LabelledImage]
) -> bool:
    """Whether a part is other than folders or CSVs fix it: validation is drawn from training."""
    return {image.path for image in parts[part]} != {i.path for i in images if i.part == part}


def _other_images(folder: Path, info: ModelInfo) -> InputError:
    known = ", ".join(info.training.get("data", [])) or "unknown"
    return InputError(
        f"{folder}: not the images that training drew its parts from, those of {known}. Restore"
        " them, name all of the folders, or score what there is: --part all"
    )


def _of_classes(
    data: Sequence[Path], info: ModelInfo, part: PartChoice, notes: list[str]
) -> list[LabelledImage]:
    labels, (settings, seed) = label_info(info), _split_settings(info)
    found = find_images(data, settings, complete=False)
    notes += found.notes
    if found.multi_label != labels.multi_label:
        kinds = ("several labels an image, from a CSV", "one label an image, from class folders")
        expected, received = kinds if labels.multi_label else kinds[::-1]
        raise InputError(
            f"{data[0]}: {received}, but the model learned {expected}. Lay the data out so."
        )
    images = found.images
    if part != "all":
        parts = split_collection(images, settings, seed)
        known = info.training.get("split")
        if _is_drawn(parts, part, images) and digest_split(parts) != known:
            raise _other_images(data[0], info)
        images = parts[part]
    return images


def learned_images(data: Sequence[Path], info: ModelInfo) -> set[Path]:
    """Finds the images that a model was trained on.

    Args:
        data: Data folders or CSVs.
        info: Description of the model.

    Returns:
        Their paths; empty if the training drew its parts from other images.
    """
    try:
        return {image.path for image in find_scored(data, info, "train").images}
    except InputError:
        return set()
