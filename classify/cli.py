"""The classify-* commands: parse options, call one library function, print the result."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from classify.bundled import BUNDLED
from segment.core.choices import Runtime
from segment.core.cli.batch import attempt_each, report_each, require_all
from segment.core.cli.command import entry_point, progress_bar
from segment.core.cli.options import (
    Augment,
    BlockEdge,
    ClusterAddress,
    ConsoleOptions,
    Features,
    ModelFolder,
    Overwrite,
    RunOptions,
    RuntimeOption,
    SearchOptions,
    SettingsOptions,
    require_cluster,
)
from segment.core.cli.run import (
    load_model_and_keras,
    require_optuna,
    run_tuning,
    training,
)
from segment.core.errors import InputError
from segment.core.model.backend import load_keras
from segment.core.splits import PartChoice

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment.core.raster.sources import Source

DataFolders = Annotated[
    list[Path],
    Argument(
        metavar="DATA...", help="Folders of class folders, or with labels.csv; several are joined."
    ),
]


@entry_point
def train(
    data: DataFolders,
    output: Annotated[Path, Option(help="Run folder to write.")],
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
        str | None, Option(help="Bands to read, e.g. 4,3,2; those of the training by default.")
    ] = None,
    augment: Augment = False,
    runtime: RuntimeOption = "auto",
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Scores a model on labelled images."""
    from segment.core.raster.sources import parse_bands

    numbers = parse_bands(bands)
    network = load_model_and_keras(model, runtime, console)
    from classify.training.evaluation import evaluate as score

    scored = partial(score, data, network, output, part=part, bands=numbers, augment=augment)
    console.show(partial(scored, overwrite=overwrite))


@entry_point
def export(
    model: Annotated[Path, Argument(help="Model folder that classify-train wrote.")],
    int8: Annotated[
        list[Path],
        Option(metavar="DATA", help="Quantise the weights on this data folder; repeatable."),
    ] = [],  # noqa: B006 - typer reads it, nothing writes to it
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Exports a model to OpenVINO, which runs several times faster without a GPU."""
    from segment.core.model.folder import load_model_info

    load_model_info(model)  # report a wrong folder before the slow import of Keras
    load_keras()
    from classify.training.export import export_model

    console.show(partial(export_model, model, int8=int8 or None, overwrite=overwrite))


@entry_point
def predict(
    images: Annotated[
        list[str],
        Argument(help="Images: files, folders, patterns, and what GDAL reads (/vsicurl/, s3://)."),
    ],
    model: ModelFolder = BUNDLED,
    top: Annotated[int, Option(min=1, max=10_000, help="Labels of each image.")] = 3,
    json: Annotated[bool, Option("--json", help="Print JSON in place of a table.")] = False,
    csv: Annotated[bool, Option("--csv", help="Print CSV in place of a table.")] = False,
    grid: Annotated[
        int | None,
        Option(
            min=8, max=2**16, metavar="N", help="Label scenes in cells of N x N pixels, as maps."
        ),
    ] = None,
    output: Annotated[Path, Option(help="Folder for the maps of --grid.")] = Path(),
    bands: Annotated[
        str | None, Option(help="Bands to read, e.g. 4,3,2; those of the training by default.")
    ] = None,
    nodata: Annotated[
        str | None,
        Option(
            metavar="VALUE|LOW-HIGH",
            help="With --grid: a value or range that means no data, besides what the file says.",
        ),
    ] = None,
    augment: Augment = False,
    runtime: RuntimeOption = "auto",
    cluster: ClusterAddress = None,
    block: BlockEdge = None,
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Labels images; with --grid, labels each cell of a scene."""
    from classify.data.pixels import orientation_notes
    from classify.labelling.formats import as_csv, as_json, as_table
    from classify.labelling.predict import band_notes, predict_images
    from classify.labelling.result import LABEL_ENDINGS
    from segment.core.model.folder import load_model_info
    from segment.core.model.runtime import load_model
    from segment.core.raster.nodata import parse_nodata
    from segment.core.raster.sources import (
        alpha_note,
        find_sources,
        parse_bands,
        require_own_names,
    )

    is_text = json or csv
    if json and csv:
        raise InputError("--json and --csv are both given. Leave one of them out.")
    if grid is None and (nodata is not None or output != Path()):
        raise InputError(
            "--output and --nodata belong to --grid, which is not given. Add --grid, or leave them"
            " out."
        )
    if grid is not None and is_text:
        raise InputError(
            "--json and --csv are for images, and the report of --grid is a file. Leave one of"
            " them out."
        )
    if grid is None and cluster is not None:
        raise InputError(
            "--cluster belongs to --grid, which is not given. Add --grid, or leave --cluster out."
        )
    sources = find_sources(images, LABEL_ENDINGS, parse_bands(bands), parse_nodata(nodata))
    load_model_info(model).require_task("classify")
    if grid is not None:
        require_own_names(sources)
        options: dict[str, Any] = {"grid": grid, "augment": augment, "overwrite": overwrite}
        if cluster is None:
            require_cluster(block)
            _label_scenes(sources, model, output, runtime, console, options)
            return
        from classify.cluster.scenes import label_scenes

        with console.progress() as progress:
            done = label_scenes(
                sources,
                model,
                output,
                cluster=cluster,
                block=block,
                runtime=runtime,
                progress=progress,
                **options,
            )
            report_each("classify-predict", done, len(sources), progress)
        return
    require_cluster(block)
    with progress_bar(console.quiet or is_text) as progress:
        network = load_model(model, runtime, progress=progress)
        if is_text and not console.quiet:  # stdout is for the program that reads it
            for note in orientation_notes([source.path for source in sources]):
                print(note, file=sys.stderr)
        predictions = list(
            predict_images(sources, network, top=top, augment=augment, progress=progress)
        )
    if (note_on_alpha := alpha_note(sources)) and not console.quiet:
        print(f"note: {note_on_alpha}", file=sys.stderr)
    if not console.quiet:
        for note in band_notes(predictions):
            print(note, file=sys.stderr)
    problems = [prediction.problem for prediction in predictions if prediction.problem]
    if len(problems) < len(predictions) or is_text:
        print((as_json if json else as_csv if csv else as_table)(predictions))
    require_all("classify-predict", problems, len(predictions))


def _label_scenes(
    sources: "Sequence[Source]",
    model: Path,
    output: Path,
    runtime: Runtime,
    console: ConsoleOptions,
    options: dict[str, Any],
) -> None:
    """Labels the cells of scenes one after the other; `options` are those of `label_scene`."""
    from classify.labelling.scene import label_scene, open_scene
    from segment.core.model.folder import load_model_info
    from segment.core.model.runtime import load_model

    info = load_model_info(model)

    def check(source: "Source") -> None:
        with open_scene(source, info, options["grid"]):
            pass

    with console.progress() as progress:

        def prepare() -> "Callable[[Source], None]":
            network = load_model(model, runtime, progress=progress)

            def label_one(source: "Source") -> None:
                result = label_scene(source, network, output, progress=progress, **options)
                progress.say(str(result))

            return label_one

        attempt_each("classify-predict", sources, check, prepare)
