"""The segment-* commands: parse, call one library function, print."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from segment.core.command import Debug, Overwrite, Quiet, entry_point, load_keras, progress_bar
from segment.core.errors import InputError

ConfigFile = Annotated[Path | None, Option("--config", help="Settings, a YAML file (see configs/segment).")]
Overrides = Annotated[list[str], Option("--set", metavar="KEY=VALUE", help="One setting, e.g. training.epochs=20; repeatable.")]
ModelFolder = Annotated[Path, Option("--model", help="A model folder that segment-train wrote.")]


@entry_point
def sample(
    output: Annotated[Path, Argument(help="Folder to write scene.tif, truth.tif and classes.yaml to.")],
    size: Annotated[int, Option(min=1, help="Edge of the scene, pixels of 30 cm.")] = 2048,
    seed: Annotated[int, Option(min=0, help="Which town; the same seed makes the same scene.")] = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Makes an aerial scene of an invented town, with its true land cover."""
    from segment.sample import write_sample

    with progress_bar(quiet) as progress:
        shown = partial(progress.advance, "drawing")
        folder = write_sample(output, size, size, seed, overwrite=overwrite, progress=shown)
        progress.say(f"{folder}: scene.tif, truth.tif and classes.yaml of {size} x {size} px")


@entry_point
def tile(
    scene: Annotated[Path, Argument(help="The scene: GeoTIFF, PNG or JPEG.")],
    mask: Annotated[Path, Option(help="Its mask, of the same size: class values or colours.")],
    output: Annotated[Path, Option(help="Folder for images/ and masks/; its name is the group's.")],
    size: Annotated[int, Option(min=32, help="Edge of a tile, pixels.")] = 256,
    overlap: Annotated[float, Option(min=0, max=0.95, help="Fraction of the edge shared with the neighbour.")] = 0.0,
    classes: Annotated[Path | None, Option(help="Class table; else classes.yaml beside the mask.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Cuts a scene and its mask into a tile folder."""
    from segment.cutting import cut_scene

    with progress_bar(quiet) as progress:
        shown = partial(progress.advance, "cutting")
        progress.say(str(cut_scene(scene, mask, output, size, overlap, classes=classes, overwrite=overwrite, progress=shown)))


@entry_point
def train(
    tiles: Annotated[Path, Argument(help="Tile folder: images/ and masks/ side by side, anywhere below.")],
    output: Annotated[Path, Option(help="Run folder to write.")],
    config: ConfigFile = None,
    settings: Overrides = [],  # noqa: B006 - typer reads it, nothing writes to it
    resume: Annotated[bool, Option("--resume", help="Go on with the run in --output from its last epoch.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Trains a model on a tile folder."""
    from segment.config import Config
    from segment.core.config import load_settings

    if resume and config is None:
        config = output / "config.yaml"
    wanted = load_settings(Config, config, settings)
    load_keras()
    from segment.training import train as train_model

    with progress_bar(quiet) as progress:
        progress.say(str(train_model(tiles, output, wanted, resume=resume, overwrite=overwrite, progress=progress)))
        progress.say(f"report: {output / 'report.html'}")


@entry_point
def evaluate(
    tiles: Annotated[Path, Argument(help="Tile folder to score on.")],
    model: ModelFolder,
    output: Annotated[Path | None, Option(help="Folder for report.json and report.html.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Scores a model on a tile folder."""
    load_keras()
    from segment.evaluation import evaluate as score

    with progress_bar(quiet) as progress:
        progress.say(str(score(tiles, model, output, overwrite=overwrite, progress=progress)))


@entry_point
def predict(
    scenes: Annotated[list[Path], Argument(help="Scenes to map: GeoTIFF, PNG or JPEG.")],
    model: ModelFolder,
    output: Annotated[Path, Option(help="Folder for the maps.")] = Path(),
    truth: Annotated[Path | None, Option(help="True mask of the scene: the map is scored.")] = None,
    overlap: Annotated[float, Option(min=0, max=0.95, help="Fraction of a tile's edge shared with its neighbour.")] = 0.25,
    tile: Annotated[int | None, Option(min=1, help="Edge of a tile, pixels; the model's own by default.")] = None,
    bands: Annotated[str | None, Option(help="Bands to read, e.g. 4,3,2; all but alpha by default.")] = None,
    nodata: Annotated[float | None, Option(help="A value that means no data, besides what the file says.")] = None,
    augment: Annotated[bool, Option("--augment", help="Average the eight flips and turns: eight times the work.")] = False,
    confidence: Annotated[bool, Option("--confidence", help="Also write SCENE_confidence.tif.")] = False,
    polygons: Annotated[bool, Option("--polygons", help="Also write SCENE.gpkg.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Maps scenes: class raster, coloured picture, overlay and report of each."""
    from segment.core.model_folder import load_model_info
    from segment.predict import predict_scene

    if truth is not None and len(scenes) > 1:
        raise InputError(f"--truth belongs to one scene. Received {len(scenes)} scenes. Map them one by one.")
    for stem, count in Counter(scene.stem for scene in scenes).items():
        if count > 1:
            raise InputError(f"Scenes of one call have names of their own. Received {stem!r} {count} times. Map them one by one.")
    numbers = parse_bands(bands)
    load_model_info(model)  # a wrong folder is told before Keras is waited for
    load_keras()
    from segment.core.runtime import Model

    network = Model(model)
    with progress_bar(quiet) as progress:
        for scene in scenes:
            result = predict_scene(
                scene,
                network,
                output,
                truth=truth,
                overlap=overlap,
                tile=tile,
                bands=numbers,
                nodata=nodata,
                augment=augment,
                confidence=confidence,
                polygons=polygons,
                overwrite=overwrite,
                progress=partial(progress.advance, f"mapping {scene.name}"),
            )
            progress.say(repr(result))


def parse_bands(text: str | None) -> list[int] | None:
    """Band numbers from "4,3,2". Raises InputError when they are not such a list."""
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise InputError(f"--bands: numbers from 1 with commas between. Received {text!r}. Write e.g. 4,3,2.")
    return [int(part) for part in parts]
