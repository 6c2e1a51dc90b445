"""Scores of evaluations draw themselves, and show as tables."""

import numpy as np
import pytest

from segment.scores import Confusion
from segment.training.score_view import plot_scores, scores_html


def test_scores_of_maps() -> None:
    confusion = Confusion(["land", "water"])
    confusion.add(np.array([0, 0, 0, 1], np.uint8), np.array([0, 0, 1, 1], np.uint8))
    axes = plot_scores(confusion)
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["0.67", "0.33", "0.00", "1.00"]
    assert plot_scores(confusion, axes) is axes
    html = scores_html("a <title>", confusion, {"first": confusion})
    assert "a &lt;title&gt;" in html and "first" in html
    # Jaccard of land, in all and in its collection, and F1 of water
    assert html.count("0.667") == 3 and "75.0 %" in html


@pytest.mark.heavy
def test_an_evaluation_shows_its_scores() -> None:
    from segment.training.scoring import Evaluation

    confusion = Confusion(["land", "water"])
    confusion.add(np.array([0, 0, 0, 1], np.uint8), np.array([0, 0, 1, 1], np.uint8))
    for collections in ({}, {"first": confusion}):
        found = Evaluation(confusion, [], [], collections)
        html = found._repr_html_()
        assert "mean Jaccard 0.583" in html and "first 0" not in html
        assert found.plot().get_xlabel() == "predicted"
