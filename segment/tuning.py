"""Tuning of the training of land-cover maps: loss and augmentation together."""

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from segment.config import Config
from segment.core.errors import InputError
from segment.core.progress import Progress
from segment.core.tuning.search import Search, Task
from segment.core.tuning.search_space import Parameter, Space
from segment.core.tuning.tune import Tuning
from segment.core.tuning.tune import tune as tune_task
from segment.data.tiles import find_pairs, grid_notes

SPACE: Space = MappingProxyType(
    {
        "training.learning_rate": Parameter(low=1e-4, high=1e-2, log=True),
        "training.batch_size": Parameter(choices=[4, 8, 16]),
        "loss.gamma": Parameter(low=0.0, high=4.0),
        "loss.dice_weight": Parameter(low=0.1, high=3.0, log=True),
        "augment.flip": Parameter(low=0.0, high=0.5),
        "augment.quarter_turns": Parameter(choices=[False, True]),
        "augment.scale": Parameter(low=0.0, high=0.5),
        "augment.brightness": Parameter(low=0.0, high=0.4),
        "augment.contrast": Parameter(low=0.0, high=0.4),
    }
)
"""Settings that are tuned by default, and their ranges."""


def tune(
    tiles: Path | str,
    output: Path | str,
    config: Config | None = None,
    space: Space = SPACE,
    search: Search = Search(),  # noqa: B008 - it cannot change
    *,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Searches for the settings of `segment-train` with the best mean Jaccard on validation.

    Args:
        tiles: Tile folder to train on.
        output: Folder for the best settings, the report and the study.
        config: Settings that all trials share, and with which the best trial is compared.
        space: Settings to tune, and their ranges.
        search: How many trials to run, for how long, and how settings are chosen.
        cluster: Address of a Dask scheduler whose workers train side by side, or local:N for N
            processes on this machine; see docs/cluster.md. None trains in this process.
        progress: Receives messages and the state of the search.

    Returns:
        The best trial, its settings and their scores with other seeds.

    Raises:
        InputError: As `segment.core.tuning.tune.tune` does, if the tile folder has a fault, or if
            the settings list collections.
        Interrupted: If Ctrl-C stops the work of a cluster.
    """
    for key in ("collections", "labels"):
        if config is not None and getattr(config.data, key):
            raise InputError(
                f"data.{key} is given, but tuning takes one tile folder, TILES. Leave"
                f" data.{key} out."
            )
    data, scores = [Path(tiles)], {"val_jaccard": "mean_jaccard"}
    files = find_files(data)  # reports faults before the first trial
    if progress is not None:  # trials print no messages of their own
        for note in grid_notes(find_pairs(Path(tiles))):
            progress.say(note)
    task = Task(
        "segment.cli",
        data,
        config or Config(),
        scores,
        files,
        val_seed="data.split_seed",
        find_files=find_files,
    )
    return tune_task(task, Path(output), space, search, progress, cluster=cluster)


def find_files(data: Sequence[Path]) -> list[Path]:
    """Returns the images and masks of tile folders.

    Args:
        data: Tile folders.

    Returns:
        The files, each image followed by its mask.

    Raises:
        InputError: As `find_pairs` does.
    """
    return [
        file for folder in data for pair in find_pairs(folder) for file in (pair.image, pair.mask)
    ]
