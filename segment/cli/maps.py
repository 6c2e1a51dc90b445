"""The command segment-predict."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

from typer import Argument, Option

from segment.bundled import BUNDLED
from segment.cli.truth import BoundaryWidth, TruthOptions
from segment.core.choices import BOUNDARY_WIDTH, OVERLAP, PolygonFormat
from segment.core.cli.batch import attempt_each, report_each
from segment.core.cli.command import entry_point
from segment.core.cli.options import (
    Augment,
    BlockEdge,
    ClusterAddress,
    ConsoleOptions,
    NodataOption,
    Overwrite,
    RuntimeOption,
    ScaleText,
    parse_model,
    require_cluster,
)
from segment.core.progress import say_result


@dataclass(frozen=True, kw_only=True)
class MappingOptions:
    """How scenes are mapped; see `MapOptions`."""

    overlap: Annotated[
        float, Option(min=0, max=0.95, help="Fraction of a tile's edge shared with its neighbour.")
    ] = OVERLAP
    tile: Annotated[
        int | None,
        Option(min=1, max=65_536, help="Edge of a tile, pixels; chosen for speed by default."),
    ] = None
    resample: Annotated[
        bool | None,
        Option(
            "--resample/--no-resample",
            help=(
                "See the scene at the pixel size the model learned from; or as it is. Default: at"
                " the nearer end of the model's "
                "range if its pixels lie outside."
            ),
        ),
    ] = None
    gsd: Annotated[
        float | None,
        Option(metavar="METRES", min=0, max=1e6, help="Metres per pixel, whatever the file says."),
    ] = None
    augment: Augment = False
    confidence: Annotated[bool, Option("--confidence", help="Also write SCENE_confidence.tif.")] = (
        False
    )
    polygons: Annotated[
        PolygonFormat | None,
        Option(
            metavar=f"[{'|'.join(get_args(PolygonFormat))}]",
            help="Also write polygons: SCENE.gpkg or, with parquet, GeoParquet.",
        ),
    ] = None
    min_area: Annotated[
        float,
        Option(
            min=0, max=1e15, help="Smaller polygons join a neighbour; m² (pixels without a CRS)."
        ),
    ] = 0
    boundary_width: BoundaryWidth = BOUNDARY_WIDTH
    aoi: Annotated[
        str | None,
        Option(
            metavar="BOX|FILE",
            help=(
                "Map an area alone: LEFT,BOTTOM,RIGHT,TOP in the scene's coordinates or in"
                " longitude and latitude (lonlat: or scene: before it decides), or the polygons"
                " of a vector file. Scenes that do not meet it are refused (status 2)."
            ),
        ),
    ] = None
    suggest: Annotated[
        int,
        Option(
            metavar="N",
            min=0,
            max=1000,
            help="Write N windows to label next: SCENE_suggest.gpkg.",
        ),
    ] = 0
    colors: Annotated[
        Path | None,
        Option(metavar="FILE", help="Class table with the colours of the map, by class name."),
    ] = None
    timing: Annotated[
        bool, Option("--timing", help="Print where the seconds went; the report has it, too.")
    ] = False


@entry_point
def predict(
    scenes: Annotated[
        list[str],
        Argument(
            help="Scenes to map: files, folders, patterns, and what GDAL reads (/vsicurl/, s3://)."
        ),
    ],
    model: Annotated[
        Path,
        Option(
            callback=parse_model,
            metavar="MODEL",
            help=(
                "A model folder that training wrote, hf://OWNER/NAME, or an ONNX file of others;"
                " by default the bundled model."
            ),
            show_default=False,
        ),
    ] = BUNDLED,
    output: Annotated[Path, Option(help="Folder for the maps.")] = Path(),
    bands: Annotated[
        str | None,
        Option(
            metavar="N,N,...",
            help="Bands to read, e.g. 4,3,2; by default red, green, blue as the file names them.",
        ),
    ] = None,
    nodata: NodataOption = None,
    scale: ScaleText = "auto",
    runtime: RuntimeOption = "auto",
    cluster: ClusterAddress = None,
    block: BlockEdge = None,
    resume: Annotated[
        bool,
        Option(
            help="Go on with a map that was stopped, if scene, model and settings are the same."
        ),
    ] = True,
    overwrite: Overwrite = False,
    *,
    reference: TruthOptions,
    mapping: MappingOptions,
    console: ConsoleOptions,
) -> None:
    """Maps scenes: class raster, pictures, report and a page to print of each."""
    from segment.core.inputs.left_out import mask_notes, unsearched_notes
    from segment.core.inputs.named_scenes import find_sources, parse_bands
    from segment.core.inputs.scene_scales import SceneScales
    from segment.core.machine import process_start
    from segment.core.onnx_models.loading import load_model
    from segment.core.raster.nodata import parse_nodata
    from segment.core.raster.sources import Source
    from segment.mapping.options import MapOptions
    from segment.mapping.predict import check_input, check_inputs, predict_scene
    from segment.mapping.result import MAP_ENDINGS

    options, truth = MapOptions(**vars(mapping)), reference.chosen()
    sources = find_sources(scenes, MAP_ENDINGS, parse_bands(bands), parse_nodata(nodata))
    info = check_inputs(
        sources, model, output, truth=truth, tile=mapping.tile, colors=mapping.colors
    )
    notes = [f"note: {note}" for note in (*unsearched_notes(scenes, output), *mask_notes(sources))]
    if cluster is not None:
        from segment.cluster.scenes import predict_scenes

        with console.progress() as progress:
            for note in notes:
                progress.say(note)
            done = predict_scenes(
                sources,
                model,
                output,
                cluster=cluster,
                block=block,
                truth=truth,
                options=options,
                scale=scale,
                runtime=runtime,
                resume=resume,
                overwrite=overwrite,
                progress=progress,
            )
            report_each("segment-predict", done, len(sources), progress)
        return
    require_cluster(block)
    scales = SceneScales.of(scale, info.pixels)

    def check(source: Source) -> None:
        check_input(scales.planned([source])[0], info)

    with console.progress() as progress:
        for note in notes:
            progress.say(note)

        def prepare(fit: list[Source]) -> tuple[list[Source], Callable[[Source], None]]:
            scaled = scales.scaled(fit, progress)
            network = load_model(model, runtime, progress=progress)

            def map_one(source: Source) -> None:
                is_first = source == scaled[0]  # whose start includes that of the command
                timing = process_start() if mapping.timing and is_first else mapping.timing
                result = predict_scene(
                    source,
                    network,
                    output,
                    truth=truth,
                    scale="never",  # in addition to that of the source
                    resume=resume,
                    overwrite=overwrite,
                    progress=progress,
                    **vars(mapping) | {"timing": timing},
                )
                say_result(progress, repr(result), result.files)

            return scaled, map_one

        attempt_each("segment-predict", sources, check, prepare)
