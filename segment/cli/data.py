"""Commands for data: segment-sample, segment-tile and segment-explore."""

from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from typer import Argument, Option

from segment.bundled import BUNDLED
from segment.cli.truth import SceneField, SceneLabels, vector_labels, with_scene_labels
from segment.core.choices import LabelOrder, SampleStyle
from segment.core.cli.command import entry_point
from segment.core.cli.options import (
    ConsoleOptions,
    Features,
    ModelFolder,
    NodataOption,
    Overwrite,
    SettingsOptions,
)
from segment.core.errors import InputError

if TYPE_CHECKING:
    from segment.annotations.vector_labels import VectorLabels


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
        float, Option(min=0.3, max=3, help="Metres per pixel: 0.3 or a multiple of it, at most 3.")
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


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Where the labels of a scene come from: a mask, or a vector file."""

    mask: Annotated[
        Path | None, Option(help="Its mask, of the same ground: class values or colours.")
    ] = None
    labels: Annotated[
        list[Path] | None,
        Option(
            metavar="FILE",
            help="Or its polygons, lines and points: GeoPackage, GeoJSON ... Repeatable: later"
            " files are on top, such as corrections.",
        ),
    ] = None
    field: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="With --labels: field whose values are the classes; one, or one a file.",
        ),
    ] = None
    layer: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="With --labels: layer of the file, if it has several; one, or one a file.",
        ),
    ] = None
    width: Annotated[
        str | None, Option(metavar="METRES|FIELD", help="With --labels: width of lines.")
    ] = None
    radius: Annotated[
        str | None, Option(metavar="METRES|FIELD", help="With --labels: radius of points.")
    ] = None
    order: Annotated[
        LabelOrder, Option(help="With --labels: which of two overlapping shapes is on top.")
    ] = "smaller"
    background: Annotated[
        str | None,
        Option(
            metavar="NAME", help="With --labels: class of what no shape covers; else unlabelled."
        ),
    ] = None
    labelled_areas: Annotated[
        Path | None,
        Option(help="With --labels: polygons around what was labelled; the rest is unlabelled."),
    ] = None
    codes: Annotated[
        Path | None, Option(help="With --labels: YAML file, a line for each value: 111: urban.")
    ] = None

    def chosen(self) -> "Path | list[VectorLabels]":
        """Returns the labels as the library takes them.

        Returns:
            Path of the mask, or the vector labels, the lowest first.

        Raises:
            InputError: If neither or both are given, or options that do not belong together.
        """
        files = self.labels or []
        if (self.mask is None) == (not files):
            given = "neither" if self.mask is None else "both"
            raise InputError(f"Give either --mask or --labels. Received {given}.")
        of_vectors = {
            f"--{one.name.replace('_', '-')}": getattr(self, one.name) not in (one.default, [])
            for one in fields(self)
            if one.name not in ("mask", "labels")
        }
        if self.mask is not None:
            for option, is_given in of_vectors.items():
                if is_given:
                    raise InputError(f"{option} belongs to --labels, not to --mask. Leave it out.")
            return self.mask
        if not self.field:
            raise InputError("--labels needs --field NAME, the field whose values are the classes.")
        names = _one_each("--field", self.field, len(files))
        unnamed: list[str | None] = [None]
        layers = _one_each("--layer", [*(self.layer or unnamed)], len(files))
        shared = ("width", "radius", "order", "background", "labelled_areas", "codes")
        texts = {key: str(getattr(self, key)) for key in shared if getattr(self, key) is not None}
        return [
            vector_labels(path, field, texts | ({"layer": layer} if layer else {}))
            for path, field, layer in zip(files, names, layers, strict=True)
        ]


T = TypeVar("T")


def _one_each(option: str, values: list[T], files: int) -> list[T]:
    """Returns a value for each file: that of all files, or its own."""
    if len(values) not in (1, files):
        raise InputError(
            f"{option} is given once for all --labels or once for each. Received {len(values)} for"
            f" {files} files."
        )
    return values * files if len(values) == 1 else values


@entry_point
def tile(
    scene: Annotated[Path, Argument(help="The scene: GeoTIFF, PNG or JPEG.")],
    output: Annotated[Path, Option(help="Folder for images/ and masks/; its name is the group's.")],
    size: Annotated[int, Option(min=32, max=8192, help="Edge of a tile, pixels.")] = 256,
    overlap: Annotated[
        float, Option(min=0, max=0.95, help="Fraction of the edge shared with the neighbour.")
    ] = 0.0,
    classes: Annotated[
        Path | None,
        Option(help="Class table; else classes.yaml beside the mask, or the values of --field."),
    ] = None,
    min_labelled: Annotated[
        float, Option(min=0, max=1, help="Share of a tile that must have a class; 0: one pixel.")
    ] = 0.0,
    nodata: NodataOption = None,
    overwrite: Overwrite = False,
    *,
    labels: LabelOptions,
    console: ConsoleOptions,
) -> None:
    """Cuts a scene and its mask, or its vector labels, into a tile folder."""
    chosen = labels.chosen()
    from segment.core.raster.nodata import parse_nodata
    from segment.data.cutting import cut_scene

    cut = partial(cut_scene, scene, chosen, output, size, overlap, min_labelled=min_labelled)
    missing = parse_nodata(nodata)
    console.show(partial(cut, classes=classes, nodata=missing, overwrite=overwrite))


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
        Argument(
            help=(
                "Tile folder to look at, or a scene with --labels. None where the config has"
                " data.collections."
            )
        ),
    ] = None,
    labels: SceneLabels = None,
    field: SceneField = None,
    features: Features = False,
    model: ModelFolder = BUNDLED,
    overwrite: Overwrite = False,
    *,
    settings: SettingsOptions,
    console: ConsoleOptions,
) -> None:
    """Reports what a tile folder or a scene with its labels holds, and what to fix."""
    from segment.config import Config
    from segment.core.common_settings import split_seed
    from segment.data.collections import check_data
    from segment.exploration.explore import explore as explore_tiles
    from segment.exploration.explore import explore_collections

    named = with_scene_labels(settings.settings, labels, field)
    config = replace(settings, settings=named).load(Config)
    data = config.data.model_copy(
        update={"split_seed": split_seed(config.data.split_seed, config.training)}
    )
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
