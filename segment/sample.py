"""Procedural aerial scenes of an invented town with a pixel-exact reference, by seed.

The town is an endless plane: a seed shows the same ground at every size of the scene, and any
rectangle of it can be rendered alone.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import SampleStyle
from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.outputs import staged
from segment.core.progress import Progress
from segment.core.raster.classes import IGNORED, Class, ClassTable, save_class_table

if TYPE_CHECKING:
    from segment.town.plan import Plan

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

GROUND_SAMPLING_DISTANCE = 0.3
"""Metres per pixel at which a town is drawn; coarser pixels are means of these."""

_FILES = ("scene.tif", "truth.tif", "classes.yaml", "scene.tif.aux.xml", "truth.tif.aux.xml")
BLOCK = 1024
"""Edge in pixels of the squares in which a scene is rendered."""
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


class Town:
    """The scene of a seed; nothing is computed before `render`.

    A pixel is the mean of `reduction` x `reduction` drawn pixels, and its reference class is the
    one that most of them have. All arguments except `style` are attributes too.

    Args:
        height: Rows of the scene, pixels.
        width: Columns of the scene, pixels.
        seed: Which town, 0 or above.
        style: Style of the town, see `write_sample`.
        reduction: How many drawn pixels a pixel covers along each axis.
    """

    def __init__(
        self, height: int, width: int, seed: int = 0, style: SampleStyle = "dry", reduction: int = 1
    ):
        from segment.town.climates import varied_season
        from segment.town.materials import season
        from segment.town.streets import Patch, River

        self.height, self.width, self.seed, self.reduction = height, width, seed, reduction
        self._season = {"dry": season, "varied": varied_season}[style](seed)
        self._river = River(seed, self._season.river)
        self._patch = lru_cache(maxsize=1024)(lambda row, column: Patch(seed, row, column))
        self._district = lru_cache(maxsize=160)(self._plan_district)
        self._square = lru_cache(maxsize=6)(self._paint_square)

    def render(
        self, row: int, col: int, height: int, width: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Renders a rectangle of the scene.

        The result is bit for bit the same as that window of the whole scene. The cost is that of
        the 1024 px squares that the rectangle touches.

        Args:
            row: First row, pixels of the scene.
            col: First column, pixels of the scene.
            height: Rows of the rectangle.
            width: Columns of the rectangle.

        Returns:
            Image (height, width, 3) and reference (height, width), both uint8.

        Raises:
            ValueError: If the rectangle reaches outside the scene.
        """
        if row < 0 or col < 0 or row + height > self.height or col + width > self.width:
            raise ValueError(
                f"A window must lie inside the scene of {self.height} x {self.width} px. "
                f"Received: row={row}, col={col}, height={height}, width={width}. Crop the window."
            )
        if self.reduction == 1:
            return self._drawn(row, col, height, width)
        image, truth = self._drawn(*(self.reduction * v for v in (row, col, height, width)))
        return _reduced(image, truth, height, width)

    def _drawn(
        self, row: int, col: int, height: int, width: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image = np.empty((height, width, 3), np.uint8)
        truth = np.empty((height, width), np.uint8)
        for i in range(row // BLOCK, -(-(row + height) // BLOCK)):
            for j in range(col // BLOCK, -(-(col + width) // BLOCK)):
                top, bottom = max(row, i * BLOCK), min(row + height, (i + 1) * BLOCK)
                left, right = max(col, j * BLOCK), min(col + width, (j + 1) * BLOCK)
                there = slice(top - row, bottom - row), slice(left - col, right - col)
                here = (
                    slice(top - i * BLOCK, bottom - i * BLOCK),
                    slice(left - j * BLOCK, right - j * BLOCK),
                )
                square = self._square(i, j)
                image[there], truth[there] = square[0][here], square[1][here]
        return image, truth

    def _plan_district(self, row: int, column: int) -> "Plan":
        from segment.town.district import plan_district

        return plan_district(self.seed, row, column, self._patch(row, column), self._season)

    def _paint_square(self, i: int, j: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self._paint(i * BLOCK, j * BLOCK, BLOCK)

    def _paint(self, row: int, col: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        from segment.town.paint import paint
        from segment.town.streets import DISTRICT_SIZE

        left, top, extent = (GROUND_SAMPLING_DISTANCE * v for v in (col, row, size))
        near = []
        for r in range(int(top // DISTRICT_SIZE) - 1, int((top + extent) // DISTRICT_SIZE) + 2):
            for c in range(
                int(left // DISTRICT_SIZE) - 1, int((left + extent) // DISTRICT_SIZE) + 2
            ):
                x0, y0, x1, y1 = self._patch(r, c).bounds
                if x0 < left + extent and x1 > left and y0 < top + extent and y1 > top:
                    near.append(self._district(r, c))
        return paint(self.seed, row, col, size, near, self._river, self._season)


def _reduced(
    image: NDArray[np.uint8], truth: NDArray[np.uint8], height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    import cv2

    def mean(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(
            cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )

    values = np.array([c.value for c in SAMPLE_CLASSES], np.uint8)
    shares = [mean((truth == value).astype(np.uint8) * np.uint8(255)) for value in values]
    return mean(image), values[np.argmax(shares, axis=0)]


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
        raise InputError(
            f"The style of a town is dry or varied. Received {style!r}. Choose one of them."
        )
    if min(height, width) < 1 or seed < 0:
        raise InputError(
            f"A scene has a pixel at least, and a seed from 0. Received {height}x{width}, seed"
            f" {seed}. Change them."
        )
    reduction = round(gsd / GROUND_SAMPLING_DISTANCE) if np.isfinite(gsd) else 0
    if (
        not 1 <= reduction <= _LARGEST_REDUCTION
        or abs(reduction * GROUND_SAMPLING_DISTANCE - gsd) > 1e-6
    ):
        raise InputError(
            f"Towns are drawn at 0.3 m per pixel or a multiple, to 3 m. Received {gsd}. Choose e.g."
            " 0.6."
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
        rasterio.open(folder / "truth.tif", "w", count=1, nodata=IGNORED, **profile) as truth,
    ):
        scene.descriptions = ("red", "green", "blue")
        truth.write_colormap(1, {c.value: (*c.rgb, 255) for c in SAMPLE_CLASSES})
        truth.set_band_description(1, "land cover")
        truth.update_tags(1, **{f"class_{c.value}": c.name for c in SAMPLE_CLASSES if not c.ignore})
        for row in range(0, town.height, step):
            for col in range(0, town.width, step):
                window = Window(col, row, min(step, town.width - col), min(step, town.height - row))
                image, classes = town.render(row, col, window.height, window.width)
                scene.write(np.moveaxis(image, -1, 0), window=window)
                truth.write(classes, 1, window=window)
                done += window.height * window.width
                if progress is not None:
                    progress.advance("drawing", done, total)
