"""Exploration of tile folders, and evaluation beside mapping, by the number of tiles."""

import shutil
from pathlib import Path

import numpy as np
import rasterio

from segment.annotations.cutting import cut_scene
from tests.benchmarks.material import FOLDER, scene
from tests.benchmarks.measure import COMMANDS, Run, report_figure, run, segment_predict, take_turns

TILE, TOWN = 256, 2560
FEW, MANY = 300, 3000
"""Tiles; a town has a hundred."""
SCORED = 4, 8
"""Rows and columns of the tiles that are scored."""


def explore(model: Path, rounds: int = 3) -> None:
    """Measures seconds a tile and peak memory of segment-explore, and segment-evaluate.

    Args:
        model: Model with an OpenVINO export.
        rounds: How often each is measured.
    """
    folders = {count: _groups(count // 100) for count in (FEW, MANY)}
    runs: dict[int, list[Run]] = {FEW: [], MANY: []}

    def seconds(count: int) -> float:
        command = [COMMANDS / "segment-explore", folders[count], "--output", FOLDER / "explored"]
        runs[count].append(run([*command, "--overwrite", "--quiet"]))
        return runs[count][-1].seconds / count

    found = take_turns({str(count): lambda c=count: seconds(c) for count in folders}, rounds)  # type: ignore[misc]
    further = (MANY * found[str(MANY)] - FEW * found[str(FEW)]) / (MANY - FEW)
    report_figure(
        f"seconds a tile of segment-explore, {MANY} tiles over {FEW}",
        found[str(MANY)] / found[str(FEW)],
        at_most=1.1,
        seconds_a_tile=found,
        seconds_a_further_tile=further,
    )
    peaks = {count: max(one.peak_mb for one in some) for count, some in runs.items()}
    report_figure(f"peak memory of segment-explore, MB, {MANY} tiles", peaks[MANY], at_most=1000)
    _evaluation(model, rounds)


def _groups(count: int) -> Path:
    """Tile folder of towns, each cut to a hundred tiles: four towns, turned and moved."""
    folder = FOLDER / f"explore-{count}"
    for number in range(count):
        group = folder / f"town{number:03}"
        if group.exists():
            continue
        place = scene(TOWN, TOWN, number % 4).parent
        moved = FOLDER / "explore-scene"
        shutil.rmtree(moved, ignore_errors=True)
        moved.mkdir()
        shutil.copy(place / "classes.yaml", moved)
        for name in ("scene.tif", "truth.tif"):
            with rasterio.open(place / name) as file:
                turned = np.rot90(file.read(), number // 4 % 4, axes=(1, 2))
                profile = file.profile
            with rasterio.open(moved / name, "w", **profile) as file:
                file.write(np.roll(turned, 61 * (number // 16), axis=2))
        cut_scene(moved / "scene.tif", moved / "truth.tif", group, TILE)
    return folder


def _evaluation(model: Path, rounds: int) -> None:
    """Compares the evaluation of tiles with the mapping of the same pixels."""
    rows, columns = SCORED
    town = scene(rows * TILE, columns * TILE, 5)
    tiles = FOLDER / "evaluate-tiles"
    if not tiles.exists():
        cut_scene(town, town.with_name("truth.tif"), tiles / "town", TILE)
    peaks: dict[str, float] = {}

    def evaluate() -> float:
        options = ["--model", model, "--runtime", "openvino", "--quiet"]
        done = run([COMMANDS / "segment-evaluate", tiles, *options])
        peaks["evaluate"] = max(done.peak_mb, peaks.get("evaluate", 0))
        return done.seconds

    def predict() -> float:
        done = segment_predict(town, model, FOLDER / "out", "--runtime", "openvino")
        peaks["predict"] = max(done.peak_mb, peaks.get("predict", 0))
        return done.seconds

    found = take_turns({"evaluate": evaluate, "predict": predict}, rounds)
    report_figure(
        f"segment-evaluate of {rows * columns} tiles over segment-predict of the same pixels",
        found["evaluate"] / found["predict"],
        at_most=1.5,
        seconds=found,
        peak_mb=peaks,
    )
