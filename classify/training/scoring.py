"""Scores of a model over images, and how many of the images it was trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.data.dataset import one_hot
from classify.data.images import LabelledImage
from classify.labelling.inference import label_info
from classify.scores import Scores, score
from classify.training.figures import plot_per_class
from segment.core.model.info import ModelInfo
from segment.core.model.recognised import Familiarity
from segment.core.model.record import TrainingRecord
from segment.core.notebook.axes import new_axes
from segment.core.notebook.html import result_html
from segment.core.pixels.near_duplicates import digest_pixels
from segment.core.progress import Progress
from segment.core.raster.opening import read_grid
from segment.core.reports.figures import confusion_size, plot_confusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Evaluation:
    """Scores of a model on images.

    Attributes:
        scores: The scores.
        images: The images, in the order of the scores.
        familiar: Keys of report.json on how many of the pixels the model was trained on, see
            `Familiarity`; empty if that was not examined.
    """

    scores: Scores
    images: list[LabelledImage]
    familiar: dict[str, Any] = field(default_factory=dict)

    @property
    def report(self) -> dict[str, Any]:
        """Keys and values of report.json."""
        return self.scores.report | self.familiar

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draws the confusion matrix or, with several labels per image, the F1 of each class.

        Args:
            axes: Axes of Matplotlib to draw on; by default those of a new figure.

        Returns:
            The axes.
        """
        scores, names = self.scores, self.scores.names
        if scores.multi_label:
            axes = new_axes(axes, (7, 1.1 + 0.24 * len(names)))
            plot_per_class(scores, axes)
        else:
            axes = new_axes(axes, confusion_size(names, names))
            plot_confusion(scores.confusion, names, axes=axes)
        return axes

    def _repr_html_(self) -> str:
        rows = [
            [
                name,
                *(_figure(figures[key]) for key in ("f1", "precision", "recall")),
                f"{figures['images']:,}",
            ]
            for name, figures in self.scores.report["per_class"].items()
        ]
        header = ("class", "F1", "precision", "recall", "images")
        return result_html(str(self).split("\n")[0], header, rows)

    def __repr__(self) -> str:
        return str(self.scores)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def score_images(
    images: Sequence[LabelledImage], probabilities: NDArray[np.float32], info: ModelInfo
) -> Evaluation:
    """Scores predictions against the labels of images.

    Args:
        images: Labelled images.
        probabilities: Calibrated probabilities (images, classes), see `answer`.
        info: Description of the model.

    Returns:
        The evaluation, without `familiar`.

    Raises:
        InputError: As in `classify.scores.score`.
    """
    labels, names = label_info(info), info.class_table.names
    thresholds = labels.thresholds if labels.multi_label else None
    reference = one_hot(images, len(names))
    return Evaluation(
        score(
            reference, probabilities, names, multi_label=labels.multi_label, thresholds=thresholds
        ),
        list(images),
    )


def recognise(
    images: Sequence[LabelledImage],
    record: TrainingRecord,
    read: Callable[[Path], NDArray[Any]],
    progress: Progress,
) -> Familiarity:
    """Counts the pixels of images that a model was trained on.

    Args:
        images: Images.
        record: What the model was trained on.
        read: Reads the pixels of a file in the bands of the training, without preprocessing or
            resizing.
        progress: Where progress is reported.

    Returns:
        The counts.
    """
    found = Familiarity("images")
    for done, image in enumerate(images, 1):
        pixels, grid = read(image.path), read_grid(image.path)
        codes = record.cover(grid, 0, 0, *pixels.shape[:2])
        found.add(np.minimum(codes, np.uint8(record.find(digest_pixels(pixels)))))
        progress.advance("recognising", done, len(images))
    return found
