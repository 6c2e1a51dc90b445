"""Speed of the command against the model alone, of int8, of the start, and of a naive script."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from segment.core.choices import OVERLAP, TILE
from segment.core.model.runtime import Model, load_model
from segment.core.raster.sources import Source
from segment.mapping.model_view import plan_tiles
from tests.benchmarks.material import FOLDER, quantised_scores, scene, tiles_of
from tests.benchmarks.measure import (
    COMMANDS,
    report_figure,
    run,
    segment_predict,
    take_turns,
    timed,
)

SIZE = 8192


def throughput(model: Path, rounds: int = 3) -> None:
    """Compares the command with the model alone, in tiles per second.

    The scene has 8192 x 8192 pixels. The start and the outputs of the command are included.
    """
    path, loaded = scene(SIZE, SIZE, 1), load_model(model, "openvino")
    with Source(path).open() as raster:
        plan = plan_tiles(raster, loaded.info, None, OVERLAP)
    count, tiles = len(plan.rows) * len(plan.columns), tiles_of(path, TILE, 100)
    predict_all(loaded, tiles[:4])
    rates = take_turns(
        {
            "command": lambda: count / segment_predict(path, model, FOLDER / "out").seconds,
            "model": lambda: len(tiles) / timed(lambda: predict_all(loaded, tiles)),
        },
        rounds,
    )
    details = {
        "tile": TILE,
        "overlap": OVERLAP,
        "command_tiles_per_s": rates["command"],
        "model_tiles_per_s": rates["model"],
    }
    report_figure(
        "whole command against model alone, tiles/s",
        rates["command"] / rates["model"],
        at_least=0.93,
        **details,
    )
    report_figure(
        "megapixels/s of the whole command, 8192 x 8192", rates["command"] / count * SIZE**2 / 1e6
    )


def predict_all(model: Model, tiles: object) -> None:
    """Predicts all tiles with the batch size and the number of threads that the command uses."""
    size, workers = model.recommended_batches(tiles.shape[1])  # type: ignore[attr-defined]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(model.predict, (tiles[i : i + size] for i in range(0, len(tiles), size))))  # type: ignore[arg-type, index]


def quantised(model: Path, rounds: int = 5) -> None:
    """Compares the int8 model with Keras on TensorFlow.

    The speed is measured on the same tiles. The scores are those measured by the export.
    """
    forms = {runtime: load_model(model, runtime) for runtime in ("keras", "openvino")}  # type: ignore[arg-type]
    tiles = tiles_of(scene(SIZE, SIZE, 1), 256, 48)
    for form in forms.values():
        predict_all(form, tiles[:16])
    rates = take_turns(
        {
            n: lambda f=f: len(tiles) / timed(lambda: predict_all(f, tiles))
            for n, f in forms.items()
        },
        rounds,
    )
    report_figure(
        "int8 against Keras on TensorFlow, tiles of 256 px",
        rates["openvino"] / rates["keras"],
        at_least=2.3,
        tiles_per_s=rates,
    )
    scores = quantised_scores(model)
    fall = 100 * (scores["keras"]["mean_jaccard"] - scores["int8"]["mean_jaccard"])
    report_figure("points of mean Jaccard that int8 loses", fall, at_most=0.5, **scores)


def start(model: Path, rounds: int = 7) -> None:
    """Measures the seconds from the command to the first finished row strip, 512 x 512 pixels."""
    path, output = scene(512, 512, 2), FOLDER / "start"
    command = [
        COMMANDS / "segment-predict",
        path,
        "--model",
        model,
        "--output",
        output,
        "--overwrite",
        "--quiet",
    ]
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command])
        journal = output / ".scene_classes.tif.partial" / "work" / "journal.json"
        while not journal.exists() and process.poll() is None:
            time.sleep(0.002)
        found.append(time.perf_counter() - begun)
        assert process.wait() == 0
    report_figure(
        "seconds to the first band, 512 x 512",
        sorted(found)[len(found) // 2],
        at_most=2.0,
        slowest=max(found),
    )


def naive(model: Path, rounds: int = 3, size: int = 4096) -> None:
    """Compares the command with patchify, model.predict and unpatchify of a whole scene."""
    path = scene(size, size, 1)
    script = Path(__file__).with_name("naive.py")
    peaks: dict[str, float] = {}

    def ours() -> float:
        done = segment_predict(path, model, FOLDER / "out")
        peaks["command"] = done.peak_mb
        return done.seconds

    def theirs() -> float:
        done = run([sys.executable, script, path, model / "model.keras", FOLDER / "naive.npy"])
        peaks["naive"] = done.peak_mb
        return done.seconds

    seconds = take_turns({"command": ours, "naive": theirs}, rounds)
    report_figure(
        f"speed against the naive way, {size} x {size}",
        seconds["naive"] / seconds["command"],
        at_least=1.0,
        seconds=seconds,
    )
    report_figure(
        f"memory against the naive way, {size} x {size}",
        peaks["command"] / peaks["naive"],
        at_most=1.0,
        peak_mb=peaks,
    )
