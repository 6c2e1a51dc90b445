"""The eight flips and quarter turns of images seen from above."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def eight_views(
    pixels: NDArray[Any],
) -> Iterator[tuple[NDArray[Any], Callable[[NDArray[Any]], NDArray[Any]]]]:
    """Yields a batch of images in each of its eight symmetries.

    Args:
        pixels: Square tiles or images (batch, rows, columns, bands).

    Yields:
        The transformed batch, and a function that transforms its predictions (batch, rows,
        columns, classes) back to the original orientation.
    """
    for turns in range(4):
        for flip in (1, -1):

            def turn_back(
                answers: NDArray[Any], turns: int = turns, flip: int = flip
            ) -> NDArray[Any]:
                return np.rot90(answers[:, :, ::flip], -turns, axes=(1, 2))

            yield (
                np.ascontiguousarray(np.rot90(pixels, turns, axes=(1, 2))[:, :, ::flip]),
                turn_back,
            )
