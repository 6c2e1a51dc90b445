"""Traces in a map of how it was made: seams of tiles, the scene's extent, and killed processes."""

import random
import shutil
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from segment.core.choices import OVERLAP
from segment.core.model.folder import load_model_info
from segment.core.raster.sources import Source
from segment.mapping.model_view import plan_tiles
from segment.tiling import TilePlan
from tests.benchmarks.material import FOLDER, read, scene
from tests.benchmarks.measure import COMMANDS, report_figure, segment_predict

DOWN, RIGHT = 37, 91


def seams(model: Path, path: Path | None = None) -> None:
    """Measures seams between tiles, and how much the map of a crop equals that of the whole scene.

    Seams show as neighbouring pixels that differ in class more often between tiles than elsewhere.
    """
    path = path or scene(8192, 8192, 1)
    output = FOLDER / "seams"
    segment_predict(path, model, output)
    labels = read(output / f"{path.stem}_classes.tif")
    with Source(path).open() as raster:
        plan = plan_tiles(raster, load_model_info(model), None, OVERLAP)
    name = path.parent.name
    # the same lines elsewhere show the effect of chance
    chance = [
        seam_ratio(np.roll(labels, (shift, shift), (0, 1)), plan)
        for shift in range(40, plan.step, 40)
    ]
    spread = [round(min(chance), 3), round(max(chance), 3)]
    report_figure(
        f"seams, {name}", seam_ratio(labels, plan), at_most=1.05, on_lines_elsewhere=spread
    )
    crop = FOLDER / "crop.tif"
    with rasterio.open(path) as file:
        window = Window(RIGHT, DOWN, file.width - RIGHT, file.height - DOWN)
        place = {
            "width": window.width,
            "height": window.height,
            "transform": file.window_transform(window),
        }
        with rasterio.open(crop, "w", **(file.profile | {"driver": "GTiff"} | place)) as part:
            part.write(file.read(window=window))
        georeferenced = file.crs is not None
    segment_predict(crop, model, output)
    same = (read(output / "crop_classes.tif") == labels[DOWN:, RIGHT:]).mean()
    report_figure(
        f"a crop mapped as in the whole, {name}", same, at_least=0.99, georeferenced=georeferenced
    )


def seam_ratio(labels: NDArray[np.uint8], plan: TilePlan) -> float:
    """Returns the ratio of two rates: how often neighbours differ between tiles, and elsewhere.

    Between tiles means across the lines where the weights of two tiles are equal. A line is three
    pairs of neighbours wide, and the tiles of a row or column have it in common.
    """
    across, elsewhere = [], []
    for axis, starts, before in ((0, plan.rows, plan.top), (1, plan.columns, plan.left)):
        rates = (np.diff(labels, axis=axis) != 0).mean(axis=1 - axis)
        at_line = np.zeros(len(rates), bool)
        for earlier, start in pairwise(starts):
            middle = (earlier + plan.tile + start) // 2 - before - 1
            at_line[max(middle - 1, 0) : middle + 2] = True
        across.append(rates[at_line].mean())
        elsewhere.append(rates[~at_line].mean())
    return float(sum(across) / sum(elsewhere))


def killed(model: Path, times: int = 10) -> None:
    """Compares maps that were killed at random times and resumed with one that was not killed."""
    path, whole, parts = scene(2048, 2048, 3), FOLDER / "whole", FOLDER / "killed"
    options = ["--model", str(model), "--quiet", "--confidence"]
    shutil.rmtree(whole, ignore_errors=True)
    begun = time.perf_counter()
    subprocess.run([COMMANDS / "segment-predict", path, *options, "--output", whole], check=True)
    length, chance, identical, taken_up = time.perf_counter() - begun, random.Random(0), 0, 0
    for _ in range(times):
        shutil.rmtree(parts, ignore_errors=True)
        process = subprocess.Popen(
            [COMMANDS / "segment-predict", path, *options, "--output", parts]
        )
        time.sleep(chance.uniform(0.2, length))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not any(parts.glob("scene*")) or process.returncode == 0, "something looks finished"
        taken_up += (parts / ".scene_classes.tif.partial" / "work" / "journal.json").exists()
        finished = process.returncode == 0
        again = ["--overwrite"] if finished else []
        subprocess.run(
            [COMMANDS / "segment-predict", path, *options, "--output", parts, *again], check=True
        )
        files = ("scene_classes.tif", "scene_confidence.tif", "scene_mask.png", "scene_overlay.jpg")
        identical += all(
            (parts / name).read_bytes() == (whole / name).read_bytes() for name in files
        )
    report_figure(
        "maps byte-identical after SIGKILL, of ten",
        identical * 10 / times,
        at_least=10,
        killed_with_rows_done=taken_up,
    )
