"""Training history: the scores of each epoch, and the CSV file that holds them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from segment.core.outputs import staged

HISTORY = "history.csv"
SCORED = "scored"
"""Name by which Keras reports the share of batches that score anything."""

Row = dict[str, float]
"""One epoch: "epoch" from 1, "loss", "learning_rate", and the scores of the validation."""


def best_row(history: Sequence[Row], monitor: str) -> Row:
    """Finds the epoch with the highest score.

    Of several with the same score, which is common with few validation images, the one with the
    lowest validation loss is taken.

    Args:
        history: Rows of the epochs.
        monitor: Name of the score; "val_loss" where the loss is the only one.

    Returns:
        Row of the best epoch.
    """
    return max(
        history, key=lambda row: (0.0 if monitor == "val_loss" else row[monitor], -row["val_loss"])
    )


def write_history(path: Path, history: Sequence[Row]) -> None:
    """Writes the history as CSV, one line per epoch.

    The file is replaced as a whole.

    Args:
        path: File to write.
        history: Rows of the epochs, at least one.
    """
    with staged(path, overwrite=True) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def read_history(path: Path) -> list[Row]:
    """Reads a file written by `write_history`.

    Args:
        path: File to read.

    Returns:
        Rows of the epochs; an empty list where the file does not exist yet.
    """
    try:
        with path.open(newline="") as file:
            return [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]
    except FileNotFoundError:
        return []


def mean_loss(logs: Mapping[str, float]) -> float:
    """Returns the mean loss of the batches that score anything.

    Args:
        logs: What Keras reports: the mean "loss" of all batches, and the share of those that score
            anything, if it is measured.

    Returns:
        The mean; 0 where no batch scores anything.
    """
    return float(logs["loss"]) / (logs.get(SCORED) or 1.0)
