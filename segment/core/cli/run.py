"""What commands of both packages do with models: train, tune, load."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segment.core.choices import Runtime, Sampler
from segment.core.cli.options import ClusterAddress, ConsoleOptions, RunOptions
from segment.core.errors import InputError
from segment.core.model.backend import count_machines, load_keras, machine_number, own_folder

if TYPE_CHECKING:
    from segment.core.config import Settings
    from segment.core.model.runtime import Model
    from segment.core.tuning.search import Search
    from segment.core.tuning.search_space import Space


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How settings are tuned; see `Search`."""

    space: Annotated[
        Path | None,
        typer.Option(help="Settings to tune, a YAML file; see space.yaml in the output."),
    ] = None
    trials: Annotated[
        int, typer.Option(min=1, max=100_000, help="Trials of the study altogether.")
    ] = 40
    hours: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100_000,
            help="No trial begins after so many; those of --confirm come after them.",
        ),
    ] = None
    memory: Annotated[
        float | None,
        typer.Option(
            min=1, max=1e9, metavar="MB", help="A trial that takes more main memory fails."
        ),
    ] = None
    repeats: Annotated[
        int,
        typer.Option(
            min=1,
            max=1000,
            help=(
                "Trainings of a trial, with other seeds and splits; their mean counts. For small"
                " data."
            ),
        ),
    ] = 1
    confirm: Annotated[
        int,
        typer.Option(
            min=0,
            max=1000,
            help="Seeds with which the best and the default settings are trained again.",
        ),
    ] = 3
    sampler: Annotated[
        Sampler,
        typer.Option(help="gp: Gaussian process; tpe: Parzen estimators; random: to compare with."),
    ] = "gp"
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Database that several machines share; study.db in the output by default.",
        ),
    ] = None
    study: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the study in its database.")
    ] = "tuning"
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the choice of settings.")] = 0
    cluster: ClusterAddress = None

    def search(self) -> "Search":
        """Returns the options as the library takes them.

        Returns:
            How the study searches.

        Raises:
            InputError: If an option is out of range.
        """
        from segment.core.tuning.search import Search

        return Search(
            trials=self.trials,
            hours=self.hours,
            memory_mb=self.memory,
            repeats=self.repeats,
            confirmations=self.confirm,
            sampler=self.sampler,
            storage=self.storage,
            name=self.study,
            seed=self.seed,
        )


@contextmanager
def training(
    kind: "type[Settings]", output: Path, options: RunOptions, console: ConsoleOptions
) -> Iterator[Callable[[Callable[..., object], object], None]]:
    """Prepares a training: settings are loaded, all machines have joined, Keras is loaded.

    If several machines train together, only the first one writes to `output`.

    Args:
        kind: Class of the settings.
        output: Folder of the run.
        options: How the folder is written.
        console: What is printed.

    Yields:
        A function that trains: it takes `train` of the library and its data, and prints the result.

    Raises:
        InputError: If settings are invalid, or the other machines do not answer.
    """
    from segment.core.config import CONFIG_FILE, load_settings

    kept = output / CONFIG_FILE
    # without one, the training says that there is nothing to resume
    file = options.config or (kept if options.resume and kept.is_file() else None)
    settings = load_settings(kind, file, options.settings)
    if count_machines() > 1:
        print(f"waiting for {count_machines()} machines to join", file=sys.stderr, flush=True)
    load_keras(join=True)
    number = machine_number()
    place = own_folder(output, options.resume) if number else nullcontext(output)
    again = {"resume": options.resume, "overwrite": options.overwrite}
    with console.progress(hidden=number > 0) as progress, place as folder:

        def run(train: Callable[..., object], data: object) -> None:
            progress.say(str(train(data, folder, settings, **again, progress=progress)))
            progress.say(f"report: {output / 'report.html'}")

        yield run


def require_optuna() -> None:
    """Checks that Optuna is installed.

    Raises:
        InputError: If it is not.
    """
    if find_spec("optuna") is None:
        raise InputError("optuna is not installed. Run: pip install 'aerial-segment[tune]'")


def run_tuning(
    tune: Callable[..., object],
    space: "Space",
    data: object,
    output: Path,
    settings: "Settings",
    search: SearchOptions,
    console: ConsoleOptions,
) -> None:
    """Tunes settings and prints the result.

    Args:
        tune: `segment.tune` or `classify.tune`.
        space: Settings that are tuned by default.
        data: Training data, as `tune` takes them.
        output: Folder of the study.
        settings: Settings that all trials share.
        search: How to search.
        console: What is printed.

    Raises:
        InputError: If the search, settings or data are invalid.
    """
    from segment.core.tuning.search_space import load_space

    space = space if search.space is None else load_space(search.space)
    work = partial(tune, data, output, settings, space, search.search(), cluster=search.cluster)
    with console.progress() as progress:
        progress.say(str(work(progress=progress)))
        progress.say(f"report: {output / 'report.html'}")


def load_quietly(model: Path, runtime: Runtime, console: ConsoleOptions) -> "Model":
    """Loads a model before what scores it, and Keras only where it computes.

    Args:
        model: Model folder.
        runtime: What computes.
        console: What is printed.

    Returns:
        The loaded model.

    Raises:
        InputError: If the model cannot be loaded.
    """
    from segment.core.onnx_models.loading import load_model

    with console.progress() as progress:
        return load_model(model, runtime, progress=progress)
