import numpy as np
import pytest

from segment.core.pixels.components import Vectors, find_outliers, principal_components

pytestmark = pytest.mark.heavy


def stored(values):
    vectors = Vectors(values.shape[1])
    for row in values:
        vectors.add(row)
    return vectors


def test_vectors_come_back_in_batches_of_even_size():
    values = np.random.default_rng(0).normal(size=(1000, 7)).astype(np.float32)
    with stored(values) as vectors:
        assert len(vectors) == 1000
        sizes = [len(batch) for batch in vectors.batches(300)]
        assert sizes == [333, 333, 334]
        np.testing.assert_array_equal(np.concatenate(list(vectors.batches(300))), values)
        np.testing.assert_array_equal(vectors[17], values[17])
        vectors.add(values[0])
        np.testing.assert_array_equal(vectors[1000], values[0])


@pytest.mark.parametrize("count, expected", [(3, 3), (50, 12)])
def test_components_are_those_of_all_vectors_at_once(count, expected):
    random = np.random.default_rng(1)
    values = random.normal(size=(1500, 12)) * np.linspace(6, 0.5, 12) + 5
    with stored(values) as vectors:
        found = principal_components(vectors, count)
    centred = values - values.mean(0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(
        found.ratios, (lengths**2 / (lengths**2).sum())[:expected], atol=0.005
    )
    np.testing.assert_allclose(np.abs((found.axes[:2] * axes[:2]).sum(1)), 1, atol=0.01)
    np.testing.assert_allclose(found.mean, values.mean(0), atol=1e-4)
    assert found.positions.shape == (1500, expected)
    rest = centred - (centred @ found.axes.T) @ found.axes
    np.testing.assert_allclose(found.residuals, np.linalg.norm(rest, axis=1), atol=0.02)


def test_few_vectors_have_few_components():
    with stored(np.eye(3)) as vectors:
        assert len(principal_components(vectors, 20).axes) == 3


@pytest.mark.parametrize("varying", [3, 50, 600])
def test_vectors_of_one_kind_have_no_outliers_however_few_they_are(varying):
    random = np.random.default_rng(2)
    for count in (3, 4, 8, 9, 10, 12, 16, 17, 20, 33, 50):
        values = random.normal(size=(count, varying)) @ random.normal(size=(varying, 600))
        with stored(values) as vectors:
            assert find_outliers(principal_components(vectors, 16)) == [], count


def test_one_of_another_kind_is_an_outlier():
    random = np.random.default_rng(3)
    values = random.normal(size=(80, 600))
    values[7] += 60
    with stored(values) as vectors:
        assert find_outliers(principal_components(vectors, 16)) == [7]
    with stored(np.ones((20, 600))) as vectors:
        same = principal_components(vectors, 16)
    assert find_outliers(same) == [] and not same.ratios.any(), "all the same"
