"""Pictures of class rasters: their own colours and names, read back for display."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.notebook.axes import draw_picture
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.reader import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LARGEST = 1024  # pixels, longest side


def read_class_picture(raster: Path) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Reads a class raster as a picture.

    Args:
        raster: Raster that `write_class_raster` wrote.

    Returns:
        Colours, (rows, columns, 3) uint8, white where nodata, at most 1,024 pixels large; and the
        colour "#RRGGBB" of each class by its name.

    Raises:
        InputError: If the file is gone or cannot be read.
    """
    import rasterio
    from rasterio.enums import Resampling

    if not raster.is_file():
        raise InputError(f"{raster}: no such file. Make it again, or give its new place.")
    with without_warnings(), readable(raster), rasterio.open(raster) as file:
        reduction = max(file.height, file.width, _LARGEST) / _LARGEST
        size = tuple(max(round(side / reduction), 1) for side in file.shape)
        values = file.read(1, out_shape=size, resampling=Resampling.mode)
        table: dict[int, Any] = file.colormap(1)
        names = {
            int(tag.removeprefix("class_")): name
            for tag, name in file.tags().items()
            if tag.removeprefix("class_").isdecimal()
        }
        nodata = file.nodata
    colors = np.full((256, 3), 255, np.uint8)
    for value, color in table.items():
        colors[value] = color[:3] if value != nodata else 255
    legend = {name: "#{:02X}{:02X}{:02X}".format(*colors[v]) for v, name in sorted(names.items())}
    return colors[values], legend


def plot_classes(
    picture: NDArray[np.uint8],
    legend: Mapping[str, str],
    counts: Mapping[str, float],
    title: str,
    axes: "Axes | None",
) -> "Axes":
    """Draws a picture of classes, with a legend of those that occur.

    Args:
        picture: RGB, (rows, columns, 3) uint8.
        legend: Colours "#RRGGBB" of the classes by their names.
        counts: Pixels of each class, or its share of the area, by its name.
        title: Title of the picture.
        axes: Axes of Matplotlib to draw on; None for those of a new figure.

    Returns:
        The axes.
    """
    total = sum(counts.values()) or 1
    shown = {f"{n}  {100 * counts[n] / total:.1f} %": c for n, c in legend.items() if counts.get(n)}
    return draw_picture(picture, axes, title, shown)
