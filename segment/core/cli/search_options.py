"""Options of segment-tune and classify-tune."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segment.core.choices import Sampler
from segment.core.cli.options import ClusterAddress

if TYPE_CHECKING:
    from segment.core.tuning.search import Search


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
