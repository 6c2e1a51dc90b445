"""Squares of ground as parts: margins hold, classes are in each part, seeds repeat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment.core.errors import InputError
from segment.core.splits import PARTS
from segment.data.splitting.block_split import NONE, split_blocks


def grid(rows: int, columns: int, size: int = 64, step: int = 64) -> np.ndarray:
    tops, lefts = (a.reshape(-1) * step for a in np.mgrid[:rows, :columns])
    return np.stack([tops, lefts, tops + size, lefts + size], axis=1)


@pytest.mark.heavy
@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(6, 14), st.integers(6, 14)),
    step=st.sampled_from([32, 48, 64, 80]),
    shares=st.sampled_from([{"val": 0.2}, {"val": 0.15, "test": 0.15}]),
    seed=st.integers(0, 10),
)
def test_no_pixel_is_within_the_margin_of_another_part(shape, step, shares, seed):
    boxes = grid(*shape, step=step)
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 2, (len(boxes), 3)) * 100 + [1, 0, 0]
    split = split_blocks(boxes, pixels, shares, 32, seed)
    again = split_blocks(boxes, pixels, shares, 32, seed)
    assert np.array_equal(split.parts, again.parts)
    painted = np.full(boxes[:, 2:].max(axis=0), NONE)
    for (top, left, bottom, right), part in zip(boxes, split.parts, strict=True):
        if part != NONE:
            painted[top:bottom, left:right] = part
    for (top, left, bottom, right), part in zip(boxes, split.parts, strict=True):
        if part != NONE:
            near = painted[max(0, top - 31) : bottom + 31, max(0, left - 31) : right + 31]
            assert set(np.unique(near)) <= {NONE, part}
    assert {PARTS[part] for part in split.parts if part != NONE} == {"train", *shares}


def test_a_class_of_two_places_is_in_both_parts():
    boxes = grid(12, 12)
    pixels = np.zeros((144, 2), int)
    pixels[:, 0] = 100
    pixels[[13, 130], 1] = 5
    for seed in range(5):
        split = split_blocks(boxes, pixels, {"val": 0.2}, 32, seed)
        assert not split.missing
        assert split.parts[13] != split.parts[130] and NONE not in split.parts[[13, 130]]


def test_a_class_of_one_place_is_reported_missing():
    boxes = grid(12, 12)
    pixels = np.full((144, 2), 100)
    pixels[1:, 1] = 0
    split = split_blocks(boxes, pixels, {"val": 0.2}, 32, 0)
    assert list(split.missing.values()) == [[1]]


def test_parts_come_near_their_shares():
    boxes = grid(20, 20)
    split = split_blocks(boxes, np.ones((400, 1), int), {"val": 0.15, "test": 0.1}, 32, 3)
    used = split.parts[split.parts != NONE]
    assert abs(np.mean(used == 1) - 0.15) < 0.06 and abs(np.mean(used == 2) - 0.1) < 0.06
    assert len(used) > 240 and split.edge >= 128


def test_too_little_ground_is_refused():
    with pytest.raises(
        InputError, match=r"needs more ground: 2 labelled tiles .*data\.split=patch"
    ):
        split_blocks(grid(1, 2), np.ones((2, 1), int), {"val": 0.2}, 32, 0)
    assert set(split_blocks(grid(1, 3), np.ones((3, 1), int), {"val": 0.2}, 32, 0).parts) >= {0, 1}
