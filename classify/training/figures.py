"""Figures of scene labels: ROC and precision-recall curves, F1 per class."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from segment.core.reports.figures import shorten_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from classify.scores import Scores

_NAMED = 20  # most curves that can be distinguished; of more classes only the worst are named
_WORST = 10
_BLUE, _GREY = "#4878a8", "0.6"


class _Curve(NamedTuple):
    name: str
    score: float
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def plot_roc(
    reference: NDArray[Any], probabilities: NDArray[Any], names: Sequence[str]
) -> "Figure":
    """Plots the receiver operating characteristic of each class against all others.

    Classes that no image or every image has get no curve and are named in the legend.

    Args:
        reference: Reference labels, (images, classes) of 0 or 1.
        probabilities: Predicted probabilities, (images, classes).
        names: Class names.

    Returns:
        The figure.
    """
    from sklearn.metrics import auc, roc_curve

    curves = []
    for name, true, p in _classes(reference, probabilities, names):
        if not true.all():
            false_rate, true_rate, _ = roc_curve(true, p)
            curves.append(_Curve(name, float(auc(false_rate, true_rate)), false_rate, true_rate))
    figure, axes = _draw_curves(
        curves, names, "area under the curve", "no curve (on none or all images)", "default"
    )
    axes.plot([0, 1], [0, 1], ":", color="0.4", lw=1)
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    return figure


def plot_precision_recall(
    reference: NDArray[Any], probabilities: NDArray[Any], names: Sequence[str]
) -> "Figure":
    """Plots precision against recall for each class.

    Classes that no image has get no curve and are named in the legend.

    Args:
        reference: Reference labels, (images, classes) of 0 or 1.
        probabilities: Predicted probabilities, (images, classes).
        names: Class names.

    Returns:
        The figure.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    curves = []
    for name, true, p in _classes(reference, probabilities, names):
        precision, recall, _ = precision_recall_curve(true, p)
        curves.append(_Curve(name, float(average_precision_score(true, p)), recall, precision))
    figure, axes = _draw_curves(
        curves, names, "average precision", "no curve (on no image)", "steps-post"
    )
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    return figure


def plot_per_class(scores: "Scores", axes: "Axes | None" = None) -> "Figure":
    """Plots the F1 of each class as bars, the highest on top.

    Classes that occur neither in the reference nor in the predictions come last, without a bar.

    Args:
        scores: Scores of images.
        axes: Axes to draw on; by default those of a new figure.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    figures = scores.report["per_class"]
    order = sorted(
        scores.names, key=lambda name: -1 if figures[name]["f1"] is None else figures[name]["f1"]
    )
    if axes is None:
        axes = Figure(figsize=(7, 1.1 + 0.24 * len(order)), layout="constrained").subplots()
    axes.barh(
        range(len(order)), [figures[name]["f1"] or 0 for name in order], color=_BLUE, height=0.75
    )
    for row, name in enumerate(order):
        f1 = figures[name]["f1"]
        text = "in neither reference nor answers" if f1 is None else f"{f1:.2f}"
        axes.text(
            (f1 or 0) + 0.01,
            row,
            text,
            va="center",
            fontsize=8,
            color="black" if f1 is not None else "0.4",
        )
    labels = [f"{shorten_name(name)} ({figures[name]['images']:,})" for name in order]
    axes.set_yticks(range(len(order)), labels, fontsize=9, parse_math=False)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlim(0, 1.08)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_xlabel("F1")
    axes.set_ylabel("class (images)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return cast("Figure", axes.figure)


def _classes(
    reference: NDArray[Any], probabilities: NDArray[Any], names: Sequence[str]
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[Any]]]:
    """Yields the classes that some image has: name, labels and probabilities."""
    for name, true, p in zip(names, np.asarray(reference, bool).T, probabilities.T, strict=True):
        if true.any():
            yield name, true, p


def _draw_curves(
    curves: Sequence[_Curve],
    names: Sequence[str],
    score: str,
    absence: str,
    drawstyle: Literal["default", "steps-post"],
) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    axes = figure.subplots()
    ascending = sorted(curves, key=lambda curve: curve.score)
    named, others = (
        (ascending, []) if len(curves) <= _NAMED else (ascending[:_WORST], ascending[_WORST:])
    )
    handles, labels = [], []
    for rank, curve in enumerate(named):
        place = list(names).index(curve.name) if len(names) <= _NAMED else rank
        color, line = f"C{place % 10}", "-" if place < 10 else "--"
        handles += axes.plot(
            curve.x, curve.y, drawstyle=drawstyle, lw=1.5, zorder=3, color=color, ls=line
        )
        labels.append(f"{curve.score:.3f}  {shorten_name(curve.name)}")
    grey = [
        axes.plot(curve.x, curve.y, drawstyle=drawstyle, lw=0.7, color=_GREY)[0] for curve in others
    ]
    if others:
        handles.append(grey[0])
        labels.append(
            f"{others[0].score:.3f} to {others[-1].score:.3f}  {len(others)} other classes"
        )
    drawn = {curve.name for curve in curves}
    absent = [shorten_name(name) for name in names if name not in drawn]
    if absent:
        handles += axes.plot([], [], " ")
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        labels.append("\n".join(textwrap.wrap(f"{absence}: {shown}", 32)))
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    axes.set_aspect("equal", anchor="E")
    axes.grid(alpha=0.3)
    legend = figure.legend(
        handles, labels, title=score, loc="outside right upper", fontsize=8, title_fontsize=9
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure, axes
