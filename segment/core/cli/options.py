"""Options that several commands share, as typer reads them, and groups of options."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from segment.core.choices import Runtime, Sampler
from segment.core.cli.command import progress_bar
from segment.core.errors import InputError
from segment.core.progress import Progress

if TYPE_CHECKING:
    from segment.core.config import Settings
    from segment.core.tuning.search import Search

S = TypeVar("S", bound="Settings")

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in --output from its last epoch.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings, a YAML file (see the folder configs).")
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="One setting, e.g. training.epochs=20; repeatable."
    ),
]
RuntimeOption = Annotated[
    Runtime,
    typer.Option(
        help="What computes; auto: Keras on a GPU, else OpenVINO if exported, else Keras."
    ),
]
ModelFolder = Annotated[
    Path,
    typer.Option(
        "--model",
        help="A model folder that training wrote; by default the bundled one.",
        show_default=False,
    ),
]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Compute on a Dask cluster, tcp://host:8786; local:N: N processes here.",
    ),
]
BlockEdge = Annotated[
    int | None,
    typer.Option(
        "--block",
        min=1,
        max=2**20,
        help="With --cluster: edge of what a worker does at a time, pixels.",
    ),
]
NodataOption = Annotated[
    str | None, typer.Option("--nodata", help="Value or range, e.g. 0-3, that means no data, too.")
]
Features = Annotated[
    bool,
    typer.Option(
        "--features",
        help="Compare images by what the model (the bundled one, or --model) computes of them.",
    ),
]
Augment = Annotated[
    bool, typer.Option("--augment", help="Average the eight flips and turns: eight times the work.")
]


def require_cluster(block: int | None) -> None:
    """Checks that the edge of blocks is given only with a cluster.

    Args:
        block: Edge of a block in pixels, or None if it is not given.

    Raises:
        InputError: If it is given. Commands call this when they have no cluster.
    """
    if block is not None:
        raise InputError(
            "--block belongs to --cluster, which is not given. Add --cluster, or leave --block out."
        )


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """What a command prints.

    Attributes:
        quiet: Print errors only.
        debug: Show the traceback of an error.
    """

    quiet: Quiet = False
    debug: Debug = False

    def progress(self) -> AbstractContextManager[Progress]:
        """Opens the progress display.

        Returns:
            A context manager with the progress to pass to the library.
        """
        return progress_bar(self.quiet)

    def show(self, work: Callable[..., object]) -> None:
        """Does the work of a command, with a progress display, and prints the result.

        Args:
            work: Called with `progress`.
        """
        with self.progress() as progress:
            progress.say(str(work(progress=progress)))


@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """Where the settings of a training come from.

    Attributes:
        config: YAML file with settings.
        settings: `key.key=value` texts that override settings.
    """

    config: ConfigFile = None
    settings: Overrides = field(default_factory=list)

    def load(self, kind: "type[S]") -> "S":
        """Loads the settings.

        Args:
            kind: Class of the settings.

        Returns:
            The validated settings.

        Raises:
            InputError: As `load_settings` does.
        """
        from segment.core.config import load_settings

        return load_settings(kind, self.config, self.settings)


@dataclass(frozen=True, kw_only=True)
class RunOptions(SettingsOptions):
    """How a run folder is written.

    Attributes:
        resume: Whether to continue the run in the folder.
        overwrite: Whether an existing run may be replaced.
    """

    resume: Resume = False
    overwrite: Overwrite = False


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
    study: Annotated[str, typer.Option(help="Name of the study in its database.")] = "tuning"
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
