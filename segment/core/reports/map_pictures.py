"""Pictures of a map: the coloured mask, and the scene overlaid with the map and a legend."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import cv2  # not in a thread: the import sets environment variables, which GDAL reads in others
import numpy as np
from numpy.typing import NDArray

from segment.core.disk import writable
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.maps.class_raster import write_sidecar
from segment.core.pixels.geometry import Reduction
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster
from segment.core.raster.reduced import read_reduced
from segment.core.raster.sources import Source
from segment.core.reports.figures import displayable
from segment.core.reports.legend import draw_legend
from segment.core.reports.picture import write_picture

LARGEST = 4096
"""Longest side of a picture in pixels; larger scenes are reduced to it."""
PREVIEW = 1000
"""Longest side in pixels of an overlay on a page."""
_OPACITY = 0.45
_NODATA_GREY = 235
_PIECE = 256  # rows handled at a time, so that temporary arrays stay small


def write_pictures(
    classes: Path,
    scene: PixelGrid,
    photograph: NDArray[Any],
    class_table: ClassTable,
    mask: Path,
    overlay: Path,
    shares: Mapping[str, float],
) -> NDArray[np.uint8]:
    """Writes the coloured mask and the overlay of a class raster.

    The mask is a PNG, transparent where nodata, the overlay a JPEG with a legend. Memory does not
    grow with the scene.

    Args:
        classes: The class raster.
        scene: Grid of the raster, for its georeference.
        photograph: Pixels of the same ground (height, width, bands), see `read_photograph`.
        class_table: Class table of the raster.
        mask: PNG to write.
        overlay: JPEG to write.
        shares: Fraction of the valid pixels of each class by its name, for the legend.

    Returns:
        The overlay without its legend, see `write_overlay`.

    Raises:
        InputError: If a file cannot be written, for example because the disk is full.
    """
    height, width = photograph.shape[:2]
    indices = _read_indices(classes, class_table, height, width)
    write_picture(mask, colored(indices, class_table, 4), spent=True)
    if scene.crs is not None:
        _write_georeference(mask, scene, height, width)
    return write_overlay(overlay, photograph, indices, class_table, shares)


def write_overlay(
    path: Path,
    photograph: NDArray[Any],
    indices: NDArray[np.uint8],
    class_table: ClassTable,
    shares: Mapping[str, float],
) -> NDArray[np.uint8]:
    """Writes a photograph tinted with the colours of classes, above a legend.

    Args:
        path: JPEG to write.
        photograph: Pixels (height, width, bands), see `read_photograph`.
        indices: Class indices, (height, width) uint8; 255, shown in grey, where there is none.
        class_table: Class table of the indices.
        shares: Share of each class by its name, 0 to 1, for the legend.

    Returns:
        The picture without its legend, (rows, columns, 3) uint8, at most PREVIEW pixels a side.

    Raises:
        InputError: If the file cannot be written, for example because the disk is full.
    """
    height, width = indices.shape
    with ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(draw_legend, class_table, shares, max(width, 480))
        valid = indices != IGNORED
        shown = displayable(photograph, valid)
        shown[~valid] = _NODATA_GREY
        picture = overlay_classes(shown, indices, class_table)
        legend = drawn.result()
    canvas = np.full((height + len(legend), legend.shape[1], 3), 255, np.uint8)
    canvas[:height, :width] = picture
    canvas[height:] = legend
    reduction = max(height, width, PREVIEW) / PREVIEW
    size = max(round(width / reduction), 1), max(round(height / reduction), 1)
    preview = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    del picture  # as large as the canvas
    write_picture(path, canvas, spent=True)
    return preview


def plan_photograph(scene: Raster, region: tuple[int, int, int, int]) -> Reduction | None:
    """Begins a picture of a rectangle of a scene that grows with the rows that are read.

    Args:
        scene: The open scene.
        region: Top, bottom, left and right of the rectangle.

    Returns:
        The picture without pixels; None where the scene has overviews, from which it is read.
    """
    return None if scene.has_overviews else Reduction(region, *_picture_size(region))


def _picture_size(region: tuple[int, int, int, int]) -> tuple[int, int]:
    sides = region[1] - region[0], region[3] - region[2]
    reduction = max(*sides, LARGEST) / LARGEST
    height, width = (max(round(side / reduction), 1) for side in sides)
    return height, width


def read_photograph(
    source: Source,
    damaged: bool = False,
    region: tuple[int, int, int, int] | None = None,
    begun: Reduction | None = None,
) -> NDArray[Any]:
    """Reads a scene, or a rectangle of it, at the size of its pictures.

    Args:
        source: The scene.
        damaged: Whether rows that cannot be decoded are 0, see `read_reduced`.
        region: Top, bottom, left and right of the rectangle, by default of the whole scene.
        begun: What `plan_photograph` returned, with the rows that were read meanwhile.

    Returns:
        Pixels (height, width, bands) in the dtype of the scene; the longer side is at most LARGEST.

    Raises:
        InputError: If the scene cannot be read completely, unless `damaged`.
    """
    if begun is not None and begun.whole is not None:
        return begun.whole
    with source.open() as scene:
        region = region or (0, scene.height, 0, scene.width)
        return read_reduced(scene, *_picture_size(region), damaged, region, begun)


def _read_indices(
    classes: Path, class_table: ClassTable, height: int, width: int
) -> NDArray[np.uint8]:
    import rasterio
    from rasterio.enums import Resampling

    with writable(classes), without_warnings(), rasterio.open(classes) as raster:
        values: NDArray[np.uint8] = raster.read(
            1, out_shape=(height, width), resampling=Resampling.mode
        )
    return class_table.indices(values)


def overlay_classes(
    photograph: NDArray[np.uint8], indices: NDArray[np.uint8], class_table: ClassTable
) -> NDArray[np.uint8]:
    """Tints a picture with the colours of classes, whose boundaries are in full colour.

    Args:
        photograph: The picture, (height, width, 3) uint8.
        indices: Class indices, (height, width) uint8; where they are 255, the picture stays as it
            is.
        class_table: Class table of the indices.

    Returns:
        The tinted picture, (height, width, 3) uint8.
    """
    edges = np.zeros(indices.shape, np.uint8)
    edges[:, 1:] |= indices[:, 1:] != indices[:, :-1]
    edges[1:] |= indices[1:] != indices[:-1]
    thickness = 1 + max(indices.shape) // 2048
    edges = np.asarray(cv2.dilate(edges, np.ones((thickness, thickness), np.uint8)), np.uint8)
    picture = photograph.copy()
    for first in range(0, len(indices), _PIECE):
        some = slice(first, first + _PIECE)
        colors, part = colored(indices[some], class_table), picture[some]
        mapped = (indices[some] != IGNORED).astype(np.uint8)
        cv2.copyTo(cv2.addWeighted(colors, _OPACITY, part, 1 - _OPACITY, 0), mapped, part)
        cv2.copyTo(colors, edges[some] & mapped, part)
    return picture


def colored(
    indices: NDArray[np.uint8], class_table: ClassTable, channels: int = 3
) -> NDArray[np.uint8]:
    """Converts class indices to the colours of the classes.

    Args:
        indices: Class indices, (rows, columns) uint8; 255 where ignored.
        class_table: Class table of the indices.
        channels: 3 for RGB, 4 for RGBA.

    Returns:
        Colours, (rows, columns, channels) uint8; 0 where ignored.
    """
    if channels == 4:  # a pixel is one number: a tenth of the time
        numbers = np.ascontiguousarray(class_table.colors()).view(np.uint32)[:, 0]
        return numbers[indices].view(np.uint8).reshape(*indices.shape, channels)
    table = np.ascontiguousarray(class_table.colors()[:, None, :channels])
    return np.asarray(cv2.LUT(cv2.merge([indices] * channels), table))


def _write_georeference(path: Path, scene: PixelGrid, height: int, width: int) -> None:
    transform = scene.transform @ type(scene.transform).scale(
        scene.width / width, scene.height / height
    )
    numbers = ", ".join(repr(float(n)) for n in transform.to_gdal())
    write_sidecar(
        path,
        f"  <SRS>{escape(scene.crs.to_wkt())}</SRS>\n  <GeoTransform>{numbers}</GeoTransform>\n",
    )
