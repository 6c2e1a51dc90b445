"""Puts the nine parts of a Dubai tile back together: python examples/join_parts.py "dubai/Tile 8"
OUTPUT

Writes scene.tif and truth.tif. The parts are a 3 x 3 cut in reading order; some are a pixel larger
and lose it.
"""

import sys
from pathlib import Path

import numpy as np
import rasterio

from segment.core.raster.masks import read_mask
from segment.core.raster.opening import open_raster


def join(parts: list[np.ndarray], columns: int = 3) -> np.ndarray:
    rows = [parts[i : i + columns] for i in range(0, len(parts), columns)]
    widths = [min(part.shape[1] for part in column) for column in zip(*rows, strict=True)]
    heights = [min(part.shape[0] for part in row) for row in rows]
    cropped = [
        [part[:h, :w] for part, w in zip(row, widths, strict=True)]
        for row, h in zip(rows, heights, strict=True)
    ]
    return np.vstack([np.hstack(row) for row in cropped])


def read_image(path: Path) -> np.ndarray:
    with open_raster(path) as raster:
        return raster.read()[0]


def main(tile: Path, output: Path) -> None:
    output.mkdir(parents=True)
    for name, folder, read in (("scene", "images", read_image), ("truth", "masks", read_mask)):
        picture = join([read(path) for path in sorted((tile / folder).iterdir())])
        size = {
            "height": picture.shape[0],
            "width": picture.shape[1],
            "count": picture.shape[2],
            "dtype": "uint8",
        }
        with rasterio.open(
            output / f"{name}.tif", "w", driver="GTiff", compress="deflate", tiled=True, **size
        ) as file:
            file.write(picture.transpose(2, 0, 1))
        print(f"{output / name}.tif: {picture.shape[1]} x {picture.shape[0]} px")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:3]))
