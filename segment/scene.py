"""A scene as batches of tiles: checked against a model, read forward only, padded and cut."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model_folder import ModelInfo
from segment.core.raster import Raster, open_raster
from segment.stitch import TilePlan, cut_strip

_GDAL_TYPES = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "float32": "Float32", "float64": "Float64"}


@dataclass(frozen=True)
class Batch:
    """Tiles to predict together. pixels: (batch, tile, tile, bands); places: padded (row, column) of the first of them,
    what follows repeats the last tile so that the network sees one shape. done: tiles of the plan dealt with so far.
    """

    pixels: NDArray[Any]
    places: list[tuple[int, int]]
    done: int


class SceneTiles:
    """The tiles of a scene in reading order, those without a valid pixel left out.

    Rows are read forward only (PNG and JPEG decoders start again at the top for a step back), `rows` at a time, and kept
    until no tile needs them any more. The file is opened by whoever iterates `batches`, and used in that thread alone.

    valid: for each row of tiles read so far, which pixels of the plan's `finished` rows are valid (rows, width).
    """

    def __init__(self, path: Path, plan: TilePlan, rows: int, bands: Sequence[int] | None, nodata: float | None):
        self.path, self.plan, self.rows, self.bands, self.nodata = path, plan, rows, bands, nodata
        self.valid: deque[NDArray[np.bool_]] = deque()

    def batches(self, size: int, dtype: str) -> Generator[Batch, None, None]:
        """Batches of exactly `size` tiles as `dtype`; none where no pixel of the scene is valid.

        Raises InputError when the file cannot be decoded to its end.
        """
        pixels: list[NDArray[Any]] = []
        places: list[tuple[int, int]] = []
        done = 0
        for row, strip, valid in self._strips():
            for column, tile in cut_strip(strip, self.plan.tile, self.plan.step):
                done += 1
                if valid[:, column : column + self.plan.tile].any():
                    pixels.append(tile)
                    places.append((row, column))
                if len(places) == size:
                    yield Batch(np.stack(pixels).astype(dtype, copy=False), places, done)
                    pixels, places = [], []
        if places:
            pixels += pixels[-1:] * (size - len(pixels))
            yield Batch(np.stack(pixels).astype(dtype, copy=False), places, done)

    def _strips(self) -> Iterator[tuple[int, NDArray[Any], NDArray[np.bool_]]]:
        """For each row of tiles its first padded row, pixels (tile, padded_width, bands) and validity (tile, padded_width)."""
        plan = self.plan
        with open_raster(self.path, self.bands, self.nodata) as raster:
            first = last = 0  # scene rows that are kept
            pixels = np.empty((0, plan.width, len(raster.bands)), raster.dtype)
            valid = np.empty((0, plan.width), bool)
            for row, (begin, end) in zip(plan.rows, plan.finished, strict=True):
                wanted = plan.scene_rows(row)
                read = [(pixels[wanted.min() - first :], valid[wanted.min() - first :])]
                first = int(wanted.min())
                while last <= wanted.max():
                    read.append(raster.read(last, height=min(self.rows, plan.height - last)))
                    last += len(read[-1][0])
                pixels, valid = (np.concatenate(parts) for parts in zip(*read, strict=True))
                self.valid.append(valid[begin - first : end - first].copy())
                index = np.ix_(wanted - first, plan.scene_columns)
                yield row, pixels[index], valid[index]


def check_scene(raster: Raster, info: ModelInfo) -> None:
    """Raises InputError when the scene's bands or pixels are not what the model takes."""
    bands, dtype = len(raster.bands), raster.dtype.name
    cures = []
    if raster.info.colors == ("palette",):
        cures.append("turn its palette into colours: gdal_translate -expand rgb IN OUT")
    elif bands > info.bands:
        cures.append(f"name those to use, e.g. --bands {','.join(str(b + 1) for b in range(info.bands))}")
    elif bands < info.bands:
        cures.append(f"take a scene with {info.bands} bands, or train a model on {bands}")
    if dtype != info.dtype and not (info.dtype.startswith("float") and dtype in ("float32", "float64")):
        scale = "-scale" if info.dtype == "uint8" else f"-scale MIN MAX {info.range[0]:g} {info.range[1]:g}"
        cures.append(f"convert it: gdal_translate -ot {_GDAL_TYPES.get(info.dtype, info.dtype)} {scale} IN OUT")
    if cures:
        raise InputError(
            f"{raster.path}: the model maps {_count(info.bands)} of {info.dtype}. "
            f"Received {_count(bands)} of {dtype}. To cure it, {'; and '.join(cures)}."
        )


def _count(bands: int) -> str:
    return f"{bands} band{'' if bands == 1 else 's'}"


def choose_tile(info: ModelInfo, tile: int | None) -> int:
    """The tile edge to map with, by default the one trained at. Raises InputError when the model cannot take it."""
    if tile is None or tile == info.tile:
        return info.tile
    if info.fixed_tile:
        raise InputError(f"The model {info.name} takes tiles of {info.tile} pixels only. Received {tile}. Leave --tile out.")
    if tile < 1 or tile % info.multiple:
        near = max(round(tile / info.multiple), 1) * info.multiple
        raise InputError(f"Tiles of {info.name} are multiples of {info.multiple} pixels. Received {tile}. Take {near}.")
    return tile
