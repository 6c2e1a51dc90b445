"""Evaluations draw themselves, and show as tables."""

import numpy as np
import pytest

from classify.scores import score

pytestmark = pytest.mark.heavy

NAMES = ["field", "river", "town"]


def test_an_evaluation_shows_its_scores() -> None:
    from classify.training.scoring import Evaluation

    found = Evaluation(score(np.eye(3), np.eye(3) * 0.7 + 0.1, NAMES), [])
    html = found._repr_html_()
    assert "accuracy 1.000" in html and html.count("1.000</td>") == 9
    axes = found.plot()
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES
    assert found.plot(axes) is axes


def test_an_evaluation_of_several_labels_shows_the_f1_of_each() -> None:
    from classify.training.scoring import Evaluation

    several = score(np.array([[1, 1, 0], [0, 1, 0]]), np.full((2, 3), 0.6), NAMES, multi_label=True)
    found = Evaluation(several, [])
    html = found._repr_html_()
    # no image has a town: its recall is not known
    assert "mean average precision" in html and html.count(">-</td>") == 1
    axes = found.plot()
    assert axes.get_xlabel() == "F1" and len(axes.patches) == 3
