"""Cutting of a scene with polygons against cutting it with a mask of the same labels.

Usage: python -m tests.benchmarks.polygons FOLDER [PIXELS [POLYGONS]]
"""

import sys
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from rasterio.features import rasterize

from segment.core.labels.classes import save_class_table
from tests.benchmarks.measure import COMMANDS, Run, report_figure, run, take_turns
from tests.benchmarks.scene_crops import LAYOUTS, TABLE, write

ROUNDS = 2


def main() -> None:
    """Prints the ratio of seconds and the peak memory of both."""
    folder = Path(sys.argv[1])
    given = [int(text) for text in sys.argv[2:4]]
    size, count = (*given, *[20_000, 100_000][len(given) :])
    folder.mkdir(parents=True, exist_ok=True)
    scene = write(folder / "scene.tif", size, 3, LAYOUTS["tiled"])
    with rasterio.open(scene) as file:
        profile, transform, crs = file.profile, file.transform, file.crs.to_wkt()
    random = np.random.default_rng(0)
    # polygons of 16 corners, 20 to 120 px wide, placed at random
    angles = np.linspace(0, 2 * np.pi, 17)[np.newaxis, :-1]
    radius = random.uniform(10, 60, (count, 1)) * random.uniform(0.7, 1, (count, 16))
    middle = random.uniform(0, size, (2, count, 1))
    x, y = middle[0] + radius * np.cos(angles), middle[1] + radius * np.sin(angles)
    polygons = shapely.polygons(np.stack(transform * (x, y), axis=-1))
    # the smaller one is on top, as segment-tile has it
    polygons = polygons[np.argsort(-shapely.area(polygons), kind="stable")]
    values = random.integers(0, 2, count)
    pyogrio.raw.write(
        folder / "labels.gpkg",
        shapely.to_wkb(polygons),
        [np.array(TABLE.names, object)[values]],
        ["class"],
        layer="labels",
        geometry_type="Polygon",
        crs=crs,
    )
    burned = rasterize(
        zip(polygons, values.tolist(), strict=True), (size, size), fill=255, transform=transform
    )
    mask = folder / "mask.tif"
    with rasterio.open(mask, "w", **profile | {"count": 1, "nodata": 255}) as file:
        file.write(burned.astype(np.uint8), 1)
    save_class_table(TABLE, folder / "classes.yaml")
    runs: dict[str, list[Run]] = {"labels": [], "mask": []}

    def cut(name: str, *options: str | Path) -> float:
        more = ["--output", folder / f"tiles-{name}", "--overwrite", "--quiet"]
        runs[name].append(run([COMMANDS / "segment-tile", scene, *options, *more]))
        return runs[name][-1].seconds

    seconds = take_turns(
        {
            "labels": lambda: cut("labels", "--labels", folder / "labels.gpkg", "--field", "class"),
            "mask": lambda: cut("mask", "--mask", mask),
        },
        ROUNDS,
    )
    what = f"{size} px with {count} polygons"
    report_figure(
        f"seconds of segment-tile, {what}, over those with a mask",
        seconds["labels"] / seconds["mask"],
        at_most=1.5,
        seconds=seconds,
        peak_mb={name: round(max(one.peak_mb for one in some)) for name, some in runs.items()},
    )
    unequal = 0
    for tile in sorted((folder / "tiles-mask").rglob("masks/*.tif")):
        with (
            rasterio.open(tile) as one,
            rasterio.open(
                folder / "tiles-labels" / tile.relative_to(folder / "tiles-mask")
            ) as other,
        ):
            unequal += int((one.read(1) != other.read(1)).sum())
    report_figure(f"pixels of masks that differ, {what}", unequal, at_most=0)


if __name__ == "__main__":
    main()
