"""Corrects polygons: python correct_polygons.py scene.gpkg truth.tif classes.yaml fixed.gpkg"""

import sys
from pathlib import Path

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from rasterio.features import rasterize

from segment.core.labels.classes import load_class_table


def main(mapped: Path, truth: Path, classes: Path, output: Path, count: int = 20) -> int:
    """Writes polygons that are at least 90 % of one class: the largest wrong and right ones."""
    names = {c.value: c.name for c in load_class_table(classes).classes}
    meta, _, wkb, (found,) = pyogrio.raw.read(mapped, layer=0, columns=["class"])
    with rasterio.open(truth) as file:
        values, transform = file.read(1), file.transform
    numbered = zip(shapely.from_wkb(wkb), range(1, len(wkb) + 1), strict=True)
    numbers = rasterize(numbered, values.shape, transform=transform, dtype=np.int32)
    true = np.zeros((len(wkb) + 1, 256), np.int64)
    np.add.at(true, (numbers.ravel(), values.ravel()), 1)
    pixels, actual = true[1:].sum(axis=1), true[1:].argmax(axis=1)
    pure = true[1:].max(axis=1) >= 0.9 * np.maximum(pixels, 1)
    order, chosen = np.argsort(-pixels, kind="stable"), list[int]()
    for value, name in names.items():
        largest = order[(pure & (actual == value))[order]]
        for kind in (found[largest] != name, found[largest] == name):
            chosen += largest[kind][: count // len(names)].tolist()
    field = np.array([names[int(actual[one])] for one in chosen], object)
    pyogrio.raw.write(
        output, wkb[chosen], [field], ["class"], geometry_type="Unknown", crs=meta["crs"]
    )
    return len(chosen)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
