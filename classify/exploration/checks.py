"""Checks of a collection: problems for a model, and how to fix them."""

from pathlib import Path

import numpy as np

from classify.exploration.summary import ImageSummary, disagree
from segment.core.exploration.checks import (
    band_names,
    like_nodata,
    listed,
    uneven_pixel_sizes,
    unlike_all_others,
)
from segment.core.reports.page import Finding

_FEW, _UNEVEN, _SMALL = 20, 3.0, 64


def find_all(view: ImageSummary) -> list[Finding]:
    """Runs all checks.

    Args:
        view: Results of an exploration.

    Returns:
        What was found; problems that stop a training come first.
    """
    steps = (_unusable, _few, _uneven, _twins, _small, _distances, _kind, _nodata, _outliers)
    return [finding for step in steps for finding in step(view)]


def _unusable(view: ImageSummary) -> list[Finding]:
    problems, images = view.looks.problems, view.collection.images
    if not problems:
        return []
    position, problem = next(iter(problems.items()))
    named = (
        problem
        if str(images[position].path) in problem
        else f"{_name(images[position].path)} {problem}"
    )
    return [
        Finding(
            f"{len(problems):,} of {len(images):,} images cannot be used: {named}",
            "Training refuses them.",
            "Replace or remove them (all are listed below), or leave them out: --set"
            " data.unreadable=skip",
        )
    ]


def _few(view: ImageSummary) -> list[Finding]:
    few = [
        f"{name} ({n})"
        for name, n in zip(view.collection.class_table.names, view.counts, strict=True)
        if n < _FEW
    ]
    if not few:
        return []
    return [
        Finding(
            f"Fewer than {_FEW} images each of {listed(few)}.",
            "A class needs images to learn from, and others to score it: of so few a score says"
            " little.",
            "Add images, join classes with data.label_map, and start from pretrained weights"
            " (model.weights).",
        )
    ]


def _uneven(view: ImageSummary) -> list[Finding]:
    counts, names = view.counts, view.collection.class_table.names
    held = np.flatnonzero(counts)
    if not len(held):
        return []
    most, least = held[counts[held].argmax()], held[counts[held].argmin()]
    ratio = counts[most] / counts[least]
    if ratio < _UNEVEN:
        return []
    return [
        Finding(
            f"Classes are uneven: {names[most]} has {ratio:.1f} times the images of"
            f" {names[least]}.",
            "A model learns to prefer the frequent classes, and accuracy hides it.",
            "Read macro F1; train with --set data.sampling=weighted or --set"
            " loss.class_weights=balanced",
        )
    ]


def _twins(view: ImageSummary) -> list[Finding]:
    disagreeing = [t for t in view.twins if disagree(t)]
    divided = [t for t in view.twins if t.divided and not disagree(t)]
    others = [t for t in view.twins if not t.divided and not disagree(t)]
    found = []
    for some, what, meaning, cure in (
        (
            disagreeing,
            "show the same as one with other labels",
            "One of the two labels is wrong, or the image shows both.",
            "Correct or remove one of each pair; they are shown below.",
        ),
        (
            divided,
            "show the same as one in another part",
            "What is trained on and scored makes the score flatter.",
            "Keep them out of training: --set data.duplicates=drop",
        ),
        (
            others,
            "come twice",
            (
                "A random split puts some into training and some into the test, and what comes"
                " often weighs more."
            ),
            "Remove one of each pair, or keep copies out of training: --set data.duplicates=drop",
        ),
    ):
        if some:
            pair = (
                f"{_name(some[0].second.path)} and"
                f" {_name(some[0].first.path)}{' among them' if len(some) > 1 else ''}"
            )
            found.append(Finding(f"{len(some):,} images {what}: {pair}.", meaning, cure))
    return found


def _small(view: ImageSummary) -> list[Finding]:
    shorter = np.array(
        [min(view.headers[i].width, view.headers[i].height) for i in view.looks.usable]
    )
    if shorter.min() >= _SMALL:
        return []
    small = (
        f"{int((shorter < _SMALL).sum()):,} images are smaller than {_SMALL} px, the smallest"
        f" {shorter.min()} px"
    )
    own = max(32, int(np.median(shorter)))
    if own >= _SMALL:
        names = [_name(view.usable[row].path) for row in np.flatnonzero(shorter < _SMALL)]
        return [
            Finding(
                f"{small}: {listed(names)}.",
                f"Most have {own} px or more. Enlarged to their size, these show less, and may be"
                " thumbnails or cut-offs.",
                "Look at them, and replace or remove what does not belong there.",
            )
        ]
    return [
        Finding(
            f"{small}.",
            "Enlarged to the 224 px that networks see by default, they take longer and show no"
            " more.",
            f"Train near their own size: --set data.resize={own} --set data.size={own}",
        )
    ]


def _distances(view: ImageSummary) -> list[Finding]:
    distances = [gsd for i in view.looks.usable if (gsd := view.headers[i].gsd)]
    return uneven_pixel_sizes(distances, 2.0, "augment.resized_crop=0.3")


def _kind(view: ImageSummary) -> list[Finding]:
    bands, dtype = view.looks.kind
    if (bands, dtype) == (3, "uint8"):
        return []
    return [
        Finding(
            f"Images have {bands} bands of {dtype}.",
            "ImageNet weights were made for three bands of 8 bits. Carried over to others they help"
            " less.",
            "Leave data.normalise=standardise, and compare with a training on red, green and blue"
            " alone (data.bands).",
        )
    ]


def _nodata(view: ImageSummary) -> list[Finding]:
    if view.looks.kind[1] == "uint8":
        return []
    return like_nodata(view.looks.values, band_names(*view.looks.kind))


def _outliers(view: ImageSummary) -> list[Finding]:
    return unlike_all_others([_name(image.path) for image in view.outliers])


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
