"""What a training scored, epoch by epoch, and the file that keeps it."""

import csv
from collections.abc import Sequence
from pathlib import Path

from segment.core.outputs import staged

HISTORY = "history.csv"

Row = dict[str, float]
"""One epoch: "epoch" from 1, "loss", "learning_rate", and what validation returned."""


def best_row(history: Sequence[Row], monitor: str) -> Row:
    """The epoch with the highest score; of several, as few validation images give them, that with the lowest loss.

    monitor: the score; val_loss where there is none but the loss.
    """
    return max(history, key=lambda row: (0.0 if monitor == "val_loss" else row[monitor], -row["val_loss"]))


def write_history(path: Path, history: Sequence[Row]) -> None:
    """The history as CSV, a line per epoch, replaced as a whole."""
    with staged(path, overwrite=True) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def read_history(path: Path) -> list[Row]:
    """What `write_history` wrote; nothing where there is no file yet."""
    try:
        with path.open(newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
