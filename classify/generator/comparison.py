"""Comparison of drawn pictures with real images: which ones, and the Frechet distance between."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from classify.data.images import Data, LabelledImage, data_folders
from classify.data.training_data import TrainingData
from classify.generator.config import GeneratorConfig
from classify.label_sets import LabelView
from classify.labelling.inference import label_info
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.progress import Progress
from segment.core.reports.page import REPORT_FILE

FEWEST = 50
"""Fewest images of a set for a meaningful distance.

Measured on RSSCN7 at 64 px with a ResNet-50 of its seven classes: the distance between two sets of
real images is 24 ± 2 with 50 images (six draws), 46 ± 7 with 16 and 79 ± 17 with 8. For noise it is
about 180 throughout.
"""
_MOST = 10_000  # most real images to compare with; their features take some hundred megabytes


def find_training_data(
    run: Path, data: Data | None, config: GeneratorConfig, info: ModelInfo, progress: Progress
) -> TrainingData:
    """Finds the images that a generator was trained on.

    Args:
        run: Run folder of the generator.
        data: Where the images are now. By default where they were in training.
        config: Settings of the training.
        info: Description of the generator.
        progress: Where progress is reported.

    Returns:
        The training data.

    Raises:
        InputError: If the images are not found or are not the same, or report.json does not name
            their folders.
    """
    folders = data_folders(_known_folders(run / REPORT_FILE) if data is None else data)
    for folder in folders:
        if not folder.exists():
            raise InputError(
                f"{folder}: not found. Give the folder of the generator's training images: --data"
                " FOLDER."
            )
    found = TrainingData.prepare(
        folders, config.data, PreprocessSettings(), config.training, progress
    )
    if found.split_digest != info.training.get("split"):
        raise InputError(
            f"{folders[0]}: these are not the images that the generator was trained on. Restore"
            " them, or give their folder: --data FOLDER."
        )
    return found


def _known_folders(report: Path) -> list[str]:
    try:
        found = json.loads(report.read_text(encoding="utf-8"))["data"]
        folders = TypeAdapter(list[str]).validate_python(found, strict=True)
    except (OSError, ValueError, KeyError, TypeError):
        folders = []
    if not folders:
        raise InputError(
            f"{report}: does not name the folders of the training images. Give them: --data FOLDER."
        )
    return folders


def find_labels(
    classifier: ModelInfo, generator: ModelInfo, folder: Path
) -> tuple[LabelView, list[int]]:
    """Finds the labels of a classifier by which a generator's pictures are named.

    They are its classes or, with a classifier of several collections, the labels of one of these.

    Args:
        classifier: Description of the classifier.
        generator: Description of the generator.
        folder: Model folder of the classifier, for messages.

    Returns:
        The labels, and the index of each class of the generator among them.

    Raises:
        InputError: If the classifier takes other pixels, gives several labels, or has no labels of
            the generator's classes.
    """
    labels = label_info(classifier)
    if labels.multi_label:
        raise InputError(
            f"{folder}: the model gives several labels per image. Use a classifier of one."
        )
    seen, drawn = (
        f"{info.bands} bands of {info.dtype} with red, green and blue at {label_info(info).rgb}"
        for info in (classifier, generator)
    )
    if seen != drawn:
        raise InputError(
            f"{folder}: the classifier takes {seen}, the generator draws {drawn}. Use another"
            " classifier."
        )
    names = classifier.class_table.names
    own, drawn_names = {name: [name] for name in names}, generator.class_table.names
    for collection, label_map in (("", own), *labels.label_maps.items()):
        admitted = {label.casefold(): some for label, some in label_map.items() if some}
        view = LabelView.of(collection, label_map, names)
        if not view.overlaps and all(name.casefold() in admitted for name in drawn_names):
            return view, [view.position(admitted[name.casefold()], names) for name in drawn_names]
    missing = [name for name in drawn_names if name.casefold() not in map(str.casefold, own)]
    raise InputError(
        f"{folder}: the classifier knows {', '.join(names)}, but not"
        f" {', '.join(missing)}. Use a classifier of the generator's classes."
    )


def choose_real(
    data: TrainingData, count: int | None
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Chooses images the generator did not learn from, and as many of each class that it did.

    The share of each class is that of the images that were not learned from. Images of a class are
    spread evenly over all of them.

    Args:
        data: Training data of the generator.
        count: Number of images of each of the two kinds. By default as many as there are, at most
            10,000.

    Returns:
        Images that were not learned from, in the order of their classes, and images that were, in
        the same order.

    Raises:
        InputError: If there are not as many images.
    """
    held, learned = data.parts["val"] + data.parts["test"], data.parts["train"]
    pairs = np.minimum(
        *(_count_classes(images, len(data.class_table)) for images in (held, learned))
    )
    most = min(int(pairs.sum()), _MOST)
    wanted = most if count is None else count
    if not 1 <= wanted <= most:
        raise InputError(f"count: {wanted}, but there are {most} real images. Give 1 to {most}.")
    labels = np.repeat(np.arange(len(pairs)), pairs)[_spread(pairs.sum(), wanted)]
    counts = np.bincount(labels, minlength=len(pairs))
    return _choose(held, counts), _choose(learned, counts)


def _count_classes(images: Sequence[LabelledImage], classes: int) -> NDArray[np.intp]:
    return np.bincount([image.labels[0] for image in images], minlength=classes)


def _choose(images: Sequence[LabelledImage], counts: NDArray[np.intp]) -> list[LabelledImage]:
    """So many images of each class, evenly spread over all of them in the order of their paths."""
    chosen = []
    for label, count in enumerate(counts):
        found = sorted((i for i in images if i.labels[0] == label), key=lambda image: image.path)
        chosen += [found[index] for index in _spread(len(found), count)]
    return chosen


def _spread(length: int, count: int) -> NDArray[np.intp]:
    """So many indices of a sequence, evenly spread from the first to the last."""
    return np.linspace(0, length - 1, count).astype(np.intp)


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Computes the (squared) Frechet distance between two sets of features.

    The sets are taken as Gaussians with their means and covariances. A small number of images makes
    the distance larger, so compare only distances between sets of the same sizes. Time and memory
    grow with the number of images. Time also grows with the cube, and memory with the square, of
    the number of images or features, whichever is smaller.

    Sources: Dowson and Landau (1982), "The Fréchet distance between multivariate normal
    distributions"; for features of a classifier, Heusel et al. (2017), "GANs trained by a two
    time-scale update rule converge to a local Nash equilibrium".

    Args:
        first: Features (images, features) of at least 2 images.
        second: Features (images, features) of at least 2 images.

    Returns:
        The squared distance, in squared units of the features.
    """
    a, b = (features.astype(np.float64) for features in (first, second))
    shift = a.mean(axis=0) - b.mean(axis=0)
    a, b = (
        _root(features - features.mean(axis=0)) / np.sqrt(len(features) - 1) for features in (a, b)
    )
    # The eigenvalues of the product of the covariances are the squared singular values of a @ b.T,
    # which is smaller and gives no complex numbers.
    shared = np.linalg.norm(a @ b.T, "nuc")
    return float(max(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * shared, 0.0))


def _root(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix with the same inner products of features, and at most as many rows as features."""
    images, features = centred.shape
    return np.asarray(np.linalg.qr(centred, mode="r")) if images > features else centred
