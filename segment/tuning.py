"""Tuning of the training of land-cover maps: loss and augmentation together."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from segment.config import Config, DataSettings
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.progress import Progress
from segment.core.tuning.search import Search, Task
from segment.core.tuning.search_space import Parameter, Space
from segment.core.tuning.tune import Tuning
from segment.core.tuning.tune import tune as tune_task
from segment.data.pairs.find_scenes import find_scenes
from segment.data.pairs.pair import grid_notes
from segment.data.tiles import find_pairs

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
        tiles: Tile folder to train on, or a scene where the settings name its labels.
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
        InputError: As `segment.core.tuning.tune.tune` does, if the data have a fault, or if the
            settings list collections.
        Interrupted: If Ctrl-C stops the work of a cluster.
    """
    config = config or Config()
    if config.data.collections:
        raise InputError(
            "data.collections is given, but tuning takes one tile folder or scene, TILES. Leave"
            " data.collections out."
        )
    data, scores = [Path(tiles)], {"val_jaccard": "mean_jaccard"}
    root = str(Path(config.data.root).absolute())  # workers of a cluster run in other folders
    finder = partial(find_files, settings=config.data.model_copy(update={"root": root}))
    files = finder(data)  # reports faults before the first trial
    if progress is not None and not config.data.labels:  # trials print no messages of their own
        for note in grid_notes(find_pairs(Path(tiles))):
            progress.say(note)
    task = Task(
        "segment.cli",
        data,
        config,
        scores,
        files,
        val_seed="data.split_seed",
        find_files=finder,
        check=check_settings,
    )
    return tune_task(task, Path(output), space, search, progress, cluster=cluster)


def check_settings(config: Config) -> None:
    """Checks that the network of a trial can be built.

    Args:
        config: Settings of the trial.

    Raises:
        InputError: As `check_model` does.
    """
    from segment.training.models import check_model  # imports Keras

    check_model(config.model, config.data.tile)


def find_files(data: Sequence[Path], settings: DataSettings) -> list[Path | str]:
    """Lists what is learned from tile folders, or from scenes.

    Args:
        data: Tile folders, or scenes where the settings name their labels.
        settings: Labels of scenes, and class table.

    Returns:
        Images, masks and class tables, and a text for each vector file that describes its shapes on
        the scene: what else a program changes in the file plays no part.

    Raises:
        InputError: As `find_pairs` or `find_scenes` does.
    """
    if settings.labels:
        table = ClassTable(settings.classes) if settings.classes else None
        given = settings, settings.root, table, "data.classes"
        pairs = [pair for path in data for pair in find_scenes(path, *given).pairs]
        tables = [file.with_name("classes.yaml") for p in pairs for file in (p.image, p.mask)]
    else:
        pairs = [pair for folder in data for pair in find_pairs(folder)]
        folders = [*data, *(pair.image.parent.parent for pair in pairs)]
        tables = [folder / "classes.yaml" for folder in folders]
    files: list[Path | str] = []
    for pair in pairs:
        shapes = pair.scene and pair.scene.shapes
        files += [pair.image, *(shapes.described if shapes else [pair.mask])]
    return list(dict.fromkeys([*files, *(table for table in tables if table.is_file())]))
