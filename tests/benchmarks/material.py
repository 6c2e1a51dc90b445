"""Data of the benchmarks: sample scenes, and the bundled model or another.

Scenes are made once, in the folder bench.
"""

import shutil
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.core.model.folder import load_model_info
from segment.sample import write_sample

FOLDER = Path("bench")


def scene(height: int, width: int, seed: int) -> Path:
    """Returns the path of a sample scene. Its reference is truth.tif in the same folder."""
    folder = FOLDER / f"town-{height}x{width}-{seed}"
    if not folder.exists():
        write_sample(folder, height, width, seed)
    return folder / "scene.tif"


def mapping_model(run: Path | None = None, tiles: Path | None = None) -> Path:
    """Returns a model folder with an int8 model.

    It is the bundled one, unless another run is given, with tiles to quantise on.
    """
    from segment.training.export import export_model

    if run is None:
        return BUNDLED
    folder = FOLDER / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("model.keras", "model.yaml"):
        shutil.copy(run / name, folder)
    export_model(folder, "openvino", int8=tiles)
    return folder


def tiles_of(path: Path, tile: int, count: int) -> NDArray[np.uint8]:
    """Reads the first `count` square tiles of a scene, without overlap: (count, tile, tile, 3)."""
    with rasterio.open(path) as file:
        across = file.width // tile
        strip = file.read(window=((0, tile * -(-count // across)), (0, across * tile)))
    parts = (
        strip.reshape(3, -1, tile, across, tile).transpose(1, 3, 2, 4, 0).reshape(-1, tile, tile, 3)
    )
    return np.ascontiguousarray(parts[:count])


def quantised_scores(model: Path) -> dict[str, dict[str, float]]:
    """Returns the scores before and after quantisation, as the export measured them."""
    info = load_model_info(model).openvino
    assert info is not None, "quantised where it was exported"
    return info.scores


def read(path: Path) -> NDArray[np.uint8]:
    """Reads the first band of a raster."""
    with rasterio.open(path) as file:
        return file.read(1)
