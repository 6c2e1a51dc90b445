import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment.core.errors import InputError
from segment.merging import RowMerger, blend_weights
from segment.tile_window import Window
from segment.tiling import TilePlan, cut_strip, reflect, sliding_patches, tile_starts

sizes = st.integers(1, 70)
plans = st.builds(
    lambda height, width, edge, overlap, multiple, row, column: TilePlan(
        height, width, edge * multiple, overlap, multiple, row, column
    ),
    *(
        sizes,
        sizes,
        st.integers(1, 10),
        st.floats(0, 0.99),
        st.integers(1, 5),
        st.integers(-50, 50),
        st.integers(-50, 50),
    ),
)
NAMED = [(64, 96), (65, 33), (31, 100), (1, 1), (1, 40), (7, 2), (33, 32)]


def ones(plan: TilePlan, classes: int = 2) -> list[tuple[int, int, np.ndarray]]:
    tile = np.ones((plan.tile, plan.tile, classes), np.float32)
    return [(row, column, tile) for row in plan.rows for column in plan.columns]


def whole(plan: TilePlan) -> Window:
    return Window(plan, 0, plan.height, 0, plan.width)


def stitched(
    plan: TilePlan, classes: int, tiles: list[tuple[int, int, np.ndarray]]
) -> list[np.ndarray]:
    merger, parts = RowMerger(whole(plan), classes), []
    for start in plan.rows:
        for row, column, probabilities in tiles:
            if row == start:
                merger.add(row, column, probabilities)
        parts.append(merger.finished().copy())
        merger.next_row()
    return parts


@given(st.integers(1, 200), st.integers(1, 64), st.integers(1, 64))
def test_tiles_cover_an_axis_and_stay_inside(size: int, tile: int, step: int) -> None:
    size, step = max(size, tile), min(step, tile)
    starts = tile_starts(size, tile, step)
    covered = np.zeros(size, int)
    for start in starts:
        assert 0 <= start <= size - tile
        covered[start : start + tile] += 1
    assert covered.min() >= 1
    assert starts == sorted(set(starts))


@pytest.mark.heavy
@given(plans)
@settings(max_examples=60)
def test_every_pixel_is_handed_out_once_and_covered(plan: TilePlan) -> None:
    rows = stitched(plan, 2, ones(plan))
    assert [(len(part), part.shape[1]) for part in rows] == [
        (stop - start, plan.width) for start, stop in plan.finished
    ]
    edges = [edge for span in plan.finished for edge in span]
    assert edges[0] == 0
    assert edges[-1] == plan.height
    assert edges[1:-1:2] == edges[2::2]
    np.testing.assert_allclose(np.concatenate(rows), 1, rtol=1e-5)  # the outermost ring too


@pytest.mark.heavy
@given(plans)
@settings(max_examples=60)
def test_padding_is_a_reflection(plan: TilePlan) -> None:
    scene = list(range(plan.height))
    # numpy.pad of numpy 1 errs where it bounces more than once
    there_and_back = [*scene, *scene[-2:0:-1]]
    padded = [
        there_and_back[row % len(there_and_back)]
        for row in range(-plan.top, plan.padded_height - plan.top)
    ]
    for row in plan.rows:
        np.testing.assert_array_equal(plan.scene_rows(row), padded[row : row + plan.tile])
    assert [plan.scene_rows(row).min() for row in plan.rows] == sorted(
        plan.scene_rows(row).min() for row in plan.rows
    )
    columns = whole(plan).scene_columns
    assert columns.shape == (plan.padded_width,)
    assert set(columns) == set(range(plan.width))


@given(plans)
@settings(max_examples=60)
def test_tiles_keep_to_the_grid_and_see_around_the_edges(plan: TilePlan) -> None:
    for starts, before, place in (
        (plan.rows, plan.top, plan.row),
        (plan.columns, plan.left, plan.column),
    ):
        assert {(place - before + start) % plan.multiple for start in starts} == {0}
        assert plan.shared // 2 <= before < plan.shared // 2 + plan.multiple
    assert plan.padded_height - plan.top - plan.height >= plan.shared // 2


def test_reflection_bounces_as_often_as_needed() -> None:
    assert reflect(np.arange(-5, 8), 3).tolist() == [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]
    assert reflect(np.arange(-2, 3), 1).tolist() == [0] * 5


@pytest.mark.heavy
@pytest.mark.parametrize(("height", "width"), NAMED)
def test_tiles_cut_from_strips_merge_to_the_scene(height: int, width: int) -> None:
    plan = TilePlan(height, width, 32, 0.5)
    scene = np.random.default_rng(0).random((height, width, 3), np.float32)
    tiles = []
    for row in plan.rows:
        strip = scene[np.ix_(plan.scene_rows(row), whole(plan).scene_columns)]
        tiles += [(row, column, tile) for column, tile in cut_strip(strip, plan.tile, plan.step)]
    assert [tile[:2] for tile in tiles] == [tile[:2] for tile in ones(plan)]
    np.testing.assert_allclose(np.concatenate(stitched(plan, 3, tiles)), scene, atol=1e-6)


@pytest.mark.heavy
def test_overlapping_tiles_are_averaged_by_their_windows() -> None:
    # margin 2, so 12 x 16 padded: tiles at rows 0, 4 and columns 0, 4, 8
    plan = TilePlan(8, 8 + 4, 8, 0.5)
    first = np.zeros((8, 8, 1), np.float32)
    tiles = [(row, column, first + column) for row in plan.rows for column in plan.columns]
    merged = np.concatenate(stitched(plan, 1, tiles))[0, :, 0]
    expected = [
        sum(blend_weights(8)[x - c] * c for c in (0, 4, 8) if 0 <= x - c < 8) for x in range(2, 14)
    ]
    total = [
        sum(blend_weights(8)[x - c] for c in (0, 4, 8) if 0 <= x - c < 8) for x in range(2, 14)
    ]
    np.testing.assert_allclose(merged, np.divide(expected, total), rtol=1e-6)


@pytest.mark.heavy
def test_weights_are_never_zero_and_symmetric() -> None:
    for tile in (1, 2, 255, 256):
        weights = blend_weights(tile)
        assert weights.min() > 0
        assert weights.shape == (tile,)
        np.testing.assert_allclose(weights, weights[::-1], atol=1e-6)


def test_missing_tiles_leave_zeros_and_no_gap() -> None:
    plan = TilePlan(100, 40, 32, 0.5)
    some = [tile for tile in ones(plan) if tile[0] == plan.rows[2]]
    merged = np.concatenate(stitched(plan, 2, some))
    assert merged.shape == (100, 40, 2)
    assert merged[:10].max() == 0
    assert merged[40].min() > 0
    assert np.concatenate(stitched(plan, 2, [])).max() == 0


@pytest.mark.parametrize("height", [64, 64_000])
def test_open_rows_do_not_grow_with_height(height: int) -> None:
    merger = RowMerger(whole(TilePlan(height, 50, 32, 0.5)), 3)
    assert merger._sums.size == 32 * 50 * 3
    merger.finished()
    merger.next_row()
    assert merger._sums.size == 32 * 50 * 3


@pytest.mark.parametrize("overlap", [-0.1, 1.0, 2])
def test_overlap_out_of_range_is_refused(overlap: float) -> None:
    with pytest.raises(InputError, match="from 0 to below 1"):
        TilePlan(10, 10, 8, overlap)


@given(
    st.integers(1, 9), st.integers(1, 40), st.integers(1, 4), st.integers(1, 9), st.integers(0, 30)
)
def test_sliding_windows_are_the_views_of_patchify(
    tile: int, more: int, bands: int, step: int, seed: int
) -> None:
    patchify = pytest.importorskip("patchify").patchify
    strip = np.random.default_rng(seed).random((tile, tile + more, bands))
    expected = patchify(strip, (tile, tile, bands), step=step)
    received = sliding_patches(strip, (tile, tile, bands), step)
    np.testing.assert_array_equal(received, expected)
    assert received.strides == expected.strides
    assert np.shares_memory(received, strip)
