"""The segment-* commands: each parses its options, calls one library function and prints."""

from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from segment.bundled import BUNDLED
from segment.core.choices import OVERLAP, ExportFormat, SampleStyle
from segment.core.cli.batch import attempt_each, tell_each
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


@entry_point
def sample(
    output: Annotated[
        Path, Argument(help="Folder to write scene.tif, truth.tif and classes.yaml to.")
    ],
    size: Annotated[int, Option(min=1, max=65_536, help="Edge of the scene, pixels.")] = 2048,
    seed: Annotated[
        int, Option(min=0, max=2**32 - 1, help="Which town; the same seed makes the same scene.")
    ] = 0,
    style: Annotated[
        SampleStyle,
        Option(
            help="dry: the country of all figures; varied: other ground, roofs and light by seed."
        ),
    ] = "dry",
    gsd: Annotated[
        float, Option(min=0.3, max=3, help="Metres per pixel: 0.3 or a multiple, to 3.")
    ] = 0.3,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Makes an aerial scene of an invented town, with its true land cover."""
    from segment.sample import write_sample

    with progress_bar(quiet) as progress:
        folder = write_sample(
            output, size, size, seed, style=style, gsd=gsd, overwrite=overwrite, progress=progress
        )
        progress.say(f"{folder}: scene.tif, truth.tif and classes.yaml of {size} x {size} px")


@entry_point
def tile(
    scene: Annotated[Path, Argument(help="The scene: GeoTIFF, PNG or JPEG.")],
    mask: Annotated[Path, Option(help="Its mask, of the same ground: class values or colours.")],
    output: Annotated[Path, Option(help="Folder for images/ and masks/; its name is the group's.")],
    size: Annotated[int, Option(min=32, max=8192, help="Edge of a tile, pixels.")] = 256,
    overlap: Annotated[
        float, Option(min=0, max=0.95, help="Fraction of the edge shared with the neighbour.")
    ] = 0.0,
    classes: Annotated[
        Path | None, Option(help="Class table; else classes.yaml beside the mask.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Cuts a scene and its mask into a tile folder."""
    from segment.data.cutting import cut_scene

    with progress_bar(quiet) as progress:
        progress.say(
            str(
                cut_scene(
                    scene,
                    mask,
                    output,
                    size,
                    overlap,
                    classes=classes,
                    overwrite=overwrite,
                    progress=progress,
                )
            )
        )


@entry_point
def train(
    output: Annotated[Path, Option(help="Run folder to write.")],
    tiles: Annotated[
        Path | None,
        Argument(
            help=(
                "Tile folder: images/ and masks/ side by side, anywhere below. None where the"
                " config has data.collections."
            )
        ),
    ] = None,
    config: ConfigFile = None,
    settings: Overrides = [],  # noqa: B006 - typer reads it, nothing writes to it
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Trains a model on a tile folder, or on several collections."""
    from segment.config import Config

    run_training(
        "segment.training.train",
        Config,
        tiles,
        output,
        config,
        settings,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )


@entry_point
def explore(
    output: Annotated[
        Path,
        Option(
            help="Folder for report.html and report.json; of several collections a folder each."
        ),
    ],
    tiles: Annotated[
        Path | None,
        Argument(help="Tile folder to look at. None where the config has data.collections."),
    ] = None,
    features: Features = False,
    model: ModelFolder = BUNDLED,
    config: ConfigFile = None,
    settings: Overrides = [],  # noqa: B006 - typer reads it, nothing writes to it
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Reports what a tile folder holds before training, and what to fix."""
    from segment.config import Config
    from segment.core.config import load_settings
    from segment.data.collections import check_data
    from segment.exploration.explore import explore as explore_tiles
    from segment.exploration.explore import explore_collections

    wanted = load_settings(Config, config, settings).data
    check_data(tiles, wanted)
    network = model if features or model != BUNDLED else None
    with progress_bar(quiet) as progress:
        if tiles is None:
            found = explore_collections(
                output, wanted, model=network, overwrite=overwrite, progress=progress
            )
            progress.say("\n".join(f"{name}:\n{one}" for name, one in found.items()))
            return
        progress.say(
            str(
                explore_tiles(
                    tiles, output, wanted, model=network, overwrite=overwrite, progress=progress
                )
            )
        )


@entry_point
def tune(
    tiles: Annotated[Path, Argument(help="Tile folder to train on.")],
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
    """Searches for the settings that segment-train learns best with."""
    from segment.config import Config

    run_tuning(
        "segment.tuning",
        Config,
        tiles,
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
    tiles: Annotated[Path, Argument(help="Tile folder to score on.")],
    model: ModelFolder = BUNDLED,
    output: Annotated[Path | None, Option(help="Folder for report.json and report.html.")] = None,
    part: Annotated[
        PartChoice, Option(help="Part of the tiles to score; test: what training never saw.")
    ] = "all",
    augment: Augment = False,
    runtime: RuntimeOption = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Scores a model on a tile folder."""
    from segment.core.model.runtime import load_model

    with progress_bar(quiet) as progress:
        network = load_model(model, runtime, progress=progress)
    load_keras()  # hides what its backend prints at the start; the import below would show it
    from segment.training.evaluation import evaluate as score

    with progress_bar(quiet) as progress:
        found = score(
            tiles,
            network,
            output,
            part=part,
            augment=augment,
            overwrite=overwrite,
            progress=progress,
        )
        progress.say(str(found))


@entry_point
def export(
    model: Annotated[Path, Argument(help="Model folder that segment-train wrote.")],
    format: Annotated[
        ExportFormat,
        Option(help="openvino: several times faster on CPUs; onnx: for QGIS and others."),
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
        Path | None, Option(help="File for ONNX; model.onnx in the model folder by default.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Writes a model in another form: faster, or portable."""
    from segment.core.model.folder import load_model_info

    load_model_info(model)  # reports a wrong folder before Keras loads, which takes seconds
    load_keras()
    from segment.training.export import export_model

    with progress_bar(quiet) as progress:
        progress.say(
            str(
                export_model(
                    model, format, int8=int8, output=output, overwrite=overwrite, progress=progress
                )
            )
        )


@entry_point
def predict(
    scenes: Annotated[
        list[str],
        Argument(
            help="Scenes to map: files, folders, patterns, and what GDAL reads (/vsicurl/, s3://)."
        ),
    ],
    model: ModelFolder = BUNDLED,
    output: Annotated[Path, Option(help="Folder for the maps.")] = Path(),
    truth: Annotated[Path | None, Option(help="True mask of the scene: the map is scored.")] = None,
    overlap: Annotated[
        float, Option(min=0, max=0.95, help="Fraction of a tile's edge shared with its neighbour.")
    ] = OVERLAP,
    tile: Annotated[
        int | None,
        Option(min=1, max=65_536, help="Edge of a tile, pixels; chosen for speed by default."),
    ] = None,
    bands: Annotated[
        str | None, Option(help="Bands to read, e.g. 4,3,2; all but alpha by default.")
    ] = None,
    nodata: Annotated[
        float | None, Option(help="A value that means no data, besides what the file says.")
    ] = None,
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
    ] = None,
    gsd: Annotated[
        float | None,
        Option(metavar="METRES", min=0, max=1e6, help="Metres per pixel, whatever the file says."),
    ] = None,
    augment: Augment = False,
    confidence: Annotated[
        bool, Option("--confidence", help="Also write SCENE_confidence.tif.")
    ] = False,
    polygons: Annotated[bool, Option("--polygons", help="Also write SCENE.gpkg.")] = False,
    min_area: Annotated[
        float,
        Option(
            min=0, max=1e15, help="Smaller polygons join a neighbour; m² (pixels without a CRS)."
        ),
    ] = 0,
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
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Maps scenes: class raster, coloured picture, overlay and report of each."""
    from segment.core.model.runtime import load_model
    from segment.core.raster.sources import Source, find_sources, parse_bands
    from segment.mapping.predict import check_inputs, predict_scene
    from segment.mapping.result import MAP_ENDINGS
    from segment.mapping.scale import check_gsd

    check_gsd(gsd)
    asked: dict[str, Any] = {
        "overlap": overlap,
        "tile": tile,
        "augment": augment,
        "confidence": confidence,
        "polygons": polygons,
        "min_area": min_area,
        "resample": resample,
        "gsd": gsd,
    }
    sources = find_sources(scenes, MAP_ENDINGS, parse_bands(bands), nodata)
    if cluster is not None:
        from segment.cluster.scenes import predict_scenes
        from segment.mapping.options import MapOptions

        options = MapOptions(**asked)
        with progress_bar(quiet) as progress:
            done = predict_scenes(
                sources,
                model,
                output,
                cluster=cluster,
                block=block,
                truth=truth,
                options=options,
                runtime=runtime,
                resume=resume,
                overwrite=overwrite,
                progress=progress,
            )
            tell_each("segment-predict", done, len(sources), progress)
        return
    require_cluster(block)
    check_inputs(sources, model, output, truth=truth)
    with progress_bar(quiet) as progress:
        network = load_model(model, runtime, progress=progress)

        def map_one(source: Source) -> None:
            result = predict_scene(
                source,
                network,
                output,
                truth=truth,
                resume=resume,
                overwrite=overwrite,
                progress=progress,
                **asked,
            )
            progress.say(repr(result))

        attempt_each("segment-predict", sources, map_one)


@entry_point
def app(
    host: Annotated[
        str, Option(help="Address to listen at; 0.0.0.0 for others in the network, too.")
    ] = "127.0.0.1",
    port: Annotated[
        int, Option(min=0, max=65535, help="Port to listen at; 0: the first free one.")
    ] = 7860,
    max_upload: Annotated[
        str, Option(metavar="SIZE", help="Largest file that is taken, e.g. 500MB.")
    ] = "2GB",
    models: Annotated[
        Path | None, Option(metavar="DIR", help="A folder of model folders to choose among, too.")
    ] = None,
    share: Annotated[
        bool, Option("--share", help="Also under a public address, through Gradio's servers.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="Name that the server goes by, e.g. behind a proxy. May be repeated.",
        ),
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Opens a web page on this machine that labels images and maps scenes."""
    if find_spec("gradio") is None:
        raise InputError("gradio is not installed. Run: pip install 'aerial-segment[app]'")
    from segment.app.server import Server, end_with_terminal

    end_with_terminal()
    with ExitStack() as stack:
        with progress_bar(quiet) as progress:
            server = Server(
                host,
                port,
                max_upload=max_upload,
                models=models,
                share=share,
                allowed_hosts=allowed_host or (),
                progress=progress,
            )
            stack.enter_context(server)
            progress.say(f"{server.shared or server.url}  (Ctrl-C ends it)")
        server.show()
        server.wait()
