"""Quality and speed of maps by tile size, overlap and way of merging, see docs/tiles.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment import tiling
from segment.core.model.runtime import Model, load_model
from segment.core.raster.sources import Source
from segment.mapping.loop import map_window
from segment.mapping.model_view import plan_tiles
from segment.mapping.reference import open_reference
from segment.scores import Confusion
from segment.tile_window import Window
from segment.tiling import TilePlan
from tests.benchmarks.material import scene
from tests.benchmarks.measure import report_figure, take_turns, timed
from tests.benchmarks.seams import seam_ratio

CHOICES = [
    (256, 64),
    (256, 128),
    (384, 64),
    (384, 96),
    (512, 64),
    (512, 96),
    (512, 128),
    (512, 256),
    (1024, 128),
]


def tiles(model: Path, path: Path | None = None, rounds: int = 3) -> None:
    """Measures speed, and scores by the way of merging, of each tile size and overlap (pixels)."""
    path, loaded = path or scene(2048, 2048, 0), load_model(model, "openvino")
    source, reference = Source(path), Source(path.with_name("truth.tif"))
    with source.open() as raster:
        plans = {
            (t, s, m): plan_tiles(raster, loaded.info, t, s / t)
            for t, s in CHOICES
            for m in ("blend", "crop")
        }
        with open_reference(reference, raster, loaded.info.class_table) as opened:
            truth = opened.read(0, raster.height)
    whole = {choice: labels(source, plan, loaded, choice[2]) for choice, plan in plans.items()}
    blends = {choice: plan for choice, plan in plans.items() if choice[2] == "blend"}
    seconds = take_turns(
        {str(c): lambda p=p: timed(lambda: labels(source, p, loaded)) for c, p in blends.items()},
        rounds,
    )
    scores: dict[tuple[int, int, str], dict[str, float]] = {}
    for choice, found in whole.items():
        confusion = Confusion(loaded.info.class_table.names)
        confusion.add(truth, found)
        seams = seam_ratio(found, plans[choice])
        scores[choice] = {
            "mean_jaccard": round(confusion.mean_jaccard, 4),
            "seams": round(seams, 3),
        }
    for tile, shared in CHOICES:
        both = {merge: scores[tile, shared, merge] for merge in ("blend", "crop")}
        pixels = whole[tile, shared, "blend"].size
        rate = pixels / 1e6 / seconds[str((tile, shared, "blend"))]
        report_figure(f"megapixels/s, tile {tile}, shared {shared}", rate, **both)


def labels(source: Source, plan: TilePlan, model: Model, merge: str = "blend") -> NDArray[np.uint8]:
    """Returns the class indices of a whole scene."""
    with merging(plan, merge):
        strips = map_window(source, Window(plan, 0, plan.height, 0, plan.width), model)
        return np.concatenate([strip.labels() for strip in strips])


@contextmanager
def merging(plan: TilePlan, merge: str) -> Iterator[None]:
    """Sets how tiles are merged while the context is open.

    "blend" merges by weights. "crop" takes the centre of each tile, up to the middle of the
    overlap.
    """
    original = tiling.blend_weights
    centre = np.zeros(plan.tile, np.float32)
    centre[plan.shared // 2 : plan.tile - plan.shared // 2] = 1
    if merge == "crop":
        tiling.blend_weights = lambda tile: centre
    try:
        yield
    finally:
        tiling.blend_weights = original
