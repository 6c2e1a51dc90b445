"""Pictures of a mapped scene for the page: the scene, its map, and the confidence of the map."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED
from segment.core.model.info import ModelInfo
from segment.core.raster.reduced import read_reduced
from segment.core.raster.sources import Source
from segment.core.reports.figures import displayable
from segment.core.reports.picture import write_picture
from segment.map_outputs.confidence import CONFIDENCE_STEPS
from segment.mapping.result import SceneMap

SHOWN, LONGEST_SHOWN = 1600, 16_000
"""Largest picture on the page; larger scenes are reduced.

It has at most as many pixels as a square of side SHOWN, and no side above LONGEST_SHOWN.
"""


@dataclass(frozen=True)
class MapPictures:
    """Pictures of one size of a mapped scene, reduced where the scene is too large for a page.

    Attributes:
        photograph: The scene (JPEG).
        classes: The map in the colours of its classes (PNG, transparent where nodata).
        confidence: Probability of the mapped class (PNG, transparent where nodata), from dark for 0
            to bright for 1.
        reduction: Pixels of the scene along the edge of a pixel of the pictures, 1 or more.
    """

    photograph: Path
    classes: Path
    confidence: Path
    reduction: float


def write_pictures(folder: Path, source: Source, info: ModelInfo, files: SceneMap) -> MapPictures:
    """Writes the pictures of a mapped scene.

    Args:
        folder: Folder to write to.
        source: The scene.
        info: Description of the model that mapped it.
        files: Files of the map, with its confidence.

    Returns:
        The pictures.

    Raises:
        InputError: If the scene can no longer be read.
    """
    assert files.confidence is not None
    with source.open(info.wanted_bands) as raster:
        longest, area = max(raster.height, raster.width), raster.height * raster.width
        reduction = max(1, longest / LONGEST_SHOWN, math.sqrt(area) / SHOWN)
        height, width = (max(round(side / reduction), 1) for side in (raster.height, raster.width))
        pixels: NDArray[Any] = read_reduced(raster, height, width)
    colors = cv2.imread(str(files.mask), cv2.IMREAD_UNCHANGED)
    assert colors is not None
    shown = cv2.resize(
        cv2.cvtColor(colors, cv2.COLOR_BGRA2RGBA), (width, height), interpolation=cv2.INTER_NEAREST
    )
    pictures = MapPictures(
        folder / "photograph.jpg", folder / "classes.png", folder / "confidence.png", reduction
    )
    write_picture(pictures.classes, np.asarray(shown, np.uint8))
    write_picture(pictures.photograph, displayable(pixels, shown[..., 3] > 0))
    write_picture(pictures.confidence, _color_confidence(files.confidence, height, width))
    return pictures


def _color_confidence(file: Path, height: int, width: int) -> NDArray[np.uint8]:
    """Colours of a confidence raster, (height, width, 4), as in its style for QGIS (viridis)."""
    import rasterio
    from matplotlib import colormaps

    with rasterio.open(file) as raster:  # its overviews are means
        values = raster.read(1, out_shape=(height, width))
    colors = colormaps["viridis"](np.arange(256) / CONFIDENCE_STEPS, bytes=True)
    colors[IGNORED] = 0
    return np.asarray(colors[values], np.uint8)
