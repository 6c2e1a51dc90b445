"""Tuning the training of land-cover maps: loss and augmentation together."""

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from segment.config import Config
from segment.core.errors import InputError
from segment.core.progress import Progress
from segment.core.tuning.search import Search
from segment.core.tuning.search_space import Parameter, Space
from segment.core.tuning.trials import Task
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
"""What is tuned unless told otherwise."""


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

    tiles: a tile folder. config: the settings that all trials have in common, and that the best is compared with. cluster: the
    address of a Dask scheduler whose workers train side by side, or local:N for N processes here; see docs/cluster.md.

    Raises InputError as `segment.core.tuning.tune.tune` does, and for a fault of the data.
    """
    if config is not None and config.data.collections:
        raise InputError("data.collections: tuning learns from one tile folder, TILES. Leave data.collections out.")
    data, scores = [Path(tiles)], {"val_jaccard": "mean_jaccard"}
    files = find_files(data)  # faults are told before the first trial
    if progress is not None:  # trials keep what they say to themselves
        for note in grid_notes(find_pairs(Path(tiles))):
            progress.say(note)
    task = Task("segment.cli", data, config or Config(), scores, files, val_seed="data.split_seed", find_files=find_files)
    return tune_task(task, Path(output), space, search, progress, cluster=cluster)


def find_files(data: Sequence[Path]) -> list[Path]:
    """Images and masks of tile folders. Raises InputError as `find_pairs` does."""
    return [file for folder in data for pair in find_pairs(folder) for file in (pair.image, pair.mask)]
