"""Time to read a crop of a scene with its mask, see docs/decisions/0071.

Usage: python -m tests.benchmarks.scene_crops FOLDER [PIXELS [CACHE_MB]]
"""

import sys
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from segment.config import Config
from segment.core.labels.classes import Class, ClassTable
from segment.data.pairs.find_scenes import find_scenes
from segment.data.pixels import TilePixels

CROPS, EDGE = 150, 256
TABLE = ClassTable([Class(name="a", color="#804000"), Class(name="b", color="#0000FF")])
LAYOUTS = {
    "tiled": {"tiled": True, "blockxsize": 512, "blockysize": 512},
    "striped": {"blockysize": 8},
}


def write(path: Path, size: int, bands: int, layout: dict) -> Path:
    """Writes a deflated raster of repeated noise, by rows."""
    noise = np.random.default_rng(0).integers(0, 16, (512, 512, bands), dtype=np.uint8) * 16
    pixels = noise if bands > 1 else (noise > 120).astype(np.uint8)
    row = np.tile(pixels, (1, -(-size // 512), 1))[:, :size].transpose(2, 0, 1)
    shape = {"width": size, "height": size, "count": bands, "dtype": "uint8"}
    ground = {"crs": "EPSG:32640", "transform": from_origin(5e5, 2.7e6, 0.3, 0.3)}
    options = shape | ground | layout
    with rasterio.open(path, "w", driver="GTiff", compress="deflate", **options) as file:
        for top in range(0, size, 512):
            height = min(512, size - top)
            file.write(row[:, :height], window=((top, top + height), (0, size)))
    return path


def main() -> None:
    """Prints the mean milliseconds of a crop, at first and once the cache is filled."""
    folder = Path(sys.argv[1])
    given = [int(text) for text in sys.argv[2:4]]
    size, megabytes = (*given, *[20_000, 0][len(given) :])
    folder.mkdir(parents=True, exist_ok=True)
    for name, layout in LAYOUTS.items():
        scene = write(folder / f"{name}.tif", size, 3, layout)
        mask = write(folder / f"{name}_mask.tif", size, 1, layout)
        settings = Config.model_validate({"data": {"labels": {"path": str(mask)}}}).data
        (pair,) = find_scenes(scene, settings, "", TABLE, "data.classes").pairs
        found = TilePixels(TABLE, "ignore", megabytes).load(pair)
        random = np.random.default_rng(1)
        for when in ("at first", "afterwards"):
            begin = time.perf_counter()
            for row, column in random.integers(0, size - EDGE, (CROPS, 2)).tolist():
                found.cut(row, column, EDGE)
            spent = 1000 * (time.perf_counter() - begin) / CROPS
            print(f"{name} {size} px, {megabytes} MB, {when}: {spent:.1f} ms a crop")


if __name__ == "__main__":
    main()
