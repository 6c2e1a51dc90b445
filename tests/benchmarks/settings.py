"""Speed of mapping by tile size, overlap, batch and threads, on each backend of this machine.

The fastest are to be set in `segment.core.choices`: TILE, OVERLAP and FASTEST.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from segment.core.choices import FASTEST, OVERLAP, TILE, Runtime
from segment.core.machine import available_cores
from segment.core.model.backend import has_gpu
from segment.core.model.runtime import Model, load_model
from segment.core.raster.sources import Source
from segment.mapping.loop import map_window
from segment.mapping.model_view import plan_tiles
from segment.tile_window import Window
from tests.benchmarks.material import scene
from tests.benchmarks.measure import take_turns, timed

_TILES = [(256, 64), (384, 96), (512, 64), (512, 96), (512, 128), (768, 96)]  # edge, shared
_BATCHES = [1, 2, 4, 8, 16]  # tiles of the default edge


@dataclass(frozen=True)
class Setting:
    """Settings of a map, of which one differs from the default."""

    backend: str
    tile: int
    shared: int
    batch: int
    threads: int


def settings(model: Path, path: Path | None = None, size: int = 1536, rounds: int = 3) -> None:
    """Prints a line of JSON for each setting, and the fastest of each backend.

    The contestants of a backend take turns. Start, outputs and compilation are not measured.
    """
    path = path or scene(size, size, 0)
    runtimes: dict[str, Runtime] = {"openvino": "openvino"}
    runtimes["keras on GPU" if has_gpu() else "keras"] = "keras"
    for backend, runtime in runtimes.items():
        calls: dict[str, Callable[[], float]] = {}
        loaded: dict[int, Model] = {}
        choices = list(dict.fromkeys(_contestants(backend)))
        for setting in choices:
            if setting.threads not in loaded:
                with _threads(setting):  # of which OpenVINO makes its streams
                    loaded[setting.threads] = load_model(model, runtime)
            run = partial(_map, Source(path), loaded[setting.threads], setting)
            pixels = run()  # compiles the network for this size
            calls[str(setting)] = partial(timed, run)
        seconds = take_turns(calls, rounds)
        for setting in choices:
            speed = pixels / 1e6 / seconds[str(setting)]
            print(json.dumps(vars(setting) | {"megapixels_per_s": round(speed, 3)}), flush=True)
        best = min(choices, key=lambda setting: seconds[str(setting)])
        print(json.dumps({"fastest": vars(best), "default": vars(choices[0])}), flush=True)


def _contestants(backend: str) -> list[Setting]:
    """The default, then those that differ from it in tile and overlap, in batch, or in threads."""
    is_openvino = backend == "openvino"
    fastest, cores = FASTEST[backend], available_cores()
    threads = min(cores, fastest.threads)
    default = Setting(backend, TILE, round(TILE * OVERLAP), fastest.of(TILE), threads)
    found = [default]
    found += [
        replace(default, tile=tile, shared=shared, batch=fastest.of(tile))
        for tile, shared in _TILES
    ]
    found += [replace(default, batch=batch) for batch in _BATCHES]
    more = {1, 2, cores // 2, cores} - {0} if is_openvino else {1, 2}
    return found + [replace(default, threads=number) for number in sorted(more)]


@contextmanager
def _threads(setting: Setting) -> Iterator[None]:
    """Gives a backend the threads of a setting while the context is open."""
    kept = FASTEST[setting.backend]
    FASTEST[setting.backend] = replace(kept, threads=setting.threads)
    try:
        yield
    finally:
        FASTEST[setting.backend] = kept


def _map(source: Source, model: Model, setting: Setting) -> int:
    """Maps a scene without writing it, and returns its pixels."""
    with source.open() as raster:
        plan = plan_tiles(raster, model.info, setting.tile, setting.shared / setting.tile)
    window = Window(plan, 0, plan.height, 0, plan.width)
    with _threads(setting):
        strips = map_window(source, window, model, batch_size=setting.batch)
        return sum(strip.labels().size for strip in strips)
