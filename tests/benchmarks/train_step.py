"""Training of `segment-train` against the same network in PyTorch: seconds a tile.

Its environment is made by `make bench-train`. Each worker process holds several contestants, which
take turns: `train_worker` those on Keras, `peers_training` those in PyTorch.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segment.annotations.cutting import cut_scene
from segment.config import Config
from segment.core.progress import Silent
from tests.benchmarks.material import FOLDER, scene
from tests.benchmarks.measure import machine, report_figure, take_turns
from tests.benchmarks.peers import PYTHON

SIZE, BATCHES = 2048, 4  # edge of the town that tiles are cut from; batches that steps repeat
KERAS = {
    "tensorflow": ("float32", "mixed", "float32 xla", "mixed xla"),
    "jax": ("float32", "mixed"),
}
PYTORCH = ("eager float32", "compiled float32")
PYTORCH_BFLOAT16 = ("eager bfloat16", "compiled bfloat16")


class Worker:
    """A process that trains when it is asked to, and waits in between."""

    def __init__(self, command: Sequence[str | Path], **environment: str):
        """Starts the process."""
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | environment,
            text=True,
        )

    def ask(self, **request: Any) -> float:
        """Returns the seconds a tile that a request has taken."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args} ended, asked for {request}")
        return float(json.loads(answer))

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def train_step(rounds: int = 5, steps: int = 8, only: Sequence[str] = ()) -> None:
    """Compares steps on batches in memory, and epochs that load and change their tiles.

    Args:
        rounds: Turns of each contestant.
        steps: Steps of a turn; a turn ends after ten seconds at the latest.
        only: Names of contestants; all by default.
    """
    folder = tiles_and_batches()
    contestants = {f"{kind} {name}": kind for kind, names in KERAS.items() for name in names}
    with_bfloat16 = "bf16" in machine()
    for name in PYTORCH + (PYTORCH_BFLOAT16 if with_bfloat16 else ()):
        contestants[f"pytorch {name}"] = "pytorch"
    if only:
        contestants = {name: kind for name, kind in contestants.items() if name in only}
    ours, theirs = (
        [name for name, kind in contestants.items() if (kind == "pytorch") is pytorch]
        for pytorch in (False, True)
    )
    if not (ours and theirs):
        raise SystemExit(f"there is nothing to compare among {', '.join(contestants)}")
    worker = Path(__file__).with_name("peers_training.py")
    workers = {
        kind: Worker([PYTHON, worker, folder])
        if kind == "pytorch"
        else Worker(
            [sys.executable, "-m", "tests.benchmarks.train_worker", folder], KERAS_BACKEND=kind
        )
        for kind in set(contestants.values())
    }

    def seconds(kind: str, names: Sequence[str], turns: int, **request: Any) -> dict[str, float]:
        calls = {}
        for name in names:
            process, own = workers[contestants[name]], name.split(" ", 1)[1]
            call = lambda w=process, n=own: w.ask(contestant=n, kind=kind, **request)  # noqa: E731
            calls[name] = call
        return take_turns(calls, turns)

    every = list(contestants)
    seconds("steps", every, 1, steps=2)  # builds and compiles each
    found = seconds("steps", every, rounds, steps=steps)
    best = [min(names, key=found.__getitem__) for names in (ours, theirs)]
    report_figure(
        "seconds a tile of segment-train over those of PyTorch, best setting of each",
        found[best[0]] / found[best[1]],
        at_most=1.25,
        seconds_a_tile=found,
    )
    seconds("epoch", best, 1)  # fills caches
    epochs = seconds("epoch", best, max(rounds // 2, 1))
    report_figure(
        "the same, an epoch that loads and changes its tiles",
        epochs[best[0]] / epochs[best[1]],
        seconds_a_tile=epochs,
    )
    for process in workers.values():
        process.close()


def tiles_and_batches() -> Path:
    """Makes a tile folder, and batches of it in `batches.npz`, the same for all contestants."""
    from segment.core.model.backend import load_keras

    load_keras()
    from tests.benchmarks.train_worker import training_of

    folder = FOLDER / "train-step"
    if not (folder / "tiles").exists():
        file = scene(SIZE, SIZE, 1)
        cut_scene(file, file.with_name("truth.tif"), folder / "tiles", Config().data.tile)
    data, dataset = training_of(folder, Config(), Silent())
    images, masks = zip(*(dataset[i] for i in range(BATCHES)), strict=True)
    np.savez(folder / "batches.npz", images=images, masks=masks, classes=len(data.class_table))
    return folder
