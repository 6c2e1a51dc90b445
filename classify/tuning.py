"""Hyperparameter tuning of scene labels: model and augmentation together."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from classify.config import Config, ImageSettings
from classify.data.images import Data, data_folders, find_images
from segment.core.progress import Progress
from segment.core.tuning.search import Search, Task
from segment.core.tuning.search_space import Parameter, Space
from segment.core.tuning.tune import Tuning
from segment.core.tuning.tune import tune as tune_task

SPACE: Space = MappingProxyType(
    {
        "training.learning_rate": Parameter(low=1e-4, high=1e-2, log=True),
        "training.batch_size": Parameter(choices=[8, 16, 32, 64]),
        "training.unfreeze": Parameter(choices=[0, 1, 2, "all"]),
        "model.head": Parameter(choices=["linear", "mlp"]),
        "model.dense_units": Parameter(low=32, high=1024, log=True),
        "model.dropout": Parameter(low=0.0, high=0.6),
        "augment.rotation": Parameter(low=0.0, high=45.0),
        "augment.resized_crop": Parameter(low=0.3, high=1.0),
        "augment.brightness": Parameter(low=0.0, high=0.4),
        "augment.horizontal_flip": Parameter(low=0.0, high=0.5),
    }
)
"""Search space used by default."""


def tune(
    data: Data,
    output: Path | str,
    config: Config | None = None,
    space: Space = SPACE,
    search: Search = Search(),  # noqa: B008 - it cannot change
    *,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Searches for the settings of `classify-train` with the best validation score.

    The score is accuracy or, with several labels, mean average precision.

    Args:
        data: Data folders or CSVs, as for `classify.train`.
        output: Folder for the best settings, the report and the study.
        config: Settings shared by all trials. The best settings are compared with them.
        space: Search space, see `Parameter`.
        search: How to search: number of trials, sampler, seed and more.
        cluster: Address of a Dask scheduler whose workers train in parallel, or local:N for N
            processes on this machine; see docs/cluster.md. By default trials run one after the
            other in this process.
        progress: Where progress is reported.

    Returns:
        The best trial and its settings.

    Raises:
        InputError: As in `segment.core.tuning.tune.tune`, and if the data are faulty.
    """
    folders, config = data_folders(data), config or Config()
    finder = partial(find_files, settings=config.data)
    files = finder(folders)  # report faults before the first trial
    scores = {"val_accuracy": "accuracy", "val_mean_average_precision": "mean_average_precision"}
    task = Task(
        "classify.cli",
        folders,
        config,
        scores,
        files,
        find_files=finder,
        check=check_settings,
    )
    return tune_task(task, Path(output), space, search, progress, cluster=cluster)


def check_settings(config: Config) -> None:
    """Checks that the network of a trial can be built.

    Args:
        config: Settings of the trial.

    Raises:
        InputError: As `check_model` and `check_unfreeze` do.
    """
    if config.model.kind == "network":
        from classify.training.models import check_model, check_unfreeze

        check_model(config.model, config.data)
        check_unfreeze(config.model, config.training)


def find_files(data: Sequence[Path], settings: ImageSettings) -> list[Path]:
    """Lists the images of data folders, and the tables of their labels and classes.

    Args:
        data: Data folders or CSVs.
        settings: How images are selected.

    Returns:
        Their paths.

    Raises:
        InputError: As in `find_images`.
    """
    images = [image.path for image in find_images(data, settings).images]
    tables = [place / "labels.csv" if place.is_dir() else place for place in data]
    tables += [(place if place.is_dir() else place.parent) / "classes.yaml" for place in data]
    return [*images, *(table for table in tables if table.is_file())]
