"""The classify-* commands: parse, call one library function, print."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from segment.core.command import (
    ConfigFile,
    Debug,
    ModelFolder,
    Overrides,
    Overwrite,
    Quiet,
    Resume,
    RuntimeOption,
    entry_point,
    load_keras,
    load_network,
    progress_bar,
)

DataFolders = Annotated[
    list[Path], Argument(metavar="DATA...", help="Folders of class folders, or with labels.csv; several are joined.")
]


@entry_point
def train(
    data: DataFolders,
    output: Annotated[Path, Option(help="Run folder to write.")],
    config: ConfigFile = None,
    settings: Overrides = [],  # noqa: B006 - typer reads it, nothing writes to it
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Trains a model on images in class folders."""
    from classify.config import Config
    from segment.core.config import load_settings

    if resume and config is None:
        config = output / "config.yaml"
    wanted = load_settings(Config, config, settings)
    load_keras()
    from classify.training import train as train_model

    with progress_bar(quiet) as progress:
        progress.say(str(train_model(data, output, wanted, resume=resume, overwrite=overwrite, progress=progress)))
        progress.say(f"report: {output / 'report.html'}")


@entry_point
def evaluate(
    data: DataFolders,
    model: ModelFolder,
    output: Annotated[Path | None, Option(help="Folder for report.json and report.html.")] = None,
    part: Annotated[
        Literal["all", "train", "val", "test"], Option(help="Part of the data to score; test: what training never saw.")
    ] = "all",
    runtime: RuntimeOption = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Scores a model on labelled images."""
    network = load_network(model, runtime)
    load_keras()  # its data sets
    from classify.evaluation import evaluate as score

    with progress_bar(quiet) as progress:
        progress.say(str(score(data, network, output, part=part, overwrite=overwrite, progress=progress)))
