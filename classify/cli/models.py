"""Commands for models: classify-explore, -tune, -train, -evaluate and -export."""

from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from classify.bundled import BUNDLED
from segment.core.choices import LabelExportFormat
from segment.core.cli.command import entry_point
from segment.core.cli.options import (
    Augment,
    ConsoleOptions,
    Features,
    ModelFolder,
    Overwrite,
    RunOptions,
    RuntimeOption,
    ScaleText,
    SettingsOptions,
    schema_option,
)
from segment.core.cli.run import (
    SearchOptions,
    load_quietly,
    require_optuna,
    run_tuning,
    training,
)
from segment.core.model.backend import load_keras
from segment.core.splits import PartChoice

DataFolders = Annotated[
    list[Path],
    Argument(
        metavar="DATA", help="Folders of class folders, or with labels.csv; several are joined."
    ),
]
TrainingFolders = Annotated[
    list[Path] | None,
    Argument(
        metavar="DATA",
        help=(
            "Folders of class folders, or with labels.csv; several are joined. None where the"
            " config has data.collections."
        ),
    ),
]
_SCHEMA = schema_option("classify.config", "Config")


@entry_point
def train(
    output: Annotated[Path, Option(help="Run folder to write.")],
    data: TrainingFolders = None,
    schema: Annotated[bool, _SCHEMA] = False,
    *,
    options: RunOptions,
    console: ConsoleOptions,
) -> None:
    """Trains a model on images in class folders."""
    from classify.config import Config

    with training(Config, output, options, console) as run:
        from classify.training.train import train as train_model

        run(train_model, data)


@entry_point
def explore(
    data: DataFolders,
    output: Annotated[Path, Option(help="Folder for report.html and report.json.")],
    features: Features = False,
    model: ModelFolder = BUNDLED,
    overwrite: Overwrite = False,
    *,
    settings: SettingsOptions,
    console: ConsoleOptions,
) -> None:
    """Reports on labelled images before training: statistics, problems and how to fix them."""
    from classify.config import Config
    from classify.exploration.explore import explore as explore_images

    wanted = settings.load(Config).data
    network = model if features or model != BUNDLED else None
    console.show(partial(explore_images, data, output, wanted, model=network, overwrite=overwrite))


@entry_point
def tune(
    data: DataFolders,
    output: Annotated[Path, Option(help="Folder for the best settings, the report and the study.")],
    *,
    search: SearchOptions,
    settings: SettingsOptions,
    console: ConsoleOptions,
) -> None:
    """Searches for the settings with which classify-train scores best on validation images."""
    require_optuna()
    from classify.config import Config
    from classify.tuning import SPACE
    from classify.tuning import tune as search_settings

    run_tuning(search_settings, SPACE, data, output, settings.load(Config), search, console)


@entry_point
def evaluate(
    data: DataFolders,
    model: ModelFolder = BUNDLED,
    output: Annotated[Path | None, Option(help="Folder for report.json and report.html.")] = None,
    part: Annotated[
        PartChoice, Option(help="Part of the data to score; test: what training never saw.")
    ] = "all",
    bands: Annotated[
        str | None,
        Option(
            metavar="N,N,...", help="Bands to read, e.g. 4,3,2; those of the training by default."
        ),
    ] = None,
    scale: ScaleText = "auto",
    augment: Augment = False,
    runtime: RuntimeOption = "auto",
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Scores a model on labelled images."""
    from segment.core.inputs.named_scenes import parse_bands

    numbers = parse_bands(bands)
    network = load_quietly(model, runtime, console)
    from classify.training.evaluation import evaluate as score

    scored = partial(score, data, network, output, part=part, bands=numbers, scale=scale)
    console.show(partial(scored, augment=augment, overwrite=overwrite))
    if output is not None:
        console.show(lambda progress: f"report: {output / 'report.html'}")


@entry_point
def export(
    model: Annotated[Path, Argument(help="Model folder that classify-train wrote.")],
    format: Annotated[
        LabelExportFormat,
        Option(help="openvino: several times faster on CPUs; hub: a folder to upload to a hub."),
    ] = "openvino",
    int8: Annotated[
        list[Path],
        Option(metavar="DATA", help="Quantise the weights on this data folder; repeatable."),
    ] = [],  # noqa: B006 - typer reads it, nothing writes to it
    output: Annotated[
        Path | None, Option(help="Folder for the hub; by default in the model folder.")
    ] = None,
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Writes a model in another form: faster without a GPU, or to upload."""
    from segment.core.model.folder import load_model_info

    load_model_info(model)  # report a wrong folder before the slow import of Keras
    load_keras()
    from classify.training.export import export_model

    exported = partial(export_model, model, format, int8=int8 or None, output=output)
    console.show(partial(exported, overwrite=overwrite))
