"""A training command that learns nothing, so that studies in tests take seconds.

Its scores follow from the settings.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

from classify.config import Config
from segment.core.config import load_settings
from segment.core.training.history import HISTORY, write_history

SECONDS = "FAKE_TRAINING_SECONDS"
"""Environment variable: seconds that an epoch takes."""
WAIT = "FAKE_TRAINING_WAIT"
"""Environment variable: path of a file. While it exists, no epoch ends."""
SCORES = {"val_accuracy": "accuracy"}


def accuracy(rate: float, dropout: float) -> float:
    """Returns a score with its maximum, 0.9, at a rate of 0.001 and a dropout of 0.2."""
    return 0.9 - 0.1 * (math.log10(rate) + 3) ** 2 - (dropout - 0.2) ** 2


def train() -> None:
    """Writes the history and the report of a training.

    It diverges at a rate above 0.1, dies without a message at a batch size of 1, and takes 300 MB
    at a batch size of 2.
    """
    arguments = dict(zip(sys.argv[2:-1:2], sys.argv[3::2], strict=True))
    config, output = load_settings(Config, Path(arguments["--config"])), Path(arguments["--output"])
    settings = config.training
    if settings.learning_rate > 0.1:
        print("classify-train: Training must stay finite. Received loss nan.", file=sys.stderr)
        sys.exit(2)
    if settings.batch_size == 1:
        os.kill(os.getpid(), 9)
    held = bytearray(300 * 2**20 if settings.batch_size == 2 else 0)
    output.mkdir(parents=True)
    best = accuracy(settings.learning_rate, config.model.dropout) + 0.01 * (settings.seed % 3)
    history = []
    for epoch in range(1, settings.epochs + 1):
        time.sleep(float(os.environ.get(SECONDS, 0)) + (2 if held else 0))
        while WAIT in os.environ and Path(os.environ[WAIT]).exists():
            time.sleep(0.05)
        history.append(
            {
                "epoch": float(epoch),
                "loss": 1.0,
                "val_loss": 1.0,
                "val_accuracy": best * epoch / settings.epochs,
            }
        )
        write_history(output / HISTORY, history)
    split = config.data.split_seed or 0
    report = {"accuracy": best, "test": {"accuracy": best - 0.05 - 0.5 * split}}
    report |= {"made_in": os.getcwd(), "threads": os.environ.get("TF_NUM_INTRAOP_THREADS")}
    (output / "report.json").write_text(json.dumps(report))
