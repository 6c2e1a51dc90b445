"""Maps of images in memory: arrays, PIL images and DataArrays, and scenes mapped into memory."""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.core.arrays.data_array import is_data_array, labels_like, probabilities_like
from segment.core.arrays.georeference import with_georeference
from segment.core.arrays.pixels import is_in_memory
from segment.core.arrays.source import image_source
from segment.core.errors import InputError, require_options
from segment.core.model.runtime import Model
from segment.core.onnx_models.loading import load_model
from segment.core.progress import Progress
from segment.core.raster.nodata import Nodata
from segment.core.raster.reduced import read_reduced
from segment.core.reports.figures import displayable
from segment.map_outputs.image_map import PICTURE, ImageMap
from segment.mapping.loop import Watch
from segment.mapping.window import OpenView, ViewKeywords, open_view
from segment.merging import RowStrip


def predict_array(
    image: Any,
    model: Path | str | Model = BUNDLED,
    *,
    probabilities: bool = False,
    nodata: Nodata | NDArray[np.bool_] | None = None,
    crs: Any = None,
    transform: Any = None,
    progress: Progress | None = None,
    **options: Unpack[ViewKeywords],
) -> ImageMap:
    """Maps an image in memory: array, PIL image or DataArray.

    Labels and probabilities are those that `predict_scene`, `predict_window` and
    `predict_probabilities` give for a file with the same pixels and georeference, bit for bit. They
    are held in memory whole, and so is a copy of the image: larger scenes are for `predict_scene`.

    Args:
        image: Array (rows, columns, bands) or (rows, columns), PIL image, or DataArray of xarray
            with the dimensions y, x and band; also a path, or an open rasterio dataset. Masked
            pixels of a masked array are nodata where all bands are masked. The fourth band of four
            of 8 bits is the alpha band, unless its values are those of a spectral band.
        model: Model folder, or a loaded model.
        probabilities: Whether to return class probabilities, too.
        nodata: Value or range (lowest, highest) that means "no data" in all bands, or a boolean
            mask (rows, columns) that is True where there are no data. A DataArray has its own.
        crs: CRS of the image, such as "EPSG:32640". With a transform, it gives the pixel size, and
            tiles lie where they do for a file. A DataArray has its own, which this replaces.
        transform: Affine transform of the image, as rasterio's. It replaces that of a DataArray.
        progress: Where progress is reported.
        **options: `bands`, `scale`, `runtime`, `overlap`, `tile`, `augment`, `resample` and `gsd`
            of `predict_scene`.

    Returns:
        The labels, on request with probabilities.

    Raises:
        InputError: If this is not one image that the model reads, or an option is unknown or out of
            range.
    """
    require_options(predict_array, options, ViewKeywords.__annotations__)
    network = (
        load_model(model, options.get("runtime", "auto"))
        if isinstance(model, (str, Path))
        else model
    )
    network.info.require_task("segment")
    if is_data_array(image):
        image = with_georeference(image, crs, transform)
    given: dict[str, Any] = {"nodata": nodata, "crs": crs, "transform": transform}
    with _opened(image, network, given, options) as (opened, notes):
        labels, found = _map(opened, probabilities, progress)
        height, width = labels.shape
        reduction = max(height, width, PICTURE) / PICTURE
        size = max(round(height / reduction), 1), max(round(width / reduction), 1)
        photograph = displayable(read_reduced(opened.raster, *size))
        notes = [*notes, *opened.notes]
    table = network.info.class_table
    made: Any = labels
    if is_data_array(image):
        made = labels_like(image, labels, table, {"model": network.info.name})
        found = None if found is None else probabilities_like(image, found, table)
    return ImageMap(made, found, table, notes, photograph)


@contextmanager
def _opened(
    image: Any, model: Model, given: dict[str, Any], options: ViewKeywords
) -> Iterator[tuple[OpenView, list[str]]]:
    """Opens an image as the model sees it; with notes on how it is read."""
    if is_in_memory(image):
        bands = options.get("bands")
        seen: Any = {key: value for key, value in options.items() if key != "bands"}
        with (
            image_source(image, model.info, bands=bands, **given) as (source, notes),
            open_view(source, model, seen) as opened,
        ):
            yield opened, notes
        return
    if given["crs"] is not None or given["transform"] is not None:
        raise InputError("crs and transform are for arrays. A path or a dataset has its own.")
    if np.ndim(given["nodata"]) and not isinstance(given["nodata"], tuple):
        raise InputError("A mask as nodata is for arrays. A path or a dataset takes a value.")
    with open_view(image, model, {**options, "nodata": given["nodata"]}) as opened:
        yield opened, []


def _map(
    opened: OpenView, probabilities: bool, progress: Progress | None
) -> tuple[NDArray[np.uint8], Any]:
    """Maps all of a scene into memory; the probabilities are None if they are not asked for."""
    raster, info = opened.raster, opened.model.info
    height, width = raster.height, raster.width
    labels = np.empty((height, width), np.uint8)
    found = np.empty((height, width, info.class_count), np.float32) if probabilities else None
    values = info.class_table.values()
    advance = partial(progress.advance, "mapping") if progress else None
    strips: Generator[RowStrip, None, None] = opened.view.map_region(
        raster, (0, height, 0, width), opened.model, watch=Watch(advance=advance)
    )
    with closing(strips):
        for strip in strips:
            rows = slice(strip.start, strip.start + len(strip.valid))
            labels[rows] = values[strip.labels()]
            if found is not None:
                found[rows] = np.where(strip.valid[..., None], strip.probabilities, np.nan)
    return labels, found
