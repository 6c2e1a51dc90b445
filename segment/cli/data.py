"""Commands for data: segment-sample, segment-tile and segment-explore."""

from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from segment.bundled import BUNDLED
from segment.core.choices import SampleStyle
from segment.core.cli.command import entry_point
from segment.core.cli.options import (
    ConsoleOptions,
    Features,
    ModelFolder,
    Overwrite,
    SettingsOptions,
)


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
    *,
    console: ConsoleOptions,
) -> None:
    """Makes an aerial scene of an invented town, with its true land cover."""
    from segment.sample import write_sample

    with console.progress() as progress:
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
    *,
    console: ConsoleOptions,
) -> None:
    """Cuts a scene and its mask into a tile folder."""
    from segment.annotations.cutting import cut_scene

    cut = partial(cut_scene, scene, mask, output, size, overlap)
    console.show(partial(cut, classes=classes, overwrite=overwrite))


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
    overwrite: Overwrite = False,
    *,
    settings: SettingsOptions,
    console: ConsoleOptions,
) -> None:
    """Reports what a tile folder holds before training, and what to fix."""
    from segment.config import Config
    from segment.data.collections import check_data
    from segment.exploration.explore import explore as explore_tiles
    from segment.exploration.explore import explore_collections

    data = settings.load(Config).data
    check_data(tiles, data)
    network = model if features or model != BUNDLED else None
    if tiles is not None:
        explore_folder = partial(explore_tiles, tiles, output, data, model=network)
        console.show(partial(explore_folder, overwrite=overwrite))
        return
    with console.progress() as progress:
        found = explore_collections(
            output, data, model=network, overwrite=overwrite, progress=progress
        )
        progress.say("\n".join(f"{name}:\n{one}" for name, one in found.items()))
