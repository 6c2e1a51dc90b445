"""Pictures of results on the axes of Matplotlib."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(axes: "Axes | None" = None, size: tuple[float, float] = (8, 6)) -> "Axes":
    """Returns axes to draw on.

    Args:
        axes: Axes that a user gives; None for those of a new figure of pyplot, which notebooks
            show.
        size: Width and height of the new figure in inches.

    Returns:
        The axes.
    """
    if axes is not None:
        return axes
    from matplotlib import pyplot

    return pyplot.figure(figsize=size, layout="constrained").add_subplot()


def draw_picture(
    picture: NDArray[np.uint8],
    axes: "Axes | None",
    title: str = "",
    legend: Mapping[str, str] | None = None,
) -> "Axes":
    """Draws a picture, with a legend of colours beside it.

    Args:
        picture: RGB or RGBA, (rows, columns, 3 or 4) uint8.
        axes: As for `new_axes`.
        title: Title of the picture.
        legend: Colours "#RRGGBB" by their names.

    Returns:
        The axes.
    """
    from matplotlib.patches import Patch

    height, width = picture.shape[:2]
    axes = new_axes(axes, (9, min(max(6 * height / width, 2), 12)))
    axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10, parse_math=False)
    if legend:
        patches = [Patch(facecolor=c, edgecolor="#444444", label=n) for n, c in legend.items()]
        found = axes.legend(
            handles=patches, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False
        )
        for text in found.get_texts():
            text.set_parse_math(False)
    return axes
