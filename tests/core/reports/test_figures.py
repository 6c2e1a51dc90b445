"""Figures that both packages share."""

import numpy as np
import pytest

from segment.core.model.calibration import Reliability
from segment.core.reports.figures import plot_reliability


def test_reliability_counts_answers_and_names_the_error():
    figure = plot_reliability(
        Reliability().add(np.array([0.9, 0.9, 0.9, 0.5]), np.array([True, True, False, True]))
    )
    upper, lower = figure.axes
    # 0.9 lies in (0.867, 0.933], 0.5 in (0.467, 0.533].
    assert (
        upper.get_title() == f"Expected calibration error {3 / 4 * (0.9 - 2 / 3) + 1 / 4 * 0.5:.3f}"
    )
    assert [text.get_text() for text in lower.texts] == ["1", "3"]
    assert [bar.get_height() for bar in upper.patches] == pytest.approx([1, 2 / 3])


def test_reliability_shortens_the_counts_of_pixels():
    figure = plot_reliability(
        Reliability().add(np.full((500, 300), 0.8), np.ones((500, 300), bool))
    )
    assert [text.get_text() for text in figure.axes[1].texts] == ["150k"]
