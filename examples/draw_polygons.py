"""Draws polygons: python examples/draw_polygons.py town/truth.tif town/classes.yaml out.gpkg"""

import sys
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from rasterio.features import shapes

from segment.core.labels.classes import load_class_table

CELL, FEWEST = 128, 400  # pixels: edge of squares that polygons end at, smallest area


def main(truth: Path, classes: Path, output: Path, count: int = 20, seed: int = 0) -> None:
    """Writes `count` polygons, of each class in turn, with the field class."""
    names = {c.value: c.name for c in load_class_table(classes).classes}
    with rasterio.open(truth) as file:
        values, transform, crs = file.read(1), file.transform, file.crs
    rows, columns = np.indices(values.shape) // CELL
    pieces = (values + 256 * (rows + 1000 * columns)).astype(np.int32)
    found: dict[str, list[shapely.Geometry]] = {name: [] for name in names.values()}
    for shape, value in shapes(pieces, transform=transform):
        polygon = shapely.geometry.shape(shape)
        if polygon.area >= FEWEST * abs(transform.determinant) and int(value) % 256 in names:
            found[names[int(value) % 256]].append(polygon)
    random = np.random.default_rng(seed)
    turns = zip_longest(*([(p, n) for p in random.permutation(some)] for n, some in found.items()))
    drawn = [one for turn in turns for one in turn if one][:count]
    wkb, field = shapely.to_wkb([p for p, _ in drawn]), np.array([n for _, n in drawn], object)
    pyogrio.raw.write(output, wkb, [field], ["class"], geometry_type="Polygon", crs=crs.to_wkt())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
