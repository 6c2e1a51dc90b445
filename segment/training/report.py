"""Reports of training and evaluation: curves, class scores, and tiles beside their reference."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import ClassTable
from segment.core.reports.figures import displayable, plot_confusion, plot_reliability
from segment.core.reports.page import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from segment.data.dataset import TileDataset
    from segment.training.scoring import Evaluation

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]
PANELS: dict[str, Sequence[str]] = {
    "Loss": ("loss", "val_loss"),
    "Validation": ("val_jaccard", "val_accuracy"),
    "Learning rate": ("learning_rate",),
}


def add_scores(
    report: Report,
    heading: str,
    evaluation: "Evaluation",
    dataset: "TileDataset",
    predict: Predict,
    class_table: ClassTable,
) -> None:
    """Adds the scores of one part of the data to a report.

    These are the scores per class, the confusion matrix, and examples on some of the tiles.

    Args:
        report: Page to add to.
        heading: Heading of the section.
        evaluation: The scores.
        dataset: The tiles that were scored.
        predict: Returns class probabilities of a batch of images.
        class_table: Class table of the model.
    """
    scores, confusion = evaluation.report, evaluation.confusion
    report.heading(heading)
    if evaluation.collections:
        _add_collections(report, evaluation)
    report.text(
        f"Mean Jaccard {_figure(confusion.mean_jaccard)}, mean boundary Jaccard"
        f" {_figure(confusion.mean_boundary_jaccard)} (within"
        f" {scores['boundary_width']} pixels of boundaries), accuracy {confusion.accuracy:.3f},"
        f" calibration error {confusion.reliability.error:.3f}"
        f" over {scores['pixels']:,} pixels in {len(evaluation.patches):,} tiles."
    )
    shares = confusion.matrix.sum(axis=1)[: len(class_table)] / max(confusion.matrix.sum(), 1)
    rows = [
        (
            c.name,
            *(scores[key][c.name] for key in ("jaccard", "boundary_jaccard", "f1")),
            float(share),
        )
        for c, share in zip(class_table.classes, shares, strict=True)
    ]
    report.table(
        ("Class", "Jaccard", "Boundary Jaccard", "F1", "Share of reference"),
        rows,
        [c.map_color for c in class_table.classes],
    )
    matrix = plot_confusion(confusion.matrix, class_table.names, confusion.labels.labels)
    report.figure(matrix, "Confusion matrix: share of each true class.")
    report.figure(
        plot_reliability(confusion.reliability),
        "Reliability: how often pixels of each probability are right.",
    )
    chosen = choose_tiles(evaluation, dataset.tile)
    if chosen:
        figure = _plot_examples(chosen, evaluation, dataset, predict, class_table)
        are_whole = all(evaluation.patches[index].is_whole(dataset.tile) for _, index in chosen)
        which = (
            "Best, median and worst tiles by mean"
            f" Jaccard{', of those scored whole' if are_whole else ''}"
        )
        report.figure(figure, f"{which}: image, reference, prediction. Black: ignored.")


def _add_collections(report: Report, evaluation: "Evaluation") -> None:
    """Adds a row for each collection, and their mean.

    A class that the labels of a collection do not name alone has no score there.
    """
    names = evaluation.confusion.names
    rows: list[tuple[object, ...]] = [
        (
            name,
            c.mean_jaccard,
            c.mean_boundary_jaccard,
            c.accuracy,
            c.reliability.error,
            *c.jaccard.tolist(),
        )
        for name, c in evaluation.collections.items()
    ]
    means = (
        evaluation.mean_jaccard,
        evaluation.mean_boundary_jaccard,
        evaluation.accuracy,
        evaluation.calibration_error,
    )
    rows.append(("mean", *means, *[None] * len(names)))
    report.table(
        (
            "Collection",
            "Mean Jaccard",
            "Mean boundary Jaccard",
            "Accuracy",
            "Calibration error",
            *names,
        ),
        [_without_nan(row) for row in rows],
    )
    report.text("All collections together:")


def _figure(score: float) -> str:
    return "-" if math.isnan(score) else f"{score:.3f}"


def _without_nan(row: Sequence[object]) -> tuple[object, ...]:
    return tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row)


def choose_tiles(evaluation: "Evaluation", tile: int, each: int = 2) -> list[tuple[str, int]]:
    """Returns examples as `choose_examples` does, of the tiles that are scored whole.

    The other tiles, at the edges of images, are scored only where no other tile covers them and
    would be shown half ignored, as would images smaller than a tile. Where no tile is scored whole,
    all are considered.

    Args:
        evaluation: Scores of the tiles.
        tile: Edge of a tile, pixels.
        each: Most tiles of each kind.

    Returns:
        Kind ("best", "median" or "worst") and index of each tile.
    """
    scored = zip(evaluation.patch_scores, evaluation.patches, strict=True)
    whole = [score if patch.is_whole(tile) else math.nan for score, patch in scored]
    return choose_examples(whole, each) or choose_examples(evaluation.patch_scores, each)


def choose_examples(scores: Sequence[float], each: int = 2) -> list[tuple[str, int]]:
    """Returns the best, median and worst tiles; those without a score are left out.

    Args:
        scores: Score of each tile, or NaN.
        each: Most tiles of each kind.

    Returns:
        Kind ("best", "median" or "worst") and index of each tile.
    """
    order = [int(i) for i in np.argsort(scores)[::-1] if not np.isnan(scores[i])]
    middle = max(len(order) // 2 - each // 2, 0)
    groups = {"best": order[:each], "median": order[middle : middle + each], "worst": order[-each:]}
    seen: set[int] = set()
    chosen = []
    for name, indices in groups.items():
        chosen += [(name, i) for i in indices if i not in seen]
        seen.update(indices)
    return chosen


def _plot_examples(
    chosen: Sequence[tuple[str, int]],
    evaluation: "Evaluation",
    dataset: "TileDataset",
    predict: Predict,
    class_table: ClassTable,
) -> "Figure":
    from matplotlib.figure import Figure

    colors = class_table.colors()[..., :3]
    figure = Figure(figsize=(9, 3.1 * len(chosen)), layout="constrained")
    grid = figure.subplots(len(chosen), 3, squeeze=False)
    for axes, (name, index) in zip(grid, chosen, strict=True):
        image, reference = dataset.tile_at(index)
        labels = predict(image[None])[0].argmax(axis=-1)
        patch = evaluation.patches[index]
        info = patch.pair.info
        # without the padding
        inside = slice(info.height - patch.row), slice(info.width - patch.column)
        pictures = displayable(image[inside]), colors[reference[inside]], colors[labels[inside]]
        titles = (
            f"{name}: {patch.pair.group}/{patch.pair.image.stem}",
            "truth",
            f"map, Jaccard {evaluation.patch_scores[index]:.2f}",
        )
        for cell, picture, title in zip(axes, pictures, titles, strict=True):
            cell.imshow(picture, interpolation="nearest")
            cell.set_title(title, fontsize=9, parse_math=False)
            cell.axis("off")
    return figure
