"""Figure of a division by squares of ground: its parts on an overview of the scene."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.raster.reduced import read_reduced
from segment.core.reports.figures import displayable
from segment.core.reports.page import Report
from segment.core.splits import PARTS
from segment.data.division import Division
from segment.data.patches import Patch, patch_boxes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST = 900  # pixels of the overview
_MOST_IMAGES = 4000  # read for the overview; others are blank
_SEEN = 0.55  # of the picture under the colour of a part
_COLORS = {"train": (31, 119, 180), "val": (255, 127, 14), "test": (148, 103, 189)}
_MARGIN = (90, 90, 90)


def add_division(report: Report, name: str, division: Division, tile: int) -> None:
    """Adds a picture of the parts to a report, if they are squares of ground.

    Args:
        report: Page to add to.
        name: Name of the collection; empty where there is only one.
        division: The division.
        tile: Edge of a tile, pixels.
    """
    if division.edge:
        report.heading(f"Split of {name}" if name else "Split")
        report.figure(*plot_division(division, tile), photographs=True)


def plot_division(division: Division, tile: int) -> tuple["Figure", str]:
    """Draws the parts of a division on an overview of its images.

    Args:
        division: The division.
        tile: Edge of a tile, pixels.

    Returns:
        The figure, and its caption.
    """
    from matplotlib.figure import Figure

    patches = [patch for part in PARTS for patch in division.parts[part]]
    colors = [_COLORS[part] for part in PARTS for _ in division.parts[part]]
    patches, colors = [*patches, *division.margin], [*colors, *[_MARGIN] * len(division.margin)]
    boxes = patch_boxes(patches, tile)
    height, width = boxes[:, 2:].max(axis=0)
    scale = min(1.0, _LONGEST / max(height, width))
    picture = _overview(patches, boxes, scale)
    tint = np.zeros_like(picture)
    tinted = np.zeros(picture.shape[:2], bool)
    for box, color in zip(_scaled(boxes, scale), colors, strict=True):
        top, left, bottom, right = box
        tint[top:bottom, left:right], tinted[top:bottom, left:right] = color, True
    mixed = (_SEEN * picture + (1 - _SEEN) * tint).astype(np.uint8)
    picture = np.where(tinted[..., None], mixed, picture)
    rows, columns = picture.shape[:2]
    inches = 8 / max(rows, columns)
    figure = Figure(figsize=(max(columns * inches, 2), max(rows * inches, 1)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture, interpolation="nearest")
    axes.axis("off")
    return figure, (
        f"Squares of ground of {division.edge} px. Blue: training. Orange: validation. Dark: left"
        " out, closer than half a tile to another part. Without colour: not labelled."
    )


def _scaled(boxes: NDArray[np.int64], scale: float) -> list[list[int]]:
    found: list[list[int]] = np.round(boxes * scale).astype(int).tolist()
    return found


def _overview(
    patches: Sequence[Patch], boxes: NDArray[np.int64], scale: float
) -> NDArray[np.uint8]:
    """Images at a smaller scale, each at its place, (rows, columns, 3)."""
    first: dict[Any, tuple[int, int]] = {}
    for patch, box in zip(patches, boxes.tolist(), strict=True):
        first.setdefault(patch.pair, (box[0] - patch.row, box[1] - patch.column))
    places = [
        (top, left, top + pair.info.height, left + pair.info.width)
        for pair, (top, left) in first.items()
    ]
    shape = np.maximum(np.round(np.array(places)[:, 2:].max(axis=0) * scale).astype(int), 1)
    info = patches[0].pair.info
    pixels = np.zeros((*shape, info.bands), info.dtype)
    seen = np.zeros(shape, bool)
    for pair, place in list(zip(first, _scaled(np.array(places), scale), strict=True))[
        :_MOST_IMAGES
    ]:
        top, left, bottom, right = (max(edge, 0) for edge in place)
        height = min(max(bottom - top, 1), pair.info.height, shape[0] - top)
        width = min(max(right - left, 1), pair.info.width, shape[1] - left)
        if height <= 0 or width <= 0:
            continue
        with pair.source.open() as image:
            reduced = read_reduced(image, height, width)
        window = slice(top, top + height), slice(left, left + width)
        pixels[window], seen[window] = reduced, True
    shown = displayable(pixels, seen)
    shown[~seen] = 255
    return shown
