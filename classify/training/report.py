"""Report of a training or an evaluation: curves, scores per class, and confident mistakes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from classify.training.figures import plot_per_class, plot_precision_recall, plot_roc
from segment.core.labels.classes import ClassTable
from segment.core.reports.figures import displayable, plot_confusion, plot_gallery, plot_reliability
from segment.core.reports.page import Report

if TYPE_CHECKING:
    from classify.data.dataset import ImageDataset
    from classify.scores import Scores
    from classify.training.scoring import Evaluation

_SHOWN = 15  # mistakes that are shown


def panels(multi_label: bool) -> dict[str, Sequence[str]]:
    """Chooses the columns of the history to plot.

    Args:
        multi_label: Whether images can have several labels.

    Returns:
        Columns by the title of their panel.
    """
    scores = ("val_mean_average_precision", "val_f1") if multi_label else ("val_accuracy", "val_f1")
    return {"Loss": ("loss", "val_loss"), "Validation": scores, "Learning rate": ("learning_rate",)}


def add_scores(
    report: Report,
    heading: str,
    evaluation: "Evaluation",
    dataset: "ImageDataset",
    class_table: ClassTable,
) -> None:
    """Adds the scores of a part of the data to a report.

    They are overall scores, scores per class, figures, and the images with the most confident
    mistakes.

    Args:
        report: Page to add to.
        heading: Heading of the section.
        evaluation: Scores and images.
        dataset: The images as the model sees them.
        class_table: Class table.
    """
    scores, figures = evaluation.scores, evaluation.report
    report.heading(heading)
    report.text(f"{str(scores).splitlines()[0]}, over {figures['images']:,} images.")
    for kind, share in evaluation.unsure.items():
        if share is not None:
            report.text(f"Of the {kind} answers {100 * share:.1f} % are unsure, and not given.")
    view, classes = evaluation.view, list(class_table.classes)
    if view is not None:
        classes = [classes[some[0]] for some in view.sets]
    rows = [
        (name, row["f1"], row["precision"], row["recall"], row["images"])
        for name, row in figures["per_class"].items()
    ]
    report.table(
        ("Class", "F1", "Precision", "Recall", "Images"),
        rows,
        [c.map_color for c in classes],
    )
    _add_collections(report, evaluation)
    report.figure(plot_per_class(scores), "F1 of each class.")
    if not scores.multi_label:
        report.figure(
            plot_confusion(scores.confusion, scores.names),
            "Confusion matrix: share of each true class.",
        )
    report.figure(
        plot_reliability(scores.reliability),
        "Reliability: how often answers of each probability are right.",
    )
    report.figure(
        plot_roc(scores.reference, scores.probabilities, scores.names),
        "Receiver operating characteristic of each class.",
    )
    report.figure(
        plot_precision_recall(scores.reference, scores.probabilities, scores.names),
        "Precision and recall of each class.",
    )
    if scores.mistakes:
        shown = scores.mistakes[:_SHOWN]
        pictures = [displayable(dataset.image_at(index)[..., list(dataset.rgb)]) for index in shown]
        titles = [
            f"{evaluation.images[index].path.name}\n{_verdict(scores, index)}" for index in shown
        ]
        report.figure(
            plot_gallery(pictures, titles),
            f"The surest of {len(scores.mistakes)} mistakes.",
            photographs=True,
        )


def _add_collections(report: Report, evaluation: "Evaluation") -> None:
    """Adds how labels of collections were scored, and the scores of several."""
    if (view := evaluation.view) is not None:
        report.text(f"{view.collection}: {view.how}:")
        rows = [(label, ", ".join(found) or "-") for label, found in view.label_map.items()]
        report.table(("Label", "Classes that it may be"), rows)
    if evaluation.apart:
        report.text("An answer is right if the image may be of it. Of each collection:")
    for one in evaluation.apart:
        if one.view is not None:
            line = str(one.scores).splitlines()[0]
            report.text(
                f"{one.view.collection}, {len(one.images):,} images: {line}; {one.view.how}."
            )


def _verdict(scores: "Scores", index: int) -> str:
    true = (
        ", ".join(
            name for name, holds in zip(scores.names, scores.reference[index], strict=True) if holds
        )
        or "nothing"
    )
    given = [
        f"{name} {p:.2f}"
        for name, p, holds in zip(
            scores.names, scores.probabilities[index], scores.answers[index], strict=True
        )
        if holds
    ]
    return f"{', '.join(given) or 'nothing'}; reference {true}"
