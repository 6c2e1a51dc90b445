"""Tiles through the network: the next are read and several computed while the caller deals with earlier answers."""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import repeat
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.runtime import Model
from segment.scene import Batch, SceneTiles
from segment.stitch import Tile

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Told of tiles dealt with and tiles in all."""

_AHEAD = 3  # batches read, and batches computed, per thread that computes: enough to work on while a band is written


def predict_tiles(
    tiles: SceneTiles, model: Model, batch_size: int | None = None, augment: bool = False, progress: Progress | None = None
) -> Generator[Tile, None, None]:
    """All tiles with a valid pixel, in reading order, and one without probabilities for each row of tiles that has none.

    batch_size: tiles in a batch, by default what suits the model. augment: see `predict_batch`.
    Raises what reading and predicting raise.
    """
    size, workers = model.pace(tiles.window.plan.tile)
    size = batch_size or size
    with closing(_computed(tiles.batches(size, model.info.dtype), model, workers, augment)) as answers:
        for batch, probabilities in answers:
            for (row, column), part in zip(batch.places, repeat(None) if probabilities is None else probabilities, strict=False):
                yield row, column, part
            if progress:
                progress(batch.done, tiles.count)
    if progress:
        progress(tiles.count, tiles.count)


def predict_batch(model: Model, pixels: NDArray[Any], augment: bool) -> NDArray[np.float32]:
    """Probabilities (batch, rows, columns, classes) of square tiles, with `augment` the mean over their eight symmetries.

    Raises InputError when the network answers other classes than its model.yaml names.
    """
    if not augment:
        answer = model.predict(pixels)
        expected = (*pixels.shape[:3], len(model.info.palette))
        if answer.shape != expected:
            raise InputError(f"{model.info.name}: must answer {expected}. Received {answer.shape}. Mend its model.yaml.")
        return answer
    total = np.zeros((*pixels.shape[:3], len(model.info.palette)), np.float32)
    for turns in range(4):
        for flip in (1, -1):
            turned = np.ascontiguousarray(np.rot90(pixels, turns, axes=(1, 2))[:, :, ::flip])
            total += np.rot90(predict_batch(model, turned, False)[:, :, ::flip], -turns, axes=(1, 2))
    return total / 8


def _computed(
    batches: Generator[Batch, None, None], model: Model, workers: int, augment: bool
) -> Generator[tuple[Batch, NDArray[np.float32] | None], None, None]:
    """Batches and their probabilities in order, several at work at a time."""

    def compute(batch: Batch) -> NDArray[np.float32] | None:
        return None if batch.pixels is None else predict_batch(model, batch.pixels, augment)

    pending: deque[tuple[Batch, Future[NDArray[np.float32] | None]]] = deque()
    with ThreadPoolExecutor(workers) as pool, closing(_read_ahead(batches, _AHEAD * workers)) as read:
        try:
            for batch in read:
                pending.append((batch, pool.submit(compute, batch)))
                if len(pending) > _AHEAD * workers:
                    batch, future = pending.popleft()
                    yield batch, future.result()
            while pending:
                batch, future = pending.popleft()
                yield batch, future.result()
        finally:
            for _, future in pending:
                future.cancel()


def _read_ahead(items: Generator[T, None, None], count: int) -> Generator[T, None, None]:
    """The same items, the next `count` of them made in a thread of its own while one is in use."""
    pending: deque[Future[T | None]] = deque()
    with ThreadPoolExecutor(1) as pool:
        try:
            pending.extend(pool.submit(next, items, None) for _ in range(count))
            while (item := pending.popleft().result()) is not None:
                pending.append(pool.submit(next, items, None))
                yield item
        finally:
            for future in pending:
                future.cancel()
            pool.submit(items.close).result()  # there, too, so that files close in the thread that opened them
