"""The command that labels images, and the cells of scenes: classify-predict."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from classify.bundled import BUNDLED
from segment.core.cli.batch import attempt_each, report_each, require_all
from segment.core.cli.command import entry_point
from segment.core.cli.options import (
    Augment,
    BlockEdge,
    ClusterAddress,
    ConsoleOptions,
    ModelFolder,
    Overwrite,
    RuntimeOption,
    require_cluster,
)
from segment.core.errors import InputError
from segment.core.progress import JsonLines, say_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from classify.labelling.prediction import Prediction
    from segment.core.model.info import ModelInfo
    from segment.core.raster.sources import Source


@entry_point
def predict(
    images: Annotated[
        list[str],
        Argument(help="Images: files, folders, patterns, and what GDAL reads (/vsicurl/, s3://)."),
    ],
    model: ModelFolder = BUNDLED,
    top: Annotated[
        int | None, Option(min=1, max=10_000, help="Labels of each image; 3 by default.")
    ] = None,
    json: Annotated[bool, Option("--json", help="Print JSON in place of a table.")] = False,
    csv: Annotated[
        Path | None, Option("--csv", metavar="FILE", help="Write the labels to a CSV file, too.")
    ] = None,
    grid: Annotated[
        int | None,
        Option(
            min=8, max=2**16, metavar="N", help="Label scenes in cells of N x N pixels, as maps."
        ),
    ] = None,
    output: Annotated[Path, Option(help="Folder for the maps of --grid.")] = Path(),
    bands: Annotated[
        str | None,
        Option(
            metavar="N,N,...", help="Bands to read, e.g. 4,3,2; those of the training by default."
        ),
    ] = None,
    scale: Annotated[
        str,
        Option(
            metavar="SCALE",
            help=(
                "How more than 8 bits become 8: auto, never; for all images LOW,HIGH or 2%,98%;"
                " REPORT.json: as in another report of --grid."
            ),
        ),
    ] = "auto",
    nodata: Annotated[
        str | None,
        Option(
            metavar="VALUE|LOW-HIGH",
            help="With --grid: value or range of no data, besides what the file declares.",
        ),
    ] = None,
    augment: Augment = False,
    smooth: Annotated[
        bool,
        Option(
            "--smooth", help="With --grid: average probabilities with those of neighbouring cells."
        ),
    ] = False,
    runtime: RuntimeOption = "auto",
    cluster: ClusterAddress = None,
    block: BlockEdge = None,
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Labels images; with --grid, labels each cell of a scene."""
    from classify.data.pixels import file_notes
    from classify.labelling.predict import band_notes, predict_images
    from classify.labelling.result import LABEL_ENDINGS
    from classify.labelling.scene_inputs import scaled_sources
    from segment.core.inputs.left_out import unsearched_notes
    from segment.core.inputs.named_scenes import (
        alpha_note,
        find_sources,
        parse_bands,
        require_own_names,
        scale_notes,
    )
    from segment.core.maps.scene_outputs import refuse_inputs
    from segment.core.model.folder import load_model_info
    from segment.core.model.runtime import load_model
    from segment.core.outputs import refuse_existing
    from segment.core.raster.nodata import parse_nodata

    if json and console.form == "json":
        raise InputError("--json and --progress json both write to stdout. Leave one of them out.")
    if grid is None and (nodata is not None or output != Path() or smooth):
        raise InputError(
            "--output, --nodata and --smooth belong to --grid, which is not given. Add --grid, or"
            " leave them out."
        )
    if grid is not None and (json or csv or top is not None):
        raise InputError(
            "--json, --csv and --top are for images, and the report of --grid is a file. Leave one"
            " of them out."
        )
    if grid is None and cluster is not None:
        raise InputError(
            "--cluster belongs to --grid, which is not given. Add --grid, or leave --cluster out."
        )
    sources = find_sources(images, LABEL_ENDINGS, parse_bands(bands), parse_nodata(nodata))
    _print_notes([f"note: {note}" for note in unsearched_notes(images, output)], console)
    if csv:
        refuse_existing(csv, overwrite)
        refuse_inputs([csv], [source.path for source in sources])
    info = load_model_info(model)
    info.require_task("classify")
    if grid is not None:
        require_own_names(sources)
        options: dict[str, Any] = {"grid": grid, "scale": scale, "runtime": runtime}
        options |= {"augment": augment, "smooth": smooth, "overwrite": overwrite}
        if cluster is None:
            require_cluster(block)
            _label_scenes(sources, model, info, output, console, options)
            return
        from classify.cluster.scenes import label_scenes

        with console.progress() as progress:
            done = label_scenes(
                sources, model, output, cluster=cluster, block=block, progress=progress, **options
            )
            report_each("classify-predict", done, len(sources), progress)
        return
    require_cluster(block)
    with console.progress(hidden=json) as progress:
        sources = scaled_sources(sources, info, scale, progress)
        network = load_model(model, runtime, progress=progress)
        if json:  # stdout is for the program that reads it
            turned = file_notes([source.path for source in sources])
            _print_notes([*turned, *scale_notes(sources)], console)
        predictions = list(
            predict_images(
                sources, network, top=top or 3, scale="never", augment=augment, progress=progress
            )
        )
    if note_on_alpha := alpha_note(sources):
        _print_notes([f"note: {note_on_alpha}"], console)
    _print_notes(band_notes(predictions), console)
    problems = [prediction.problem for prediction in predictions if prediction.problem]
    labelled = len(problems) < len(predictions)
    if json or labelled:
        _show(predictions, json, csv if labelled else None, overwrite, console)
    require_all("classify-predict", problems, len(predictions))


def _print_notes(notes: Sequence[str], console: ConsoleOptions) -> None:
    """Prints notes to stderr, unless the console is quiet."""
    for note in [] if console.quiet else notes:
        print(note, file=sys.stderr)


def _show(
    predictions: "Sequence[Prediction]",
    json: bool,
    csv: Path | None,
    overwrite: bool,
    console: ConsoleOptions,
) -> None:
    """Prints predictions, and writes them to a file if one is given."""
    from classify.labelling.formats import as_csv, as_json, as_table
    from segment.core.disk import writable
    from segment.core.outputs import staged

    if csv:
        with staged(csv, overwrite) as partial, writable(csv):
            partial.write_text(as_csv(predictions) + "\n", encoding="utf-8")
    if console.form == "json":
        say_result(JsonLines(), as_table(predictions), [csv] if csv else [])
        return
    print(as_json(predictions) if json else as_table(predictions))
    if csv and not (json or console.quiet):
        print(f"-> {csv}")


def _label_scenes(
    sources: "Sequence[Source]",
    model: Path,
    info: "ModelInfo",
    output: Path,
    console: ConsoleOptions,
    options: dict[str, Any],
) -> None:
    """Labels the cells of scenes one after the other; `options` are those of `label_scene`.

    Its `scale` is that of all scenes together.
    """
    from classify.labelling.scene import label_scene, open_scene
    from classify.labelling.scene_inputs import scaled_sources
    from segment.core.model.runtime import load_model

    scale = options["scale"]

    def check(source: "Source") -> None:
        (planned,) = scaled_sources([source], info, scale, measure=False)
        with open_scene(planned, info, options["grid"]):
            pass

    with console.progress() as progress:

        def prepare(
            fit: "list[Source]",
        ) -> "tuple[list[Source], Callable[[Source], None]]":
            scaled = scaled_sources(fit, info, scale, progress)
            network = load_model(model, options["runtime"], progress=progress)

            def label_one(source: "Source") -> None:
                # the scale is that of the source
                own = options | {"scale": "never"}
                result = label_scene(source, network, output, progress=progress, **own)
                say_result(progress, str(result), result.files)

            return scaled, label_one

        attempt_each("classify-predict", sources, check, prepare)
