"""Names of any kind are written into figures as they are."""

import io

import numpy as np

from segment.core.exploration.figures import plot_amounts, plot_histograms, plot_scatter
from segment.core.pixels.components import Components
from segment.core.reports.figures import plot_gallery

ODD = ["g$x_$0", "_hidden", "a$^$b"]


def written(figure):
    """The names in the legend, once the figure is drawn."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    legend = figure.axes[0].get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_odd_names_are_drawn_as_they_are():
    components = Components(
        np.zeros(2), np.eye(2), np.ones(2) / 2, np.random.default_rng(0).normal(size=(9, 2)), None
    )
    colors = dict(zip(ODD, ("red", "green", "blue"), strict=True))
    scatter = plot_scatter(components, ODD * 3, colors, {0: "p$_$1.png", 4: "_q.png"})
    assert written(scatter) == ODD
    assert {text.get_text() for text in scatter.axes[0].texts} == {"p$_$1.png", "_q.png"}
    assert written(plot_histograms(np.random.default_rng(0).normal(size=(50, 3)), ODD)) == ODD
    written(plot_amounts([1, 2, 3], ODD, ["red"] * 3, "pixels"))
    written(plot_gallery([np.zeros((8, 8, 3), np.uint8)] * 3, ODD))
