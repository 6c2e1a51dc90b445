"""A command that tunes `tests.fake_training` on a cluster: python -m tests.cluster.tuning DATA
OUTPUT ADDRESS [--trials N]...
"""

import sys
from pathlib import Path

from segment.core.cli.command import run, show_progress
from segment.core.config import load_settings
from segment.core.tuning.search import Search, Task
from segment.core.tuning.search_space import Parameter
from segment.core.tuning.tune import tune
from tests.fake_training import SCORES, Config

SPACE = {
    "training.learning_rate": Parameter(low=1e-4, high=1e-1, log=True),
    "model.dropout": Parameter(low=0.0, high=0.6),
}


def find_files(data: list[Path]) -> list[Path]:
    return [file for folder in data for file in folder.iterdir()]


def task_of(data: Path, epochs: int = 2) -> Task:
    settings = (
        "training.warmup_epochs=0",
        "training.learning_rate=0.0001",
        f"training.epochs={epochs}",
    )
    defaults = load_settings(Config, overrides=settings)
    return Task(
        "tests.fake_training", [data], defaults, SCORES, find_files([data]), find_files=find_files
    )


def tune_pictures(
    data: Path, output: Path, address: str, trials: int = 5, confirm: int = 1, epochs: int = 2
) -> None:
    with show_progress(False) as progress:
        search = Search(trials=trials, confirmations=confirm, sampler="random")
        progress.say(
            str(tune(task_of(data, epochs), output, SPACE, search, progress, cluster=address))
        )


if __name__ == "__main__":
    sys.exit(run(tune_pictures, sys.argv[1:], "tune"))
