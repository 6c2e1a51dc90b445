"""The classify-* commands: parse options, call one library function, print the result."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from classify.bundled import BUNDLED
from segment.core.cli.batch import attempt_each, require_all, tell_each
from segment.core.cli.command import entry_point, progress_bar
from segment.core.cli.options import (
    Augment,
    BlockEdge,
    ClusterAddress,
    ConfigFile,
    Confirmations,
    Debug,
    Features,
    Hours,
    Memory,
    ModelFolder,
    Overrides,
    Overwrite,
    Quiet,
    Repeats,
    Resume,
    RuntimeOption,
    SamplerOption,
    Seed,
    SpaceFile,
    Storage,
    StudyName,
    Trials,
    require_cluster,
)
from segment.core.cli.run import run_training, run_tuning
from segment.core.errors import InputError
from segment.core.model.backend import load_keras
from segment.core.splits import PartChoice

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
    config: ConfigFile = None,
    settings: Overrides = [],  # noqa: B006 - typer reads it, nothing writes to it
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Trains a model on images in class folders."""
    from classify.config import Config

    run_training(
        "classify.training.train",
        Config,
        data,
        output,
        config,
        settings,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )


@entry_point
def explore(
    data: DataFolders,
    output: Annotated[Path, Option(help="Folder for report.html and report.json.")],
    features: Features = False,
    model: ModelFolder = BUNDLED,
    config: ConfigFile = None,
    settings: Overrides = [],  # noqa: B006 - typer reads it, nothing writes to it
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Reports on labelled images before training: statistics, problems and how to fix them."""
    from classify.config import Config
    from classify.exploration.explore import explore as explore_images
    from segment.core.config import load_settings

    wanted = load_settings(Config, config, settings).data
    network = model if features or model != BUNDLED else None
    with progress_bar(quiet) as progress:
        progress.say(
            str(
                explore_images(
                    data, output, wanted, model=network, overwrite=overwrite, progress=progress
                )
            )
        )


@entry_point
def tune(
    data: DataFolders,
    output: Annotated[Path, Option(help="Folder for the best settings, the report and the study.")],
    space: SpaceFile = None,
    trials: Trials = 40,
    hours: Hours = None,
    memory: Memory = None,
    repeats: Repeats = 1,
    confirm: Confirmations = 3,
    sampler: SamplerOption = "gp",
    storage: Storage = None,
    study: StudyName = "tuning",
    seed: Seed = 0,
    cluster: ClusterAddress = None,
    config: ConfigFile = None,
    settings: Overrides = [],  # noqa: B006 - typer reads it, nothing writes to it
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Searches for the settings with which classify-train scores best on validation images."""
    from classify.config import Config

    run_tuning(
        "classify.tuning",
        Config,
        data,
        output,
        config,
        settings,
        space,
        trials=trials,
        hours=hours,
        memory_mb=memory,
        repeats=repeats,
        confirmations=confirm,
        sampler=sampler,
        storage=storage,
        name=study,
        seed=seed,
        cluster=cluster,
        quiet=quiet,
    )


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
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Scores a model on labelled images."""
    from segment.core.model.runtime import load_model
    from segment.core.raster.sources import parse_bands

    numbers = parse_bands(bands)
    with progress_bar(quiet) as progress:
        network = load_model(model, runtime, progress=progress)
    # The next import needs Keras; load_keras() hides what the backend prints when it starts.
    load_keras()
    from classify.training.evaluation import evaluate as score

    with progress_bar(quiet) as progress:
        found = score(
            data,
            network,
            output,
            part=part,
            bands=numbers,
            augment=augment,
            overwrite=overwrite,
            progress=progress,
        )
        progress.say(str(found))


@entry_point
def export(
    model: Annotated[Path, Argument(help="Model folder that classify-train wrote.")],
    int8: Annotated[
        list[Path],
        Option(metavar="DATA", help="Quantise the weights on this data folder; repeatable."),
    ] = [],  # noqa: B006 - typer reads it, nothing writes to it
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Exports a model to OpenVINO, which runs several times faster without a GPU."""
    from segment.core.model.folder import load_model_info

    load_model_info(model)  # report a wrong folder before the slow import of Keras
    load_keras()
    from classify.training.export import export_model

    with progress_bar(quiet) as progress:
        progress.say(
            str(export_model(model, int8=int8 or None, overwrite=overwrite, progress=progress))
        )


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
        float | None,
        Option(help="With --grid: a value that means no data, besides what the file says."),
    ] = None,
    augment: Augment = False,
    runtime: RuntimeOption = "auto",
    cluster: ClusterAddress = None,
    block: BlockEdge = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Labels images; with --grid, labels each cell of a scene."""
    from classify.data.pixels import orientation_notes
    from classify.labelling.formats import as_csv, as_json, as_table
    from classify.labelling.grid import LABEL_ENDINGS, label_scene
    from classify.labelling.predict import predict_images
    from segment.core.model.folder import load_model_info
    from segment.core.model.runtime import load_model
    from segment.core.raster.sources import (
        Source,
        alpha_note,
        find_sources,
        parse_bands,
        require_own_names,
    )

    if json and csv:
        raise InputError(
            "--json and --csv exclude each other. Received both. Leave one of them out."
        )
    if grid is None and (nodata is not None or output != Path()):
        raise InputError(
            "--output and --nodata belong to --grid. Received no --grid. Leave them out, or add"
            " --grid."
        )
    if grid is not None and (json or csv):
        raise InputError(
            "--json and --csv are for images. Received --grid, whose report is a file. Leave one of"
            " them out."
        )
    if grid is None and cluster is not None:
        raise InputError(
            "--cluster labels scenes. Received no --grid. Add --grid, or leave --cluster out."
        )
    sources = find_sources(images, LABEL_ENDINGS, parse_bands(bands), nodata)
    load_model_info(model).require_task("classify")
    if grid is not None:
        require_own_names(sources)
    if grid is not None and cluster is not None:
        from classify.cluster.scenes import label_scenes

        with progress_bar(quiet) as progress:
            done = label_scenes(
                sources,
                model,
                output,
                cluster=cluster,
                grid=grid,
                block=block,
                augment=augment,
                runtime=runtime,
                overwrite=overwrite,
                progress=progress,
            )
            tell_each("classify-predict", done, len(sources), progress)
        return
    require_cluster(block)
    with progress_bar(quiet or json or csv) as progress:
        network = load_model(model, runtime, progress=progress)

        def map_one(source: Source) -> None:
            assert grid is not None
            result = label_scene(
                source,
                network,
                output,
                grid=grid,
                augment=augment,
                overwrite=overwrite,
                progress=progress,
            )
            progress.say(str(result))

        if grid is not None:
            attempt_each("classify-predict", sources, map_one)
            return
        if (json or csv) and not quiet:  # stdout is for the program that reads it
            for turned in orientation_notes([source.path for source in sources]):
                print(turned, file=sys.stderr)
        predictions = list(
            predict_images(sources, network, top=top, augment=augment, progress=progress)
        )
    if (note := alpha_note(sources)) and not quiet:
        print(f"note: {note}", file=sys.stderr)
    problems = [prediction.problem for prediction in predictions if prediction.problem]
    if len(problems) < len(predictions) or json or csv:
        print((as_json if json else as_csv if csv else as_table)(predictions))
    require_all("classify-predict", problems, len(predictions))
