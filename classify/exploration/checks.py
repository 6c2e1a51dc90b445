"""Checks of labelled images, in the order of their findings: first those that stop a training."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from classify.exploration.summary import ImageSummary
from segment.core.exploration.checks import (
    NODATA,
    OUTLIERS,
    Check,
    Values,
    check_distances,
    copies,
    listed,
    problems,
    uneven_classes,
)

_FEW, _UNEVEN, _SMALL = 20, 3.0, 64


def _few_images(data: ImageSummary) -> Iterator[Values]:
    counts = zip(data.class_table.names, data.class_counts, strict=True)
    if few := [f"{name} ({count})" for name, count in counts if count < _FEW]:
        yield {"least": _FEW, "classes": listed(few)}


def _small_images(data: ImageSummary, usual: bool) -> Iterator[Values]:
    """Finds small images, where images are usually as small, or where they are not."""
    edges = np.array([min(image.width, image.height) for image in data.images])
    small, own = edges < _SMALL, max(32, int(np.median(edges)))
    if small.any() and usual == (own < _SMALL):
        names = [data.images[row].name for row in np.flatnonzero(small)]
        yield {
            "count": small.sum(),
            "limit": _SMALL,
            "smallest": edges.min(),
            "own": own,
            "names": listed(names),
        }


def _unusual_pixels(data: ImageSummary) -> Iterator[Values]:
    if (data.bands, data.dtype) != (3, "uint8"):
        yield {"bands": data.bands, "dtype": data.dtype}


CHECKS: tuple[Check[ImageSummary], ...] = (
    Check(
        problems,
        "Images that cannot be used: {count:,}. {first}{more}",
        "Training refuses them.",
        "Replace or remove them, or skip them: --set data.unreadable=skip",
    ),
    Check(
        _few_images,
        "Fewer than {least} images each of {classes}.",
        "A class needs images to learn from and others to be scored on. Scores from so few are"
        " uncertain.",
        "Add images, join classes with data.label_map, and start from pretrained weights"
        " (model.weights).",
    ),
    Check(
        partial(uneven_classes, accepted=_UNEVEN),
        "Classes are uneven: {most} has {times:.3g} times the images of {least}.",
        "A model learns to prefer the frequent classes, and accuracy hides it.",
        "Compare macro F1; train with --set data.sampling=weighted or --set"
        " loss.class_weights=balanced",
    ),
    Check(
        partial(copies, labels=(False,), parts=(True, False)),
        "Duplicate images with other labels: {count:,}, such as {example}.",
        "One of the two labels is wrong, or the image shows both.",
        "Correct or remove one of each pair; they are shown below.",
    ),
    Check(
        partial(copies, labels=(True,), parts=(False,)),
        "Duplicate images in another part: {count:,}, such as {example}.",
        "If one is learned and the other scored, scores are too high.",
        "Keep them out of training: --set data.duplicates=drop",
    ),
    Check(
        partial(copies, labels=(True,), parts=(True,)),
        "Duplicate images with the same labels: {count:,}, such as {example}.",
        "A random split puts some into training and others into the test, and duplicates have more"
        " weight.",
        "Remove one of each pair, or keep duplicates out of training: --set data.duplicates=drop",
    ),
    Check(
        partial(_small_images, usual=True),
        "Images smaller than {limit} px: {count:,}, the smallest {smallest} px.",
        "Enlarged to the 224 px that networks take by default, they need more time and show no"
        " more.",
        "Train near their own size: --set data.resize={own} --set data.size={own}",
    ),
    Check(
        partial(_small_images, usual=False),
        "Images smaller than {limit} px: {count:,}, the smallest {smallest} px. {names}.",
        "Most have {own} px or more. Enlarged to that size, these show less, and may be thumbnails"
        " or fragments.",
        "Check them, and replace or remove those that do not belong there.",
    ),
    check_distances(2.0, "augment.resized_crop=0.3"),
    Check(
        _unusual_pixels,
        "Images have {bands} bands of {dtype}.",
        "ImageNet weights were made for three bands of 8 bits. They help less with other images.",
        "Keep data.normalise=standardise, and compare with a training on red, green and blue alone"
        " (data.bands).",
    ),
    NODATA,
    OUTLIERS,
)
