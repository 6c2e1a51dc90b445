"""Exported models in other programs: the map by geodeep with the ONNX file, against ours."""

import tempfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from segment.core.model.folder import load_model_info
from segment.mapping.model_view import TILE
from segment.training.export import export_model
from segment.training.onnx_export import onnx_metadata
from tests.benchmarks.material import FOLDER, read, scene
from tests.benchmarks.measure import report_figure, segment_predict


def geodeep(model: Path) -> None:
    """Measures the share of pixels in which the map of geodeep has the same class.

    Pixels near the borders of its tiles do not count, because it does not blend tiles. It starts
    its tiles at the corner of the scene. So the scene is placed on the grid of 32 pixels, where our
    tiles start, too. It smooths each map with a median filter of 5 x 5 pixels, which is applied to
    our map as well.
    """
    from geodeep import segment
    from geodeep.utils import median_filter

    path = FOLDER / "on-grid.tif"
    with rasterio.open(scene(2048, 2048, 0)) as file:
        place = {"transform": from_origin(0.3 * 32 * 50_000, 0.3 * 32 * 280_000, 0.3, 0.3)}
        with rasterio.open(path, "w", **(file.profile | place)) as copy:
            copy.write(file.read())
    segment_predict(path, model, FOLDER / "out", "--runtime", "keras")
    ours = read(FOLDER / "out" / "on-grid_classes.tif")
    with tempfile.TemporaryDirectory() as folder:
        exported = export_model(model, "onnx", output=Path(folder) / "model.onnx").path
        theirs = segment(str(path), str(exported))
    step = TILE - TILE * int(onnx_metadata(load_model_info(model))["tiles_overlap"]) // 100
    starts = [*range(0, len(ours) - TILE + 1, step), len(ours) - TILE]
    borders = sorted(
        {
            edge
            for start in starts
            for edge in (start + (TILE - step) // 2, start + TILE - (TILE - step) // 2)
        }
    )
    away = np.ones(len(ours), bool)
    for border in borders:
        away[max(border - 16, 0) : border + 16] = False
    smoothed = median_filter(ours, 5)
    inside = np.ix_(away, away)
    report_figure(
        "pixels in which geodeep agrees, away from tile borders",
        (theirs == smoothed)[inside].mean(),
        at_least=0.99,
        everywhere=float((theirs == smoothed).mean()),
        without_our_median=float((theirs == ours).mean()),
    )
