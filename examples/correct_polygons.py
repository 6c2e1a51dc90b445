"""Corrects polygons of a map by a reference raster, in place of an hour of work in QGIS.

python examples/correct_polygons.py maps/scene.gpkg town/truth.tif town/classes.yaml fixed.gpkg
"""

import sys
from pathlib import Path

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from rasterio.features import rasterize

from segment.core.labels.classes import load_class_table

PURE = 0.9
"""Share of a polygon that one class takes at least; others would have to be divided."""


def main(mapped: Path, truth: Path, classes: Path, output: Path, count: int = 20) -> int:
    """Writes the largest pure polygons with their true class, and leaves the rest out.

    `count` are wrong on the map, as many are right, of each class as many as of the others.
    """
    names = {c.value: c.name for c in load_class_table(classes).classes}
    layer = str(pyogrio.list_layers(mapped)[0][0])
    meta, _, wkb, (found,) = pyogrio.raw.read(mapped, layer=layer, columns=["class"])
    polygons = shapely.from_wkb(wkb)
    with rasterio.open(truth) as file:
        values, transform = file.read(1), file.transform
    numbered = zip(polygons, range(1, len(polygons) + 1), strict=True)
    numbers = rasterize(numbered, values.shape, transform=transform, dtype=np.int32)
    true = np.zeros((len(polygons) + 1, 256), np.int64)
    np.add.at(true, (numbers.ravel(), values.ravel()), 1)
    actual = np.array([names.get(int(value), "") for value in true[1:].argmax(axis=1)], object)
    pixels = true[1:].sum(axis=1)
    pure = (actual != "") & (true[1:].max(axis=1) >= PURE * np.maximum(pixels, 1))
    largest = np.argsort(-pixels, kind="stable")
    chosen = largest[(pure & (actual != found))[largest]][:count]
    for name in names.values():
        of_class = pure & (actual == found) & (actual == name)
        chosen = np.append(chosen, largest[of_class[largest]][: count // len(names)])
    pyogrio.raw.write(
        output, wkb[chosen], [actual[chosen]], ["class"], geometry_type="Unknown", crs=meta["crs"]
    )
    return len(chosen)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
