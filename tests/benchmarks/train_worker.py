"""Trains on Keras when it is asked to, as `segment-train` does; the backend is KERAS_BACKEND.

A request is a line of JSON, the answer the seconds a tile: see `Worker`.
"""

import json
import math
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

from segment.core.model.backend import load_keras

keras = load_keras()

import numpy as np  # noqa: E402

from segment.config import Config  # noqa: E402
from segment.core.config import load_settings  # noqa: E402
from segment.core.progress import Progress, Silent  # noqa: E402
from segment.core.training.devices import Devices  # noqa: E402
from segment.core.training.optimizers import Phase, compile_phase, dtype_policy  # noqa: E402
from segment.core.training.precision import choose_precision  # noqa: E402
from segment.core.training.shared_batches import FixedSteps  # noqa: E402
from segment.data.dataset import TileDataset  # noqa: E402
from segment.data.pixels import TilePixels  # noqa: E402
from segment.data.training_data import TrainingData  # noqa: E402
from segment.training.losses import build_loss  # noqa: E402
from segment.training.models import build_model  # noqa: E402
from segment.training.training_tiles import training_tiles  # noqa: E402

LONGEST = 10.0  # seconds of a turn


class Stored(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of a file, over and over."""

    def __init__(self, file: Path):
        """Reads the batches."""
        super().__init__()
        with np.load(file) as arrays:
            self._images, self._masks = arrays["images"], arrays["masks"]
        self.epoch = 0

    def __len__(self) -> int:
        """Returns the number of batches."""
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Returns a batch."""
        return self._images[index], self._masks[index]


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes when steps end; the first one, in which the fit begins, is the start."""

    def __init__(self) -> None:
        """Starts the clock."""
        super().__init__()
        self._started, self.ends = time.perf_counter(), list[float]()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Waits for the step to end."""
        float((logs or {}).get("loss", math.nan))
        self.ends.append(time.perf_counter())
        if len(self.ends) > 1 and self.ends[-1] - self._started > LONGEST:
            self.model.stop_training = True


def training_of(
    folder: Path, config: Config, progress: Progress
) -> tuple[TrainingData, TileDataset]:
    """Returns the training data in a folder, and the batches that are trained on."""
    data = TrainingData.prepare(folder / "tiles", config, progress)
    pixels = TilePixels(
        data.class_table, config.data.undeclared, config.data.cache_mb, tables=data.tables
    )
    return data, training_tiles(pixels, data, config)


@cache
def trainee(folder: Path, name: str) -> tuple[Any, TileDataset]:
    """Returns a compiled model and its batches. A name is a precision, then perhaps xla."""
    precision, *xla = name.split()
    config = load_settings(Config, None, [f"training.precision={precision}"])
    data, tiles = training_of(folder, config, Silent())
    keras.utils.set_random_seed(0)
    with dtype_policy(choose_precision(config.training).policy):
        network = build_model(
            config.model,
            len(data.class_table),
            data.survey.statistics,
            config.data.normalise,
            config.data.tile,
        ).network
    loss = build_loss(config.loss, data.class_weights, data.labels)
    model = compile_phase(
        network, loss, Phase(config.training.epochs, 1e-3), config.training, len(tiles), Devices()
    )
    if xla:
        model.jit_compile = True
    return model, tiles


def answer(folder: Path, contestant: str, kind: str, steps: int = 0) -> float:
    """Returns the seconds a tile of steps, or of an epoch with the loading of its tiles."""
    model, tiles = trainee(folder, contestant)
    if kind == "epoch":
        started = time.perf_counter()
        Devices().fit(model, tiles, 0, keras.callbacks.Callback())
        return (time.perf_counter() - started) / tiles.epoch_tiles
    clock = Clock()
    batches = FixedSteps(Stored(folder / "batches.npz"), steps + 1)
    Devices().fit(model, batches, 0, clock)
    return (clock.ends[-1] - clock.ends[0]) / (len(clock.ends) - 1) / tiles.batch_size


def main(folder: Path) -> None:
    """Answers requests until there are no more."""
    for line in sys.stdin:
        print(json.dumps(answer(folder, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
