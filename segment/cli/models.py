"""Commands for models: segment-train, segment-tune, segment-evaluate and segment-export."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from segment.bundled import BUNDLED
from segment.cli.truth import BoundaryWidth, SceneField, SceneLabels, with_scene_labels
from segment.core.choices import BOUNDARY_WIDTH, ExportFormat
from segment.core.cli.command import entry_point
from segment.core.cli.options import (
    Augment,
    ConsoleOptions,
    Overwrite,
    RunOptions,
    RuntimeOption,
    ScaleText,
    SettingsOptions,
    parse_model,
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

_SCHEMA = schema_option("segment.config", "Config")


@entry_point
def train(
    output: Annotated[Path, Option(help="Run folder to write.")],
    tiles: Annotated[
        Path | None,
        Argument(
            help=(
                "Tile folder: images/ and masks/ side by side, anywhere below; or a scene with"
                " --labels. None where the config has data.collections."
            )
        ),
    ] = None,
    labels: SceneLabels = None,
    field: SceneField = None,
    schema: Annotated[bool, _SCHEMA] = False,
    *,
    options: RunOptions,
    console: ConsoleOptions,
) -> None:
    """Trains a model on a tile folder, a scene with its labels, or several collections."""
    from segment.config import Config

    options = replace(options, settings=with_scene_labels(options.settings, labels, field))
    with training(Config, output, options, console) as run:
        from segment.training.train import train as train_model

        run(train_model, tiles)


@entry_point
def tune(
    tiles: Annotated[Path, Argument(help="Tile folder to train on, or a scene with --labels.")],
    output: Annotated[Path, Option(help="Folder for the best settings, the report and the study.")],
    labels: SceneLabels = None,
    field: SceneField = None,
    *,
    search: SearchOptions,
    settings: SettingsOptions,
    console: ConsoleOptions,
) -> None:
    """Searches for the settings that segment-train learns best with."""
    require_optuna()
    from segment.config import Config
    from segment.tuning import SPACE
    from segment.tuning import tune as search_settings

    named = with_scene_labels(settings.settings, labels, field)
    config = replace(settings, settings=named).load(Config)
    run_tuning(search_settings, SPACE, tiles, output, config, search, console)


@entry_point
def evaluate(
    tiles: Annotated[Path, Argument(help="Tile folder to score on.")],
    model: Annotated[
        Path,
        Option(
            callback=parse_model,
            metavar="MODEL",
            help="A model folder, hf://OWNER/NAME, or an ONNX file; by default the bundled model.",
            show_default=False,
        ),
    ] = BUNDLED,
    output: Annotated[Path | None, Option(help="Folder for report.json and report.html.")] = None,
    part: Annotated[
        PartChoice, Option(help="Part of the tiles to score; test: what training never saw.")
    ] = "all",
    scale: ScaleText = "auto",
    augment: Augment = False,
    boundary_width: BoundaryWidth = BOUNDARY_WIDTH,
    runtime: RuntimeOption = "auto",
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Scores a model on a tile folder."""
    network = load_quietly(model, runtime, console)
    from segment.training.evaluation import evaluate as score

    scored = partial(score, tiles, network, output, part=part, scale=scale, augment=augment)
    console.show(partial(scored, boundary_width=boundary_width, overwrite=overwrite))
    if output is not None:
        console.show(lambda progress: f"report: {output / 'report.html'}")


@entry_point
def export(
    model: Annotated[
        Path,
        Argument(help="Model folder that segment-train wrote; with --int8 also an ONNX file."),
    ],
    format: Annotated[
        ExportFormat,
        Option(
            help="openvino: several times faster on CPUs; onnx: for QGIS and others; hub: a folder"
            " to upload to a hub of models."
        ),
    ] = "openvino",
    int8: Annotated[
        Path | None,
        Option(
            metavar="TILES",
            help=(
                "Quantise OpenVINO's weights on this tile folder, or on the collections of a"
                " settings file."
            ),
        ),
    ] = None,
    output: Annotated[
        Path | None,
        Option(help="File for ONNX or folder for the hub; else in the model folder."),
    ] = None,
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Writes a model in another form: faster, or portable."""
    from segment.core.onnx_models.loading import load_model_info

    load_model_info(
        model, exported=False
    )  # reports a wrong folder before Keras loads, which takes seconds
    load_keras()
    from segment.training.export import export_model

    console.show(
        partial(export_model, model, format, int8=int8, output=output, overwrite=overwrite)
    )
