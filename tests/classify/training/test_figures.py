"""What figures show: their texts, bars and lines, and that each can be written."""

import io

import numpy as np
import pytest

from classify.scores import score
from classify.training.figures import plot_per_class, plot_precision_recall, plot_roc
from segment.core.reports.figures import plot_gallery

pytestmark = pytest.mark.heavy


def write(figure):
    """Draws the figure as reports do and returns the size of the picture in bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50, bbox_inches="tight")
    return buffer.tell()


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def labelled(classes, absent=(), images=300):
    random = np.random.default_rng(0)
    labels = random.choice([c for c in range(classes) if c not in absent], images)
    labels[:classes] = [c if c not in absent else labels[0] for c in range(classes)]
    truth = np.eye(classes, dtype=int)[labels]
    probabilities = random.dirichlet(np.ones(classes), images) + truth * np.linspace(
        0.05, 0.6, classes
    )
    names = ["_cost$a", "in$b_c", *(f"class_{c}" for c in range(2, classes))]
    return (
        truth,
        (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32),
        names,
    )


@pytest.mark.parametrize("plot", [plot_roc, plot_precision_recall])
def test_curves_name_their_area_lowest_first(plot):
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    probabilities = np.array([[0.9, 0.8], [0.8, 0.2], [0.3, 0.7], [0.1, 0.6]])
    figure = plot(truth, probabilities, ["good", "poor"])
    # Poor ranks an image of the others first: 2 of 4 pairs in order; precision 1/2 and 2/3 at its
    # two images.
    expected = 0.5 if plot is plot_roc else (1 / 2 + 2 / 3) / 2
    assert legend(figure) == [f"{expected:.3f}  poor", "1.000  good"]
    assert write(figure)


@pytest.mark.parametrize("plot", [plot_roc, plot_precision_recall])
@pytest.mark.parametrize("classes", [2, 20, 45])
def test_legends_hold_few_entries_and_names_as_they_are(plot, classes):
    figure = plot(*labelled(classes))
    entries = legend(figure)
    assert any("_cost$a" in entry for entry in entries) and any(
        "in$b_c" in entry for entry in entries
    )
    assert len(entries) == (classes if classes <= 20 else 11)
    assert classes < 45 or entries[-1].endswith("35 other classes")
    assert write(figure)


@pytest.mark.parametrize("plot", [plot_roc, plot_precision_recall])
def test_classes_without_images_are_named_apart(plot):
    figure = plot(*labelled(12, absent=(0, 1, 4, 5, 6, 7, 8)))
    entries = legend(figure)
    assert len(entries) == 6
    assert entries[-1].startswith("no curve (on no") and " ".join(entries[-1].split()).endswith(
        "and 2 more"
    )
    assert write(figure)


@pytest.mark.parametrize("plot", [plot_roc, plot_precision_recall])
def test_a_single_image_has_figures(plot):
    assert write(plot(np.array([[0, 1, 0]]), np.array([[0.2, 0.7, 0.1]]), ["a", "b", "c"]))


@pytest.mark.parametrize("classes", [2, 45])
def test_bars_are_sorted(classes):
    scores = score(*labelled(classes, absent=(1,) if classes > 2 else ()))
    figure = plot_per_class(scores)
    (axes,) = figure.axes
    lengths = [bar.get_width() for bar in axes.patches]
    assert len(lengths) == classes and lengths == sorted(lengths)
    top = axes.get_yticklabels()[-1].get_text()
    best = max(f["f1"] for f in scores.report["per_class"].values() if f["f1"] is not None)
    name, images = top.rsplit(" (", 1)
    assert scores.report["per_class"][name]["f1"] == best
    assert images == f"{scores.report['per_class'][name]['images']})"
    assert write(figure)


def test_a_class_that_occurs_nowhere_has_no_bar():
    figure = plot_per_class(score([[1, 0, 0]], [[0.9, 0.1, 0.0]], ["a", "b_$c$", "d"]))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["in neither reference nor answers"] * 2 + [
        "1.00"
    ]


@pytest.mark.parametrize("count, cells", [(0, 1), (1, 1), (5, 5), (7, 10)])
def test_gallery_holds_images_of_any_size_and_wraps_titles(count, cells):
    sizes = [(64, 64), (20, 90), (300, 8), (1, 1), (33, 64), (64, 64), (2, 3)][:count]
    images = [np.full((*size, 3), 200, np.uint8) for size in sizes]
    figure = plot_gallery(
        images, ["a_$b$_river.jpg\nHerbaceousVegetation 0.98, truth AnnualCrop"] * count
    )
    assert len(figure.axes) == cells
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.images[0].get_array().shape[:2] for axes in shown] == sizes
    for axes in shown:
        lines = axes.get_title().splitlines()
        assert lines[0] == "a_$b$_river.jpg" and max(map(len, lines)) <= 30
        assert " ".join(lines[1:]) == "HerbaceousVegetation 0.98, truth AnnualCrop"
    assert write(figure)


def test_gallery_takes_other_columns():
    figure = plot_gallery([np.zeros((4, 4, 3), np.uint8)] * 4, list("abcd"), columns=2)
    assert figure.axes[0].get_gridspec().ncols == 2 and figure.axes[0].get_gridspec().nrows == 2
