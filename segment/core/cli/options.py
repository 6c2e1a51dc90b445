"""Options that several commands share, as typer reads them."""

from pathlib import Path
from typing import Annotated

import typer

from segment.core.choices import Runtime, Sampler
from segment.core.errors import InputError

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
Features = Annotated[
    bool,
    typer.Option(
        "--features",
        help="Compare images by what the model (the bundled one, or --model) computes of them.",
    ),
]
SpaceFile = Annotated[
    Path | None,
    typer.Option("--space", help="Settings to tune, a YAML file; see space.yaml in the output."),
]
Trials = Annotated[int, typer.Option(min=1, max=100_000, help="Trials of the study altogether.")]
Hours = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=100_000,
        help="No trial begins after so many; those of --confirm come after them.",
    ),
]
Memory = Annotated[
    float | None,
    typer.Option(min=1, max=1e9, metavar="MB", help="A trial that takes more main memory fails."),
]
Repeats = Annotated[
    int,
    typer.Option(
        min=1,
        max=1000,
        help=(
            "Trainings of a trial, with other seeds and splits; their mean counts. For small data."
        ),
    ),
]
Confirmations = Annotated[
    int,
    typer.Option(
        "--confirm",
        min=0,
        max=1000,
        help="Seeds with which the best and the default settings are trained again.",
    ),
]
SamplerOption = Annotated[
    Sampler,
    typer.Option(help="gp: Gaussian process; tpe: Parzen estimators; random: to compare with."),
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Database that several machines share; study.db in the output by default.",
    ),
]
StudyName = Annotated[str, typer.Option("--study", help="Name of the study in its database.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the choice of settings.")]
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
            "--block belongs to --cluster. Received no --cluster. Leave it out, or add --cluster."
        )
