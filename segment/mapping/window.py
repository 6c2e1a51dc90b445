"""Maps of single windows of a scene: nothing else of the scene is computed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.core.choices import Runtime
from segment.core.errors import InputError, require_options
from segment.core.inputs.scene_scales import scale_sources
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model
from segment.core.onnx_models.loading import load_model
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.raster.nodata import Nodata
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Scene, as_source
from segment.mapping.area_tiles import Region
from segment.mapping.model_view import ModelView, check_scene
from segment.mapping.options import ViewOptions
from segment.mapping.scale import choose_scale
from segment.merging import RowStrip

T = TypeVar("T", np.uint8, np.float32)


class ViewKeywords(TypedDict, total=False):
    """Keywords of `predict_scene` that functions for windows and arrays take, too."""

    bands: Sequence[int] | None
    scale: ScaleOption
    runtime: Runtime
    overlap: float
    tile: int | None
    augment: bool
    resample: bool | None
    gsd: float | None


class WindowOptions(ViewKeywords, total=False):
    """Keywords of `predict_scene` that functions for windows take, too."""

    nodata: Nodata | None


def predict_window(
    scene: Scene,
    model: Path | str | Model = BUNDLED,
    top: int = 0,
    left: int = 0,
    height: int | None = None,
    width: int | None = None,
    **options: Unpack[WindowOptions],
) -> NDArray[np.uint8]:
    """Maps one window of a scene.

    Args:
        scene: As in `predict_scene`.
        model: A model folder, an ONNX file, or a loaded model.
        top: First row of the window, pixels of the scene.
        left: First column of the window.
        height: Rows of the window; by default all from `top` on.
        width: Columns of the window; by default all from `left` on.
        **options: `bands`, `nodata`, `scale`, `runtime`, `overlap`, `tile`, `augment`, `resample`
            and `gsd` of `predict_scene`. The scale is that of the whole scene.

    Returns:
        Class values of shape (height, width), 255 where nodata: what the class raster of
        `predict_scene` holds there, bit for bit.

    Raises:
        InputError: If the window does not lie inside the scene, an option is unknown, and as
            `predict_scene`.
    """
    require_options(predict_window, options, WindowOptions.__annotations__)

    def values(strip: RowStrip, info: ModelInfo) -> NDArray[np.uint8]:
        return info.class_table.values()[strip.labels()]

    return _predict((top, left, height, width), values, scene, model, options)


def predict_probabilities(
    scene: Scene,
    model: Path | str | Model = BUNDLED,
    top: int = 0,
    left: int = 0,
    height: int | None = None,
    width: int | None = None,
    **options: Unpack[WindowOptions],
) -> NDArray[np.float32]:
    """Predicts the class probabilities of one window of a scene.

    Args:
        scene: As in `predict_scene`.
        model: A model folder, an ONNX file, or a loaded model.
        top: First row of the window, pixels of the scene.
        left: First column of the window.
        height: Rows of the window; by default all from `top` on.
        width: Columns of the window; by default all from `left` on.
        **options: As in `predict_window`.

    Returns:
        Shape (height, width, classes), 0 to 1; NaN where nodata.

    Raises:
        InputError: As `predict_window`.
    """
    require_options(predict_probabilities, options, WindowOptions.__annotations__)

    def probabilities(strip: RowStrip, _: ModelInfo) -> NDArray[np.float32]:
        return np.where(strip.valid[..., None], strip.probabilities, np.float32(np.nan))

    return _predict((top, left, height, width), probabilities, scene, model, options)


def _predict(
    window: tuple[int, int, int | None, int | None],
    keep: Callable[[RowStrip, ModelInfo], NDArray[T]],
    scene: Scene,
    model: Path | str | Model,
    options: WindowOptions,
) -> NDArray[T]:
    """Maps a window of a scene, and keeps an array (rows, width, ...) of each finished strip."""
    if not all(number is None or isinstance(number, Integral) for number in window):
        raise InputError(
            "A window is whole numbers: top, left, height, width. Received"
            f" {', '.join(map(str, window))}."
        )
    top, left, height, width = window
    with open_view(scene, model, options) as opened:
        raster, info = opened.raster, opened.model.info
        bottom = raster.height if height is None else top + height
        right = raster.width if width is None else left + width
        if not (0 <= top < bottom <= raster.height and 0 <= left < right <= raster.width):
            raise InputError(
                f"The window is not inside the scene, which has {raster.height} rows and"
                f" {raster.width} columns. Received rows {top} to {bottom}, columns {left} to"
                f" {right}."
            )
        region: Region = (top, bottom, left, right)
        with closing(opened.view.map_region(raster, region, opened.model)) as strips:
            return np.concatenate([keep(strip, info) for strip in strips])


@dataclass(frozen=True)
class OpenView:
    """An open scene that fits a loaded model, and how the model sees it.

    Attributes:
        raster: The scene, open on its own grid.
        model: Network in use.
        view: How the model sees the scene.
        notes: What to report of the scene and of its scale.
    """

    raster: Raster
    model: Model
    view: ModelView
    notes: list[str]


@contextmanager
def open_view(
    scene: Scene, model: Path | str | Model, options: WindowOptions
) -> Iterator[OpenView]:
    """Opens a scene for mapping without files.

    Args:
        scene: As in `predict_scene`.
        model: A model folder, or a loaded model.
        options: As in `predict_window`.

    Yields:
        The open scene.

    Raises:
        InputError: As `predict_window`.
    """
    given: dict[str, Any] = dict(options)
    source = as_source(scene, given.pop("bands", None), given.pop("nodata", None))
    scale, runtime = given.pop("scale", "auto"), given.pop("runtime", "auto")
    seen = ViewOptions(**given)
    network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    info = network.info
    info.require_task("segment")
    (source,) = scale_sources([source], scale, info.pixels)
    with source.open(info.wanted_bands) as raster:
        source = source.as_opened(raster)
        check_scene(raster, info)
        size = choose_scale(raster, info, seen.resample, seen.gsd)
        view = ModelView.of(source, raster, info, seen, size.factor)
        yield OpenView(raster, network, view, [*raster.notes, *size.notes])
