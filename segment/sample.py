"""Procedural aerial scenes of an invented town with a pixel-exact reference, by seed.

The town is an endless plane: a seed shows the same ground at every size of the scene, and any
rectangle of it can be rendered alone.
"""

from pathlib import Path
from typing import get_args

import numpy as np

from segment.core.choices import SampleStyle
from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, Class, ClassTable, save_class_table
from segment.core.outputs import staged
from segment.core.progress import Progress
from segment.town.town import BLOCK, GROUND_SAMPLING_DISTANCE, Town

SAMPLE_CLASSES = (
    Class(name="building", color="#3C1098", map_color="#8B2A20", value=0),
    Class(name="land", color="#8429F6", map_color="#F4E0B4", value=1),
    Class(name="road", color="#6EC1E4", map_color="#808080", value=2),
    Class(name="vegetation", color="#FEDD3A", map_color="#5AAE34", value=3),
    Class(name="water", color="#E2A929", map_color="#0D5BB0", value=4),
    Class(name="unlabeled", color="#9B9B9B", value=IGNORED, ignore=True),
)
"""Classes of the reference.

Sidewalks, yards, driveways and gravel are land; parking lots and bridges are road; pools are water;
crops of any colour are vegetation, bare fields land, dirt roads road; vehicles and sports courts
are unlabeled. A shadow does not change the class beneath it.
"""

_FILES = ("scene.tif", "truth.tif", "classes.yaml", "scene.tif.aux.xml", "truth.tif.aux.xml")
_TILE = 256
_LARGEST_REDUCTION = 10

_ORIGIN = 326_400.0, 2_780_700.0
_APART = 36_864 * GROUND_SAMPLING_DISTANCE
"""Metres between towns: a multiple of the usual step of tiles, so that all share one grid."""
_IN_A_ROW, _ROWS = 32, 512


def town_origin(seed: int) -> tuple[float, float]:
    """Returns the position of a town's upper left corner.

    Towns of small seeds (below 16,384) do not share ground. Otherwise a model trained on one of
    them would be taken to know another.

    Args:
        seed: Which town, 0 or above.

    Returns:
        Easting and northing in metres.
    """
    row, column = divmod(seed, _IN_A_ROW)
    return _ORIGIN[0] + column * _APART, _ORIGIN[1] + row % _ROWS * _APART


def write_sample(
    folder: Path | str,
    height: int,
    width: int,
    seed: int = 0,
    *,
    style: SampleStyle = "dry",
    gsd: float = GROUND_SAMPLING_DISTANCE,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Writes a scene, its reference and their class table into a new folder.

    These are `scene.tif` (RGB), `truth.tif` (class values, nodata 255) and `classes.yaml`. Both
    rasters are tiled, losslessly compressed GeoTIFFs in EPSG:32640. Memory does not grow with the
    size of the scene.

    Args:
        folder: Folder to write.
        height: Rows of the scene, pixels.
        width: Columns of the scene, pixels.
        seed: Which town, 0 or above.
        style: Style of the town. "dry": like those on which the published figures were measured;
            "varied": anywhere on Earth.
        gsd: Ground sampling distance, metres per pixel: 0.3 or a multiple of it, up to 3.
        overwrite: Whether an earlier output may be replaced.
        progress: Where progress is reported.

    Returns:
        The folder.

    Raises:
        InputError: If the style, size, seed or ground sampling distance is out of range, if the
            folder exists and `overwrite` is not set, or if it cannot be written completely.
    """
    if style not in get_args(SampleStyle):
        raise InputError(f"Unknown style {style!r}. Choose dry or varied.")
    if min(height, width) < 1 or seed < 0:
        raise InputError(
            f"Size {height}x{width}, seed {seed}: sizes are at least 1, seeds at least 0. Change"
            " them."
        )
    reduction = round(gsd / GROUND_SAMPLING_DISTANCE) if np.isfinite(gsd) else 0
    if (
        not 1 <= reduction <= _LARGEST_REDUCTION
        or abs(reduction * GROUND_SAMPLING_DISTANCE - gsd) > 1e-6
    ):
        raise InputError(
            f"Ground sampling distance {gsd}: towns are drawn at multiples of 0.3 m per pixel, up"
            " to 3 m. Choose e.g. 0.6."
        )
    with (
        staged(Path(folder), overwrite, _FILES) as partial,
        writable(Path(folder), space=5 * height * width),
    ):
        partial.mkdir()
        save_class_table(ClassTable(SAMPLE_CLASSES), partial / "classes.yaml")
        _write_rasters(partial, Town(height, width, seed, style, reduction), progress)
    return Path(folder)


def _write_rasters(folder: Path, town: Town, progress: Progress | None) -> None:
    import rasterio
    from rasterio.transform import from_origin
    from rasterio.windows import Window

    # 0.3 times 3 is not quite 0.9 in binary
    pixel = round(GROUND_SAMPLING_DISTANCE * town.reduction, 6)
    # so coarse pixels need no more memory at a time
    step = max(BLOCK // town.reduction // _TILE, 1) * _TILE
    profile = {
        "driver": "GTiff",
        "height": town.height,
        "width": town.width,
        "dtype": "uint8",
        "crs": "EPSG:32640",
        "transform": from_origin(*town_origin(town.seed), pixel, pixel),
        "tiled": True,
        "blockxsize": _TILE,
        "blockysize": _TILE,
        "compress": "deflate",
        "zlevel": 3,
        "bigtiff": "IF_SAFER",
    }
    done, total = 0, town.height * town.width
    with (
        rasterio.open(
            folder / "scene.tif", "w", count=3, photometric="RGB", predictor=2, **profile
        ) as scene,
        rasterio.open(folder / "truth.tif", "w", count=1, nodata=IGNORED, **profile) as reference,
    ):
        scene.descriptions = ("red", "green", "blue")
        reference.write_colormap(1, {c.value: (*c.rgb, 255) for c in SAMPLE_CLASSES})
        reference.set_band_description(1, "land cover")
        reference.update_tags(
            1, **{f"class_{c.value}": c.name for c in SAMPLE_CLASSES if not c.ignore}
        )
        for row in range(0, town.height, step):
            for col in range(0, town.width, step):
                window = Window(col, row, min(step, town.width - col), min(step, town.height - row))
                image, classes = town.render(row, col, window.height, window.width)
                scene.write(np.moveaxis(image, -1, 0), window=window)
                reference.write(classes, 1, window=window)
                done += window.height * window.width
                if progress is not None:
                    progress.advance("drawing", done, total)
