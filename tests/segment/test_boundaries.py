"""Boundary Jaccard against the erosion of the paper, whatever the strips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion

from segment.boundaries import Boundaries
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED
from segment.label_sets import LabelSets
from segment.scores import Confusion

NAMES = ["a", "b", "c", "d"]
LABELS = LabelSets(NAMES, (frozenset({0, 1}), frozenset({1, 2, 3})))


def boundary(mask: np.ndarray, scored: np.ndarray, width: int) -> np.ndarray:
    """What Cheng et al.'s erosions take away, where only scored pixels erode."""
    kept = binary_erosion(mask | ~scored, np.ones((3, 3)), iterations=width, border_value=1)
    return mask & ~kept


def expected(
    reference: np.ndarray, predicted: np.ndarray, width: int, labels: LabelSets
) -> list[float]:
    """Boundary Jaccard of each class, class by class on whole maps."""
    scores = []
    for k in range(len(NAMES)):
        admits = np.array([k in one for one in labels.sets] + [False])
        alone = np.array([one == {k} for one in labels.sets] + [False])
        codes = np.where(reference == IGNORED, labels.count, reference)
        scored = (reference != IGNORED) & (predicted != IGNORED)
        scored &= alone[codes] | ~admits[codes]
        true = boundary(alone[codes] & scored, scored, width)
        found = boundary((predicted == k) & scored, scored, width)
        union = np.count_nonzero(true | found)
        scores.append(np.count_nonzero(true & found) / union if union else np.nan)
    return scores


@st.composite
def maps(draw: st.DrawFn, codes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A reference and a map of it: patches of some pixels, faults and holes."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    patch = draw(st.integers(1, 9))
    blocks = random.integers(0, codes, (height // patch + 1, width // patch + 1))
    reference = np.kron(blocks, np.ones((patch, patch), int))[:height, :width].astype(np.uint8)
    wrong = random.random(reference.shape) < draw(st.sampled_from([0, 0.02, 0.5]))
    predicted = np.where(wrong, random.integers(0, 4, reference.shape), reference % 4)
    predicted = np.roll(predicted, draw(st.integers(-2, 2)), axis=0).astype(np.uint8)
    for one in (reference, predicted):
        one[random.random(one.shape) < draw(st.sampled_from([0, 0.01, 0.3]))] = IGNORED
    return reference, predicted


@settings(max_examples=80)
@given(pair=maps(), width=st.integers(1, 9), rows=st.integers(1, 45))
def test_strips_of_any_height_give_the_scores_of_the_paper(pair, width, rows):
    reference, predicted = pair
    found = Boundaries(NAMES, width=width)
    found.add_strips(len(reference), lambda a, b: reference[a:b], lambda a, b: predicted[a:b], rows)
    wanted = expected(reference, predicted, width, LabelSets(NAMES))
    np.testing.assert_allclose(found.jaccard, wanted, rtol=1e-12)
    whole = Boundaries(NAMES, width=width)
    whole.add(reference, predicted)
    np.testing.assert_array_equal(whole.counts, found.counts)


@settings(max_examples=80)
@given(pair=maps(codes=LABELS.count), width=st.integers(1, 5))
def test_classes_are_scored_where_the_labels_decide_on_them(pair, width):
    found = Boundaries(NAMES, LABELS, width)
    found.add(*pair)
    np.testing.assert_allclose(found.jaccard, expected(*pair, width, LABELS), rtol=1e-12)


def test_a_known_square():
    reference = np.zeros((20, 20), np.uint8)
    reference[5:15, 5:15] = 1
    found = Boundaries(["ground", "house"], width=1)
    found.add(reference, reference)
    assert found.counts.tolist() == [[44, 36]] * 3 and found.mean_jaccard == 1
    shifted = np.roll(reference, 1, axis=1)
    found = Boundaries(["ground", "house"], width=1)
    found.add(reference, shifted)
    assert found.counts.tolist() == [[22, 18], [44, 36], [44, 36]]  # the rows above and below
    assert found.report() == {
        "mean_boundary_jaccard": 0.333333,
        "boundary_jaccard": {"ground": 0.333333, "house": 0.333333},
        "boundary_width": 1,
    }


def test_edges_of_images_and_of_what_is_not_labelled_are_no_boundaries():
    reference = np.zeros((30, 30), np.uint8)
    reference[:, 15:] = 1
    labelled = np.where(np.abs(np.arange(30) - 14.5) < 5, IGNORED, reference).astype(np.uint8)
    found = Boundaries(NAMES, width=3)
    found.add(labelled, reference)
    assert not found.counts.any() and np.isnan(found.mean_jaccard)
    assert found.report()["boundary_jaccard"] == dict.fromkeys(NAMES)
    faulty = reference.copy()
    faulty[2, 2] = 3  # a boundary that only the map has
    found.add(labelled, faulty)
    assert found.report()["boundary_jaccard"] == {"a": 0, "b": None, "c": None, "d": 0}


def test_tiles_are_scored_each_by_itself():
    tile = np.zeros((2, 8, 8), np.uint8)
    tile[1] = 1  # beside each other, they would have a boundary
    confusion = Confusion(NAMES, boundary_width=2)
    confusion.add(tile, tile)
    assert confusion.boundaries is not None and not confusion.boundaries.counts.any()
    tile[:, :4] = 2
    confusion.add(tile, tile)
    other, copy = (Confusion(NAMES, boundary_width=2) for _ in range(2))
    other.add(tile, tile)
    copy.merge(other.state())
    copy.merge(confusion.state())
    assert copy.boundaries is not None
    assert copy.boundaries.counts.tolist() == [[32, 32, 64, 0]] * 3
    assert copy.report()["mean_boundary_jaccard"] == copy.mean_boundary_jaccard == 1


def test_without_a_width_no_boundaries_are_scored():
    confusion = Confusion(NAMES)
    confusion.add(np.zeros(5, np.uint8), np.zeros(5, np.uint8))
    assert "boundary_jaccard" not in confusion.report()
    assert np.isnan(confusion.mean_boundary_jaccard)


@pytest.mark.parametrize("width", [0, -1, 101, 2.5])
def test_a_width_out_of_range_is_refused(width):
    with pytest.raises(InputError, match=f"from 1 to 100. Received {width}"):
        Boundaries(NAMES, width=width)
