"""Shapes: geometries of a vector layer on the grid of a raster, and notes on them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from segment.annotations.vector_layer import Layer
from segment.core.errors import InputError
from segment.core.raster.grid import PixelGrid

_KINDS = ("points", "lines", "polygons")  # by shapely.get_dimensions


@dataclass(frozen=True)
class Shapes:
    """Geometries of a layer on the grid of a raster.

    Attributes:
        geometries: Shapely geometries in columns and rows of the grid, (shapes,) object.
        mirrored: Whether rings turn the other way on the ground, as in all north-up rasters.
        features: Position of each one's feature in the layer, (shapes,) int64, ascending.
        notes: What was repaired or left out.
    """

    geometries: NDArray[np.object_]
    features: NDArray[np.int64]
    mirrored: bool
    notes: tuple[str, ...] = ()

    def subset(self, chosen: NDArray[Any]) -> "Shapes":
        """Returns some of the shapes.

        Args:
            chosen: Indices, or whether each is chosen.

        Returns:
            Those shapes, in the order of the indices.
        """
        return replace(self, geometries=self.geometries[chosen], features=self.features[chosen])

    def touching(self, grid: PixelGrid, reach: float = 0.0) -> "Shapes":
        """Returns the shapes whose bounds touch the raster, in the same order.

        Args:
            grid: Grid of the raster.
            reach: Pixels by which they may miss it.
        """
        left, top, right, bottom = shapely.bounds(self.geometries).reshape(-1, 4).T
        across = (right >= -reach) & (left <= grid.width + reach)
        return self.subset(across & (bottom >= -reach) & (top <= grid.height + reach))

    def note_outside(self, areas: "Shapes", path: Path, file: Path) -> list[str]:
        """Notes how many shapes lie outside of areas.

        Args:
            areas: The areas.
            path: File of the shapes, for the note.
            file: File of the areas, for the note.

        Returns:
            The note; none if each shape meets an area.
        """
        met = shapely.STRtree(areas.geometries).query(self.geometries, predicate="intersects")[0]
        outside = len(self.geometries) - len(np.unique(met))
        return count_geometries(f"{path}: %s outside of {file.name} not labelled", outside)

    def note_small(self, path: Path) -> list[str]:
        """Notes how many shapes lie between the middles of pixels, and cover none.

        Args:
            path: File of the shapes, for the note.

        Returns:
            The note; none if there are no such shapes.
        """
        first, last = np.hsplit(shapely.bounds(self.geometries).reshape(-1, 4), 2)
        small = (np.ceil(first - 0.5) > np.floor(last - 0.5)).any(axis=1)
        text = f"{path}: %s not labelled, too small to cover the middle of a pixel"
        return count_geometries(text, np.count_nonzero(small))

    def only_polygons(self, layer: Layer, around: str) -> "Shapes":
        """Returns the polygons, with a note on what is left out.

        Args:
            layer: Layer of the shapes.
            around: What polygons are drawn around, for messages.

        Returns:
            The polygons.

        Raises:
            InputError: If there are none.
        """
        areal = shapely.get_dimensions(self.geometries) == 2
        if not areal.any():
            raise InputError(
                f"{layer.path}: layer {layer.name!r} holds {' and '.join(sorted(kinds(self)))}, no"
                f" polygons. Draw polygons around {around}."
            )
        left_out = f"{np.count_nonzero(~areal)} of {len(areal)} shapes are not polygons: left out"
        notes = () if areal.all() else (f"{layer.path}: {left_out}",)
        return replace(self.subset(areal), notes=(*self.notes, *notes))


def count_geometries(text: str, count: int) -> list[str]:
    """Writes a note on a number of geometries.

    Args:
        text: The note, with %s for the number.
        count: The number.

    Returns:
        The note; none for 0.
    """
    things = f"{count} {'geometry' if count == 1 else 'geometries'}"
    return [text % things] if count else []


def kinds(shapes: Shapes) -> set[str]:
    """Lists the kinds of geometry among shapes.

    Args:
        shapes: The shapes.

    Returns:
        Some of points, lines and polygons.
    """
    return {_KINDS[dimension] for dimension in shapely.get_dimensions(shapes.geometries).tolist()}
