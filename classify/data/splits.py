"""Split of images into training, validation and test."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256

from classify.data.images import LabelledImage
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.splits import PARTS, Part


def split_images(
    images: Sequence[LabelledImage],
    val_fraction: float,
    test_fraction: float,
    seed: int,
    val_seed: int | None = None,
) -> dict[Part, list[LabelledImage]]:
    """Splits images into training, validation and test.

    Parts that are fixed by folders or a CSV are kept. Other images are drawn by seed, with the
    given fractions of each class of each collection; images with several labels count for the
    rarest of them. Of the training images of a collection that lacks validation (see
    `find_lacking_validation`), `val_fraction` become validation and none become test. A label gets
    at least one validation image if three or more of the images to be drawn have it. A collection
    of one label an image that is fixed to training changes nothing in the split of others that
    have validation.

    Args:
        images: Images of one or several collections, in any order.
        val_fraction: Share of images for validation, 0 to 1.
        test_fraction: Share of images for the test, 0 to 1.
        seed: Seed of the split; the same seed gives the same split.
        val_seed: Draws validation from what `seed` does not give to the test. By default `seed`
            draws both.

    Returns:
        Images of each part, sorted by path.

    Raises:
        InputError: If no image is left for training, or as `find_lacking_validation` does.
    """
    images = sorted(images, key=lambda image: image.path.as_posix())
    frequency = Counter(label for image in images for label in image.labels)
    lacks_validation = find_lacking_validation(images)
    parts: dict[Part, list[LabelledImage]] = {part: [] for part in PARTS}
    strata: dict[tuple[str, int], list[LabelledImage]] = {}
    for image in images:
        if image.part is None or (image.part == "train" and image.collection in lacks_validation):
            rarest = min(image.labels, key=lambda label: (frequency[label], label), default=-1)
            strata.setdefault((image.collection, rarest), []).append(image)
        else:
            parts[image.part].append(image)
    for (collection, label), stratum in sorted(strata.items()):
        _shuffle(stratum, seed, label)
        val, test = _shares(
            len(stratum), val_fraction, 0 if collection in lacks_validation else test_fraction
        )
        parts["test"] += stratum[val : val + test]
        others = stratum[:val] + stratum[val + test :]
        if val_seed is not None:
            _shuffle(others, val_seed, label)
        parts["val"] += others[:val]
        parts["train"] += others[val:]
    drawn = [image for stratum in strata.values() for image in stratum]
    _complete_validation(parts, drawn, seed if val_seed is None else val_seed)
    if not parts["train"]:
        found_in = ", ".join(part for part in PARTS if parts[part]) or "no part"
        raise InputError(f"No images to train on, only images in {found_in}. Add a folder train.")
    return {
        part: sorted(found, key=lambda image: image.path.as_posix())
        for part, found in parts.items()
    }


def find_lacking_validation(images: Sequence[LabelledImage]) -> set[str]:
    """Finds the collections whose training images validation is drawn from.

    These are the collections whose folders, or CSV, fix training but no validation. One that holds
    training images alone is among them only where no other collection has validation, or can give
    some: beside others it is there to be trained on.

    Args:
        images: Images of all collections.

    Returns:
        Names of collections.

    Raises:
        InputError: If several collections hold training images alone and no other has validation:
            any of them may be meant for training alone.
    """
    fixed: dict[str, set[Part | None]] = {}
    for image in images:
        fixed.setdefault(image.collection, set()).add(image.part)
    lacking = {
        name for name, found in fixed.items() if "train" in found and not found & {"val", None}
    }
    alone = {name for name in lacking if fixed[name] == {"train"}}
    if lacking - alone or any(found & {"val", None} for found in fixed.values()):
        return lacking - alone
    if len(alone) > 1:
        raise InputError(
            f"No images for validation: {', '.join(sorted(alone))} hold train only. Add val to one"
            " of them, or name its class folders, DATA/train, which are then split."
        )
    return lacking


def digest_split(parts: Mapping[Part, Sequence[LabelledImage]]) -> str:
    """Computes a digest that is the same for the same images in the same parts.

    It does not depend on where the folders are.

    Args:
        parts: Images of each part.

    Returns:
        SHA-256 as hexadecimal digits.
    """
    places = sorted(
        (part, image.path.parent.name, image.path.name, image.labels)
        for part in parts
        for image in parts[part]
    )
    return sha256(repr(places).encode(errors="surrogateescape")).hexdigest()


def _shuffle(images: list[LabelledImage], seed: int, label: int) -> None:
    random.Random(f"{seed} {label}").shuffle(images)


def _shares(count: int, val_fraction: float, test_fraction: float) -> tuple[int, int]:
    """Numbers of images of a stratum for validation and test.

    At least one image is for training and, of three or more, at least one for validation.
    """
    val = min(max(round(count * val_fraction), 1 if count >= 3 else 0), count - 1)
    return val, min(round(count * test_fraction), count - 1 - val)


def _complete_validation(
    parts: dict[Part, list[LabelledImage]], drawn: Sequence[LabelledImage], seed: int
) -> None:
    """Moves one training image to validation for each label that small strata left without one."""
    in_train = Counter(label for image in parts["train"] for label in image.labels)
    seen = {label for image in parts["val"] for label in image.labels}
    of_label = Counter(label for image in drawn for label in image.labels)
    movable = set(drawn)
    for label in sorted(of_label):
        if label in seen or of_label[label] < 3:
            continue
        candidates = [
            i
            for i in parts["train"]
            if label in i.labels and i in movable and all(in_train[k] > 1 for k in i.labels)
        ]
        if candidates:
            _shuffle(candidates, seed, label)
            parts["train"].remove(candidates[0])
            parts["val"].append(candidates[0])
            in_train.subtract(candidates[0].labels)
            seen.update(candidates[0].labels)


def check_parts(
    parts: dict[Part, list[LabelledImage]], class_table: ClassTable, multi_label: bool
) -> None:
    """Checks that every class has images in training and in validation.

    Args:
        parts: Images of each part.
        class_table: Class table.
        multi_label: Whether images can have several labels, for the message.

    Raises:
        InputError: If a class is missing from training or validation.
    """
    kind = "label" if multi_label else "class"
    cures: dict[Part, str] = {
        "train": "lower data.val_fraction and data.test_fraction",
        "val": "raise data.val_fraction",
    }
    for part, cure in cures.items():
        present = {
            label
            for image in parts[part]
            if multi_label or len(image.labels) == 1  # no image is of a class that it may be
            for label in image.labels
        }
        missing = [name for index, name in enumerate(class_table.names) if index not in present]
        if missing:
            raise InputError(
                f"{part} has no images of the {kind} {', '.join(missing)}. Add images, try another"
                f" data.split_seed, or {cure}."
            )
