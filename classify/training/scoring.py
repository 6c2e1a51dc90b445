"""Scores of a model over images, and how many of the images it was trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.data.dataset import one_hot
from classify.data.images import LabelledImage
from classify.label_sets import LabelView, likeliest_reference
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
        view: The labels that were scored in place of the model's classes; None for its classes.
        apart: Scores of each collection with its own labels, where several are scored together.
        unsure: Share of the right answers, and of the wrong ones, that are unsure; empty for a
            model that does not doubt.
    """

    scores: Scores
    images: list[LabelledImage]
    familiar: dict[str, Any] = field(default_factory=dict)
    view: LabelView | None = None
    apart: list["Evaluation"] = field(default_factory=list)
    unsure: dict[str, float | None] = field(default_factory=dict)

    @property
    def report(self) -> dict[str, Any]:
        """Keys and values of report.json."""
        report = self.scores.report | self.familiar
        if self.unsure:
            report["unsure"] = self.unsure
        if self.view is not None:
            report["label_map"] = {self.view.collection: self.view.label_map}
        if self.apart:
            report["collections"] = {
                one.view.collection: {
                    k: v for k, v in one.scores.report.items() if k != "confusion"
                }
                for one in self.apart
                if one.view is not None
            }
        return report

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
        lines = [str(self.scores)]
        for one in self.apart:
            if one.view is not None:
                by = "classes" if one.view.overlaps else "its own labels"
                line = str(one.scores).splitlines()[0]
                lines.append(f"{one.view.collection}, by {by}: {line}")
        shares = [
            f"{share:.3f} of the {kind} answers"
            for kind, share in self.unsure.items()
            if share is not None
        ]
        return "\n".join([*lines, *(["unsure: " + ", ".join(shares)] if shares else [])])


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def score_labels(
    images: Sequence[LabelledImage],
    probabilities: NDArray[np.float32],
    names: list[str],
    multi_label: bool,
    thresholds: Sequence[float] | None = None,
) -> Scores:
    """Scores predictions against the classes of images.

    An answer is right if it is one of the classes that the image may be. Scores of a class count an
    image for the most probable one of these.

    Args:
        images: Labelled images.
        probabilities: Calibrated probabilities (images, classes), see `answer`.
        names: Names of the classes.
        multi_label: Whether an image can have several labels.
        thresholds: Probability from which each class is given, with several labels.

    Returns:
        The scores.

    Raises:
        InputError: As in `classify.scores.score`.
    """
    reference = one_hot(images, len(names))
    if not multi_label:
        reference = likeliest_reference(reference, probabilities)
    return score(reference, probabilities, names, multi_label=multi_label, thresholds=thresholds)


def views_of(info: ModelInfo) -> list[LabelView]:
    """Returns the collections that a model learned from together.

    Args:
        info: Description of the model.

    Returns:
        Their labels, to score each collection apart; none for a model of one table of classes.
    """
    names = info.class_table.names
    return [LabelView.of(*one, names) for one in label_info(info).label_maps.items()]


def score_images(
    images: Sequence[LabelledImage],
    probabilities: NDArray[np.float32],
    info: ModelInfo,
    views: Sequence[LabelView] = (),
) -> Evaluation:
    """Scores predictions against the labels of images, and those of each collection apart.

    If all images are of one collection with labels of its own, its labels are scored.

    Args:
        images: Labelled images.
        probabilities: Calibrated probabilities (images, classes), see `answer`.
        info: Description of the model.
        views: Collections with labels of their own.

    Returns:
        The evaluation, without `familiar`.

    Raises:
        InputError: As in `classify.scores.score`.
    """
    labels, names = label_info(info), info.class_table.names
    apart = []
    for view in views:
        rows = [i for i, image in enumerate(images) if image.collection == view.collection]
        if rows:
            held = [images[row] for row in rows]
            found = view.probabilities(probabilities[rows])
            reference = likeliest_reference(view.admitted([i.labels for i in held]), found)
            apart.append(Evaluation(score(reference, found, view.names), held, view=view))
    if len(apart) == 1 and len(apart[0].images) == len(images):
        return apart[0]
    thresholds = labels.thresholds if labels.multi_label else None
    scores = score_labels(images, probabilities, names, labels.multi_label, thresholds)
    return Evaluation(scores, list(images), apart=apart)


def with_doubt(evaluation: Evaluation, unsure: NDArray[np.bool_]) -> Evaluation:
    """Counts the answers that are unsure.

    Args:
        evaluation: Scores of the answers, unsure or not.
        unsure: Whether each is unsure, (images,), see `Doubt`.

    Returns:
        The scores with `unsure`.
    """
    right = evaluation.scores.right
    shares = {
        name: round(float(unsure[held].mean()), 6) if held.any() else None
        for name, held in (("right", right), ("wrong", ~right))
    }
    return replace(evaluation, unsure=shares)


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
