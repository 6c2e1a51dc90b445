"""Smaller pictures of rasters, made of rows as they are read."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from segment.core.pixels.geometry import Reduction, resize

PIXELS = np.random.default_rng(0).integers(0, 255, (1100, 90, 3), np.uint8)


def refuse(start: int, rows: int) -> np.ndarray:
    raise AssertionError(f"rows {start} to {start + rows} were not added")


@pytest.mark.parametrize("step", [1, 64, 417, 1100])
@pytest.mark.parametrize("size", [(1100, 90), (550, 45), (333, 30), (7, 1)])
def test_a_picture_does_not_depend_on_how_its_rows_come(step: int, size: tuple[int, int]) -> None:
    reduction = Reduction((0, 1100, 0, 90), *size)
    for start in range(0, 1100, step):
        assert reduction.whole is None
        reduction.add(start, PIXELS[start : start + step])
    whole = reduction.whole
    assert whole is not None and whole.shape == (*size, 3)
    alone = Reduction((0, 1100, 0, 90), *size).filled(lambda start, n: PIXELS[start : start + n])
    assert_array_equal(whole, alone)
    assert_array_equal(whole, reduction.filled(refuse))
    if size == (550, 45):
        assert_array_equal(whole, resize(PIXELS, 550, 45))


def test_only_rows_that_were_not_added_are_read() -> None:
    """A resumed map, rows that were passed over, and rows beside the rectangle."""
    read: list[tuple[int, int]] = []

    def remember(start: int, rows: int) -> np.ndarray:
        read.append((start, rows))
        return PIXELS[start : start + rows, 10:50]

    reduction = Reduction((40, 1064, 10, 50), 512, 20)
    reduction.add(290, PIXELS[290:400, 10:50])
    reduction.add(400, PIXELS[400:700, 10:50])
    reduction.add(800, PIXELS[800:1100, 10:50])
    assert reduction.whole is None
    found = reduction.filled(remember)
    assert_array_equal(found, resize(PIXELS[40:1064, 10:50], 512, 20))
    assert read == [(40, 256), (552, 256)]
