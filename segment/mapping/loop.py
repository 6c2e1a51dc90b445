"""The mapping loop: strips of a scene are read, cut into tiles, predicted and merged into rows."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from itertools import groupby, repeat
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model, nan_error
from segment.core.pixels.geometry import Reduction, eight_views
from segment.core.pixels.preprocessing import preprocess
from segment.core.prefetch import prefetch
from segment.core.raster.sources import Source
from segment.core.reports.timing import Clock
from segment.merging import RowMerger, RowStrip
from segment.tile_window import Window
from segment.tiling import cut_strip

Advance = Callable[[int, int], None]
"""Called with the number of tiles done and the number of all tiles."""
Mask = NDArray[np.bool_]
Wanted = Callable[[int], Mask] | None
"""Returns which tiles of a row of tiles, given by its first padded row, are wanted; None: all."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What follows a map while it is made.

    Attributes:
        advance: Called after each batch, None for nothing.
        photograph: Picture of the scene that grows with the rows that are read, or None.
        clock: Measures what the time is spent on, or None.
    """

    advance: Advance | None = None
    photograph: Reduction | None = None
    clock: Clock | None = None

    def measure(self, activity: str) -> AbstractContextManager[None]:
        """Measures what is done in a context.

        Args:
            activity: What is done, see `Clock`.

        Returns:
            The context.
        """
        return self.clock.measure(activity) if self.clock else nullcontext()


def map_window(
    source: Source,
    window: Window,
    model: Model,
    *,
    augment: bool = False,
    rows: int = 256,
    batch_size: int | None = None,
    watch: Watch | None = None,
    wanted: Wanted = None,
) -> Generator[RowStrip, None, None]:
    """Maps a window of a scene, row strip by row strip.

    Reading and predicting run ahead in their own threads. The rows depend only on the tiles of the
    window, bit for bit, and neither on `rows` nor on `batch_size`.

    Args:
        source: Scene on the grid that the model sees.
        window: Part of it to map.
        model: Network in use.
        augment: Average over the eight flips and quarter turns of each tile.
        rows: Rows read at a time.
        batch_size: Tiles predicted at a time; by default what suits the model.
        watch: What follows the map.
        wanted: Chooses tiles; the map holds nothing of the others. By default all are wanted.

    Yields:
        The strips from the top of the window to its bottom.

    Raises:
        InputError: If the scene cannot be read to its end, or the output of the network is wrong.
    """
    suited, workers = model.recommended_batches(window.plan.tile)
    watch = watch or Watch()
    tile_rows = TileRowReader(source, window, rows, wanted, watch)
    batches = cut_batches(tile_rows, batch_size or suited, model.info)

    def predict(batch: Batch) -> NDArray[np.float32] | None:
        if batch.pixels is None:
            return None
        with watch.measure("model"):
            return predict_batch(model, batch.pixels, augment, str(source.path))

    merger = RowMerger(window, model.info.class_count)
    with closing(prefetch(batches, predict, workers, watch.measure)) as predicted:
        tiles = _single_tiles(predicted, tile_rows.tile_count, watch.advance)
        by_row = groupby(tiles, key=itemgetter(0))
        for (start, stop), (_, tiles_of_row) in zip(window.finished, by_row, strict=True):
            for row, column, probabilities in tiles_of_row:
                if probabilities is not None:
                    with watch.measure("merge"):
                        merger.add(row, column, probabilities)
            valid = tile_rows.valid.popleft()
            if start < stop:
                with watch.measure("merge"):
                    finished = merger.finished()
                yield RowStrip(start, finished, valid)
            merger.next_row()


@dataclass(frozen=True)
class Batch:
    """Tiles that are predicted together.

    Attributes:
        pixels: Shape (batch, tile, tile, bands). The last tile is repeated so that the network
            sees one shape. None for a whole row of tiles without a valid pixel.
        places: Padded row and column of the tiles, or of the first one of an empty row.
        done: Tiles of the window handled so far.
    """

    pixels: NDArray[Any] | None
    places: list[tuple[int, int]]
    done: int


class TileRowReader:
    """Reads the pixels of a window's rows of tiles, from the top to the bottom.

    Pixels are read forward only, because PNG and JPEG decoders start again at the top for a step
    back. They are kept as long as a tile needs them. The thread that iterates opens the file, and
    no other thread uses it.

    Attributes:
        window: Part of the scene to read.
        watch: What follows the map.
        valid: Which pixels of the finished rows of each row of tiles read so far are valid, (rows,
            window width). The consumer removes each one that it uses.
    """

    def __init__(
        self,
        source: Source,
        window: Window,
        rows: int = 256,
        wanted: Wanted = None,
        watch: Watch | None = None,
    ):
        """Prepares to read; nothing is opened yet.

        Args:
            source: Scene on the grid that the model sees.
            window: Part of it to read.
            rows: Rows read at a time.
            wanted: Chooses tiles; rows of tiles without one are not read.
            watch: What follows the map.
        """
        self.window, self.watch = window, watch or Watch()
        self.valid: deque[NDArray[np.bool_]] = deque()
        self._source, self._rows = source, rows
        self._wanted = wanted or (lambda _: np.ones(len(window.columns), bool))

    @property
    def tile_count(self) -> int:
        """Number of all tiles of the window, those without a valid pixel included."""
        return len(self.window.rows) * len(self.window.columns)

    def __iter__(self) -> Iterator[tuple[int, NDArray[Any], Mask, Mask]]:
        """Yields the pixels of each row of tiles.

        Yields:
            The first padded row, the pixels of shape (tile, padded columns, bands), which of them
            are valid, and which tiles are wanted. Where none is, there are no pixels.

        Raises:
            InputError: If the file cannot be decoded to its end.
        """
        window, plan = self.window, self.window.plan
        columns = window.scene_columns
        left, right = int(columns.min()), int(columns.max()) + 1
        inside = slice(window.left - left, window.right - left)
        photograph = self.watch.photograph
        with self._source.open() as raster:
            first = last = int(plan.scene_rows(window.rows[0]).min())  # scene rows kept
            pixels = np.empty((0, len(columns), len(raster.bands)), raster.dtype)  # with padding
            valid = np.empty((0, right - left), bool)
            for row, (begin, end) in zip(window.rows, window.finished, strict=True):
                tiles = self._wanted(row)
                if not tiles.any():
                    self.valid.append(np.zeros((end - begin, window.width), bool))
                    yield row, pixels[:0], valid[:0], tiles
                    continue
                wanted = plan.scene_rows(row)
                read = [(pixels[wanted.min() - first :], valid[wanted.min() - first :])]
                first = int(wanted.min())
                last = max(last, first)  # rows may have been passed over
                while last <= wanted.max():
                    with self.watch.measure("read"):
                        rows, is_valid = raster.read(
                            last, left, min(self._rows, plan.height - last), right - left
                        )
                        read.append((rows.take(columns - left, axis=1), is_valid))
                    if photograph:
                        photograph.add(last, rows[:, inside])
                    last += len(rows)
                pixels, valid = (np.concatenate(pieces) for pieces in zip(*read, strict=True))
                self.valid.append(valid[begin - first : end - first, inside].copy())
                seen: Any = wanted - first
                if (np.diff(seen) == 1).all():  # nothing is reflected: no copy
                    seen = slice(seen[0], seen[-1] + 1)
                yield row, pixels[seen], valid[seen].take(columns - left, axis=1), tiles


def cut_batches(
    tile_rows: TileRowReader, size: int, info: ModelInfo
) -> Generator[Batch, None, None]:
    """Cuts rows of tiles into batches of exactly `size` wanted tiles that are not all nodata.

    Args:
        tile_rows: Rows of tiles of a window.
        size: Tiles of a batch.
        info: Description of the model, for dtype and preprocessing.

    Yields:
        The batches in reading order, and one without pixels for each row of tiles without a tile.
    """
    pixels: list[NDArray[Any]] = []
    places: list[tuple[int, int]] = []
    done, plan, columns = 0, tile_rows.window.plan, tile_rows.window.columns
    is_plain = info.preprocess.is_off

    def batch() -> Batch:
        with tile_rows.watch.measure("cut"):
            repeated = pixels + pixels[-1:] * (size - len(pixels))
            return Batch(np.stack(repeated).astype(info.dtype, copy=False), places, done)

    for row, row_pixels, valid, wanted in tile_rows:
        chosen = wanted & [valid[:, c - columns[0] :][:, : plan.tile].any() for c in columns]
        if not chosen.any():
            if places:
                yield batch()
                pixels, places = [], []
            done += len(columns)
            yield Batch(None, [(row, columns[0])], done)
            continue
        cut = cut_strip(row_pixels, plan.tile, plan.step)
        for (column, tile), is_chosen in zip(cut, chosen, strict=True):
            done += 1
            if is_chosen:
                seen = valid[:, column : column + plan.tile]
                pixels.append(tile if is_plain else preprocess(tile, info.preprocess, seen))
                places.append((row, columns[0] + column))
            if len(places) == size:
                yield batch()
                pixels, places = [], []
    if places:
        yield batch()


def predict_batch(
    model: Model, pixels: NDArray[Any], augment: bool, name: str = "a tile"
) -> NDArray[np.float32]:
    """Predicts square tiles.

    Args:
        model: Network in use.
        pixels: Shape (batch, rows, columns, bands), in the model's dtype.
        augment: Average over the eight flips and quarter turns.
        name: Name of what the tiles were cut from, for errors.

    Returns:
        Probabilities, shape (batch, rows, columns, classes).

    Raises:
        InputError: If the output of the network has other classes than its model.yaml, or NaN.
    """
    if not augment:
        output = model.predict(pixels)
        expected = (*pixels.shape[:3], model.info.class_count)
        if output.shape != expected:
            raise InputError(
                f"{model.info.name}: the output of the network has the shape {output.shape}, not"
                f" {expected}. Correct its model.yaml."
            )
        if not np.isfinite(output.sum()):  # a single pass, without a temporary array
            raise nan_error(model.info, name)
        return output
    total = np.zeros((*pixels.shape[:3], model.info.class_count), np.float32)
    for view, turn_back in eight_views(pixels):
        total += turn_back(predict_batch(model, view, False, name))
    return total / 8


def _single_tiles(
    predicted: Iterable[tuple[Batch, NDArray[np.float32] | None]],
    count: int,
    advance: Advance | None,
) -> Iterator[tuple[int, int, NDArray[np.float32] | None]]:
    """Yields padded row, column and probabilities of each tile, or an empty row of tiles as one."""
    for batch, probabilities in predicted:
        of_tiles = repeat(None) if probabilities is None else probabilities
        for (row, column), of_tile in zip(batch.places, of_tiles, strict=False):
            yield row, column, of_tile
        if advance:
            advance(batch.done, count)
    if advance:
        advance(count, count)
