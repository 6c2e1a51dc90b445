"""A scene as batches of tiles: checked against a model, read forward only, padded, cut and preprocessed."""

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.folder import ModelInfo
from segment.core.pixels.preprocessing import preprocess
from segment.core.raster.reader import Raster, resampled_size
from segment.core.raster.sources import Source
from segment.tiling import TilePlan, Window, cut_strip

TILE = 512
"""Edge of a tile, pixels: the fastest, see docs/tiles.md."""
_GDAL_TYPES = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "float32": "Float32", "float64": "Float64"}


@dataclass(frozen=True)
class Batch:
    """Tiles to predict together. pixels: (batch, tile, tile, bands); places: padded (row, column) of the first of them,
    what follows repeats the last tile so that the network sees one shape. done: tiles of the plan dealt with so far.

    pixels is None where a whole row of tiles, that of places[0], has no valid pixel: the rows above it are finished.
    """

    pixels: NDArray[Any] | None
    places: list[tuple[int, int]]
    done: int


class SceneTiles:
    """The tiles of a window of a scene in reading order, those without a valid pixel left out.

    Rows are read forward only (PNG and JPEG decoders start again at the top for a step back), `rows` at a time, and kept
    until no tile needs them any more. The file is opened by whoever iterates `batches`, and used in that thread alone.

    valid: for each row of tiles read so far, which pixels of the window's `finished` rows are valid (rows, window width).
    """

    def __init__(self, source: Source, window: Window, rows: int = 256):
        self.source, self.window, self.rows = source, window, rows
        self.valid: deque[NDArray[np.bool_]] = deque()

    @property
    def count(self) -> int:
        """Tiles in all, those left out among them."""
        return len(self.window.rows) * len(self.window.columns)

    def batches(self, size: int, info: ModelInfo) -> Generator[Batch, None, None]:
        """Batches of exactly `size` tiles as a model takes them, and one without pixels for each row of tiles that has none.

        Raises InputError when the file cannot be decoded to its end.
        """
        pixels: list[NDArray[Any]] = []
        places: list[tuple[int, int]] = []
        done, plan, left = 0, self.window.plan, self.window.columns[0]

        def batch() -> Batch:
            stacked = np.stack(pixels + pixels[-1:] * (size - len(pixels))).astype(info.dtype, copy=False)
            return Batch(stacked, places, done)

        for row, strip, valid in self._strips():
            if not valid.any():
                if places:
                    yield batch()
                    pixels, places = [], []
                done += len(self.window.columns)
                yield Batch(None, [(row, left)], done)
                continue
            for column, tile in cut_strip(strip, plan.tile, plan.step):
                done += 1
                seen = valid[:, column : column + plan.tile]
                if seen.any():
                    pixels.append(preprocess(tile, info.preprocess, seen))
                    places.append((row, left + column))
                if len(places) == size:
                    yield batch()
                    pixels, places = [], []
        if places:
            yield batch()

    def _strips(self) -> Iterator[tuple[int, NDArray[Any], NDArray[np.bool_]]]:
        """For each row of tiles its first padded row, its pixels (tile, padded columns, bands) and their validity."""
        window, plan = self.window, self.window.plan
        columns = window.scene_columns
        left, right = int(columns.min()), int(columns.max()) + 1
        inside = slice(window.left - left, window.right - left)
        with self.source.open() as raster:
            first = last = int(plan.scene_rows(window.rows[0]).min())  # scene rows that are kept
            pixels = np.empty((0, len(columns), len(raster.bands)), raster.dtype)  # with padded columns
            valid = np.empty((0, right - left), bool)
            for row, (begin, end) in zip(window.rows, window.finished, strict=True):
                wanted = plan.scene_rows(row)
                read = [(pixels[wanted.min() - first :], valid[wanted.min() - first :])]
                first = int(wanted.min())
                while last <= wanted.max():
                    rows, mask = raster.read(last, left, min(self.rows, plan.height - last), right - left)
                    read.append((rows.take(columns - left, axis=1), mask))
                    last += len(rows)
                pixels, valid = (np.concatenate(parts) for parts in zip(*read, strict=True))
                self.valid.append(valid[begin - first : end - first, inside].copy())
                yield row, pixels[wanted - first], valid[wanted - first].take(columns - left, axis=1)


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


def check_window(raster: Raster, top: int, bottom: int, left: int, right: int) -> None:
    """Raises InputError when a window is empty or not inside the scene."""
    if not (0 <= top < bottom <= raster.height and 0 <= left < right <= raster.width):
        raise InputError(
            f"A window lies inside its scene, here {raster.height} rows and {raster.width} columns. "
            f"Received rows {top} to {bottom}, columns {left} to {right}. Choose it within."
        )


def _count(bands: int) -> str:
    return f"{bands} band{'' if bands == 1 else 's'}"


def plan_tiles(raster: Raster, info: ModelInfo, tile: int | None, overlap: float, factor: float = 1.0) -> TilePlan:
    """Where the tiles of a scene lie that is opened with `factor`; in the grid of its CRS, so that maps of scenes that
    overlap agree. tile: see `choose_tile`. overlap: fraction of the tile edge shared with its neighbour.
    """
    height, width = resampled_size(raster.height, raster.width, factor)
    row, column = raster.grid_position(height, width)
    edge = choose_tile(info, tile, max(height, width))
    return TilePlan(height, width, edge, overlap, 1 if info.fixed_tile else info.multiple, row, column)


def choose_tile(info: ModelInfo, tile: int | None = None, longest: int = TILE) -> int:
    """The tile edge to map with: the one asked for; else the fastest, or less where the scene's `longest` side is shorter.

    Raises InputError when the model cannot take it.
    """
    if info.fixed_tile:
        if tile not in (None, info.tile):
            raise InputError(f"The model {info.name} takes tiles of {info.tile} pixels only. Received {tile}. Leave --tile out.")
        return info.tile
    if tile is None:
        return -(-min(TILE, longest) // info.multiple) * info.multiple
    if tile < 1 or tile % info.multiple:
        near = max(round(tile / info.multiple), 1) * info.multiple
        raise InputError(f"Tiles of {info.name} are multiples of {info.multiple} pixels. Received {tile}. Take {near}.")
    return tile
