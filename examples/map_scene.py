"""Maps a scene and reads the resulting rasters.

Usage: python examples/map_scene.py SCENE MODEL_FOLDER OUTPUT
"""

import sys
from pathlib import Path

import rasterio

import segment


def main(scene: Path, model: Path, output: Path) -> dict[str, float]:
    """Maps a scene, and opens the map as any other raster.

    Args:
        scene: Scene to map.
        model: Model folder.
        output: Folder for the map and its report.

    Returns:
        Area of each class in square metres.
    """
    result = segment.predict_scene(scene, model, output, confidence=True, overwrite=True)
    print(result)
    with rasterio.open(result.classes) as classes, rasterio.open(result.confidence) as confidence:
        sure = (confidence.read(1) > 0.8 * 254) & (classes.read(1) != classes.nodata)
    print(f"{sure.mean():.0%} of the scene is mapped with a probability above 0.8")
    return result.report["area_m2"]


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
