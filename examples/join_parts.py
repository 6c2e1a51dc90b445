"""Joins the 3 x 3 parts of a Dubai tile: python examples/join_parts.py "dubai/Tile 8" OUTPUT"""

import sys
from pathlib import Path

import numpy as np
import rasterio

from segment.core.labels.masks import read_mask
from segment.core.raster.opening import open_raster


def join(parts: list[np.ndarray], columns: int = 3) -> np.ndarray:
    rows = [parts[i : i + columns] for i in range(0, len(parts), columns)]
    widths = [min(part.shape[1] for part in column) for column in zip(*rows, strict=True)]
    heights = [min(part.shape[0] for part in row) for row in rows]
    joined = []
    for row, height in zip(rows, heights, strict=True):
        joined.append(np.hstack([p[:height, :w] for p, w in zip(row, widths, strict=True)]))
    return np.vstack(joined)


def read_image(path: Path) -> np.ndarray:
    with open_raster(path) as raster:
        return raster.read()[0]


def main(tile: Path, output: Path) -> None:
    output.mkdir(parents=True)
    for name, folder, read in (("scene", "images", read_image), ("truth", "masks", read_mask)):
        picture = join([read(path) for path in sorted((tile / folder).iterdir())])
        height, width, count = picture.shape
        size = {"height": height, "width": width, "count": count}
        with rasterio.open(output / f"{name}.tif", "w", dtype="uint8", tiled=True, **size) as file:
            file.write(picture.transpose(2, 0, 1))
        print(f"{output / name}.tif: {width} x {height} px")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:3]))
