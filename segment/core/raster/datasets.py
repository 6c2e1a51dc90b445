"""Open rasterio datasets as sources: they are opened again, in whichever thread reads them."""

import hashlib
import os
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader, DatasetWriter, MemoryFile
from rasterio.shutil import copy
from rasterio.vrt import WarpedVRT

from segment.core.errors import InputError

Dataset: TypeAlias = DatasetReader | WarpedVRT

_kept: dict[str, Any] = {}  # descriptions of datasets that no file describes, in memory


def is_dataset(scene: object) -> TypeGuard[Dataset]:
    """Returns whether an object is an open rasterio dataset.

    Args:
        scene: Any object.

    Returns:
        True for what `rasterio.open`, `MemoryFile.open` and `WarpedVRT` return.
    """
    return isinstance(scene, DatasetReader | DatasetWriter | WarpedVRT)


def dataset_path(dataset: Dataset) -> Path | str:
    """Finds a path by which a dataset can be opened again.

    A dataset may be read by one thread only, so it is not read itself. Where its file alone gives
    another raster (a WarpedVRT, an overview), it is described by a VRT in memory, whose name does
    not depend on the process: unfinished maps can be resumed.

    Args:
        dataset: An open dataset.

    Returns:
        A file, or what GDAL resolves by itself (a string).

    Raises:
        InputError: If the dataset is closed, open for writing, or made of pixels that only this
            object has.
    """
    name = str(dataset.name)
    if dataset.closed:
        raise InputError(f"{name}: the dataset is closed. Open it again: rasterio.open(...)")
    if dataset.mode != "r":
        raise InputError(
            f"{name}: the dataset is open for writing ({dataset.mode!r}). Close it, and open it for"
            " reading."
        )
    try:
        with rasterio.open(name) as again:
            if _header(again) == _header(dataset):
                return Path(name) if os.path.isfile(name) else name
    except RasterioError:
        pass  # a WarpedVRT has no name that GDAL opens
    return _describe(dataset, name)


def _header(dataset: Any) -> tuple[Any, ...]:
    return (
        dataset.shape,
        dataset.dtypes,
        dataset.crs,
        dataset.transform,
        dataset.nodatavals,
        dataset.colorinterp,
    )


def _describe(dataset: Any, name: str) -> str:
    try:
        with MemoryFile(ext=".vrt") as memory:
            copy(dataset, memory.name, driver="VRT")
            text = memory.read()
        with rasterio.open(text.decode()) as again:
            again.read(1, window=((0, 1), (0, 1)))
    except (RasterioError, CPLE_BaseError) as error:
        raise InputError(
            f"{name}: the dataset cannot be opened again, as reading from several threads needs."
            " Write it to a file first."
        ) from error
    stem = Path(name.rstrip(")")).stem or "scene"
    digest = hashlib.sha256(text).hexdigest()[:16]
    if digest not in _kept:
        _kept[digest] = MemoryFile(text, dirname=f"aerial-segment-{digest}", filename=f"{stem}.vrt")
    path: str = _kept[digest].name
    return path
