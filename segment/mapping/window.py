"""Maps of single windows of a scene: nothing else of the scene is computed."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import Runtime
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model
from segment.core.onnx_models.loading import load_model
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.raster.nodata import Nodata
from segment.core.raster.scene_scales import scale_sources
from segment.core.raster.sources import Source, as_source
from segment.mapping.area_tiles import Region
from segment.mapping.loop import RowStrip
from segment.mapping.model_view import ModelView, check_scene, check_window
from segment.mapping.options import ViewOptions
from segment.mapping.scale import choose_scale

T = TypeVar("T", np.uint8, np.float32)


class WindowOptions(TypedDict, total=False):
    """Keywords of `predict_scene` that functions for windows take, too."""

    bands: Sequence[int] | None
    nodata: Nodata | None
    scale: ScaleOption
    runtime: Runtime
    overlap: float
    tile: int | None
    augment: bool
    resample: bool | None
    gsd: float | None


def predict_window(
    scene: Path | str | Source,
    model: Path | str | Model,
    top: int,
    left: int,
    height: int,
    width: int,
    **options: Unpack[WindowOptions],
) -> NDArray[np.uint8]:
    """Maps one window of a scene.

    Args:
        scene: As in `predict_scene`.
        model: A model folder, an ONNX file, or a loaded model.
        top: First row of the window, pixels of the scene.
        left: First column of the window.
        height: Rows of the window.
        width: Columns of the window.
        **options: `bands`, `nodata`, `scale`, `runtime`, `overlap`, `tile`, `augment`, `resample`
            and `gsd` of `predict_scene`. The scale is that of the whole scene.

    Returns:
        Class values of shape (height, width), 255 where nodata: what the class raster of
        `predict_scene` holds there, bit for bit.

    Raises:
        InputError: If the window does not lie inside the scene, and as `predict_scene`.
    """

    def values(strip: RowStrip, info: ModelInfo) -> NDArray[np.uint8]:
        return info.class_table.values()[strip.labels()]

    return _predict((top, top + height, left, left + width), values, scene, model, options)


def predict_probabilities(
    scene: Path | str | Source,
    model: Path | str | Model,
    top: int,
    left: int,
    height: int,
    width: int,
    **options: Unpack[WindowOptions],
) -> NDArray[np.float32]:
    """Predicts the class probabilities of one window of a scene.

    Args:
        scene: As in `predict_scene`.
        model: A model folder, an ONNX file, or a loaded model.
        top: First row of the window, pixels of the scene.
        left: First column of the window.
        height: Rows of the window.
        width: Columns of the window.
        **options: As in `predict_window`.

    Returns:
        Shape (height, width, classes), 0 to 1; NaN where nodata.

    Raises:
        InputError: As `predict_window`.
    """

    def probabilities(strip: RowStrip, _: ModelInfo) -> NDArray[np.float32]:
        return np.where(strip.valid[..., None], strip.probabilities, np.float32(np.nan))

    return _predict((top, top + height, left, left + width), probabilities, scene, model, options)


def _predict(
    region: Region,
    keep: Callable[[RowStrip, ModelInfo], NDArray[T]],
    scene: Path | str | Source,
    model: Path | str | Model,
    options: WindowOptions,
) -> NDArray[T]:
    """Maps a region of a scene, and keeps an array (rows, width, ...) of each finished strip."""
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
        check_window(raster, *region)
        factor = choose_scale(raster, info, seen.resample, seen.gsd).factor
        view = ModelView.of(source, raster, info, seen, factor)
        with closing(view.map_region(raster, region, network)) as strips:
            return np.concatenate([keep(strip, info) for strip in strips])
