"""Kinds of shapes: points, lines and polygons."""

from dataclasses import replace

import numpy as np

from segment.annotations.shapes import Shapes
from segment.annotations.vector_layer import Layer
from segment.core.errors import InputError

_KINDS = ("points", "lines", "polygons")  # by shapely.get_dimensions


def kinds(shapes: Shapes) -> set[str]:
    """Lists the kinds of geometry among shapes.

    Args:
        shapes: The shapes.

    Returns:
        Some of points, lines and polygons.
    """
    import shapely

    return {_KINDS[dimension] for dimension in shapely.get_dimensions(shapes.geometries).tolist()}


def polygons_of(shapes: Shapes, layer: Layer, around: str) -> Shapes:
    """Leaves out what is not a polygon.

    Args:
        shapes: Shapes of a layer.
        layer: The layer.
        around: What polygons are drawn around, for messages.

    Returns:
        The polygons, with a note on how many shapes are none.

    Raises:
        InputError: If there are none.
    """
    import shapely

    areal = shapely.get_dimensions(shapes.geometries) == 2
    if not areal.any():
        raise InputError(
            f"{layer.path}: layer {layer.name!r} holds {' and '.join(sorted(kinds(shapes)))}, no"
            f" polygons. Draw polygons around {around}."
        )
    thin = np.count_nonzero(~areal)
    note = f"{layer.path}: {thin} of {len(areal)} shapes are not polygons: left out"
    notes = shapes.notes if areal.all() else (*shapes.notes, note)
    return replace(shapes.subset(areal), notes=notes)
