"""Maps of ONNX files, with the bundled network as one: faithful, without seams, in int8."""

import shutil
from pathlib import Path

import numpy as np

from segment.annotations.cutting import cut_scene
from segment.core.choices import OVERLAP
from segment.core.onnx_models.loading import load_model, load_model_info
from segment.core.raster.sources import Source
from segment.mapping.model_view import plan_tiles
from segment.mapping.window import predict_window
from segment.scores import Confusion
from tests.benchmarks.material import FOLDER, read, scene, tiles_of
from tests.benchmarks.measure import report_figure
from tests.benchmarks.seams import seam_ratio

SIZE, TOWN, OTHER = 2048, 5, 77
"""Edge of the towns in pixels, and their seeds: one is mapped, the other one calibrates."""


def onnx(model: Path) -> None:
    """Exports a model to ONNX, and maps a town with it as with the file of somebody else.

    The network takes tiles of one size, so that overlap is all that hides seams.
    """
    import onnxruntime

    from segment.training.export import export_model

    folder = FOLDER / "onnx"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = export_model(model, "onnx", output=folder / "town.onnx").path
    info, town = load_model_info(file), scene(SIZE, SIZE, TOWN)
    tiles = tiles_of(town, info.tile, 4)
    session = onnxruntime.InferenceSession(file)
    feed = {session.get_inputs()[0].name: tiles.transpose(0, 3, 1, 2) / np.float32(255)}
    alone = session.run(None, feed)[0].argmax(axis=1)
    same = (load_model(file).predict(tiles).argmax(axis=-1) == alone).mean()
    report_figure("classes of tiles as ONNX Runtime gives them", same, at_least=0.99)
    exact = predict_window(town, file, resample=False)
    with Source(town).open() as raster:
        plan = plan_tiles(raster, info, None, OVERLAP)
    # the same lines in a map with other tiles show what the town itself has there
    others = seam_ratio(predict_window(town, file, resample=False, overlap=0.3), plan)
    ratio = seam_ratio(exact, plan)
    report_figure("seams, ONNX", ratio / others, at_most=1.05, here=ratio, with_other_tiles=others)
    place = scene(SIZE, SIZE, OTHER)
    cut_scene(place, place.with_name("truth.tif"), folder / "tiles", info.tile)
    export_model(file, int8=folder / "tiles")
    rounded = predict_window(town, file, resample=False)
    report_figure("classes in int8 as in floats", (rounded == exact).mean(), at_least=0.98)
    truth = read(town.with_name("truth.tif"))
    before, after = Confusion(info.class_table.names), Confusion(info.class_table.names)
    before.add(truth, exact)
    after.add(truth, rounded)
    lost = before.mean_jaccard - after.mean_jaccard
    report_figure("mean Jaccard lost in int8", lost, at_most=0.005, floats=before.mean_jaccard)
