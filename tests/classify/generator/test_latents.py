import numpy as np
import pytest

from classify.generator.latents import (
    ClassDensities,
    Posteriors,
    fit_densities,
    load_densities,
    save_densities,
)
from segment.core.errors import InputError

pytestmark = pytest.mark.heavy


COVARIANCES = np.array([[[1.5, 0], [0, 1.5]], [[4.5, 2], [2, 1.75]]])


def posteriors(count: int = 1000, variance: float = 0.5) -> Posteriors:
    """Two classes of other means and covariances."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    mixing = np.array([[[1, 0], [0, 1]], [[2, 0], [1, 0.5]]], np.float32)
    centres = np.array([[0, 0], [5, -3]], np.float32)
    means = centres[labels] + np.einsum(
        "nij,nj->ni", mixing[labels], random.standard_normal((count, 2))
    )
    return Posteriors(means.astype(np.float32), np.full((count, 2), variance, np.float32), labels)


def standard_normal() -> ClassDensities:
    """N(0, I) for each of two classes."""
    return ClassDensities(np.zeros((2, 4), np.float32), np.arange(2), np.ones((2, 4), np.float32))


@pytest.mark.parametrize("bandwidth", [0.5, 1.0])
@pytest.mark.parametrize("label, mean", [(0, [0, 0]), (1, [5, -3])])
def test_what_is_drawn_has_mean_and_covariance_of_its_class(bandwidth, label, mean):
    drawn = fit_densities(posteriors()).draw(np.full(4000, label), seed=1, bandwidth=bandwidth)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.25)
    # the posteriors' variance is part of the kernel only
    added = np.diag([0.5, 0.5]) * (1 - bandwidth**2)
    np.testing.assert_allclose(np.cov(drawn.T), COVARIANCES[label] - added, atol=0.4)


def test_without_bandwidth_training_images_come_back():
    given = posteriors(40)
    drawn = fit_densities(given).draw(np.zeros(100, np.intp), seed=0, bandwidth=0)
    distances = np.linalg.norm(drawn[:, None] - given.means[given.labels == 0][None], axis=2)
    assert distances.min(axis=1).max() < 1e-5
    assert len(set(distances.argmin(axis=1).tolist())) > 10


def test_what_is_drawn_depends_on_seed_class_and_number_alone():
    found = fit_densities(posteriors())
    all_of_them = found.draw(np.array([0, 1, 0, 1]), seed=3)
    np.testing.assert_array_equal(found.draw(np.array([0, 1]), seed=3, first=2), all_of_them[2:])
    assert not np.allclose(found.draw(np.array([0, 1, 0, 1]), seed=4), all_of_them)


def test_a_class_of_one_image_without_variance_can_be_drawn_from():
    """As a plain autoencoder has it."""
    one = Posteriors(
        np.array([[1.0, 2.0]], np.float32), np.zeros((1, 2), np.float32), np.array([0])
    )
    assert fit_densities(one).draw(np.array([0]), 0) == pytest.approx(np.array([[1, 2]]))


def test_of_many_images_some_hundred_are_kept():
    assert len(fit_densities(posteriors(2400)).means) == 1000


@pytest.mark.parametrize("bandwidth", [-0.1, 1.5])
def test_other_bandwidths_are_refused(bandwidth):
    with pytest.raises(InputError, match=f"bandwidth is {bandwidth}. Give 0 to 1"):
        standard_normal().draw(np.array([0]), 0, bandwidth=bandwidth)


@pytest.mark.parametrize("name, number", [("seed", -1), ("seed", 1.5), ("first", -2)])
def test_negative_numbers_are_refused(name, number):
    with pytest.raises(InputError, match=f"{name} is {number}. Give a whole number of 0 or more"):
        standard_normal().draw(np.array([0]), **{"seed": 0, name: number})


def test_they_survive_their_file(tmp_path):
    found = fit_densities(posteriors())
    save_densities(tmp_path, found)
    drawn = [
        densities.draw(np.array([0, 1]), 7) for densities in (found, load_densities(tmp_path, 2, 2))
    ]
    np.testing.assert_array_equal(*drawn)


def test_a_missing_a_broken_and_a_foreign_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="--resume"):
        load_densities(tmp_path, 2, 2)
    save_densities(tmp_path, standard_normal())
    with pytest.raises(InputError, match=r"means have the shape \(2, 4\), .*\(2, 8\)"):
        load_densities(tmp_path, 2, 8)
    whole = (tmp_path / "latents.npz").read_bytes()
    torn = whole[: len(whole) // 2], whole[:-60] + bytes(60), b"", b"torn"
    for content in torn:
        (tmp_path / "latents.npz").write_bytes(content)
        with pytest.raises(InputError, match="is damaged, or of another model"):
            load_densities(tmp_path, 2, 4)
    with (tmp_path / "latents.npz").open("wb") as file:
        np.save(file, np.zeros(3))  # an array instead of an archive
    with pytest.raises(InputError, match="is damaged, or of another model"):
        load_densities(tmp_path, 2, 4)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"labels": None}, "labels is not a file"),
        (
            {"variances": np.ones((3, 4), np.float32)},
            r"variances have the shape \(3, 4\), .*\(2, 4\)",
        ),
        ({"means": np.ones(4, np.float32)}, r"means have the shape \(4,\), .*\(2, 4\)"),
        ({"labels": np.zeros((2, 1), int)}, r"labels have the shape \(2, 1\), .*\(2,\)"),
        ({"labels": np.array([0, 2])}, "not every one of 2 classes has an image"),
        ({"labels": np.array([0, 0])}, "not every one of 2 classes has an image"),
        ({"means": np.full((2, 4), np.nan, np.float32)}, "means are not finite"),
        ({"means": np.full((2, 4), "a")}, "means are not finite"),
        ({"means": np.array([{}] * 2)}, ": .*allow_pickle"),
        ({"variances": np.full((2, 4), -1, np.float32)}, "negative. Restore it, or train again"),
    ],
)
def test_a_changed_file_is_refused_in_one_line(tmp_path, change, words):
    arrays = {
        "means": np.zeros((2, 4), np.float32),
        "labels": np.arange(2),
        "variances": np.ones((2, 4), np.float32),
    } | change
    np.savez(
        tmp_path / "latents.npz",
        **{name: array for name, array in arrays.items() if array is not None},
    )
    with pytest.raises(InputError, match=words) as raised:
        load_densities(tmp_path, 2, 4)
    assert "\n" not in str(raised.value)


def test_the_divergence_of_posteriors_is_in_nats():
    found = Posteriors(
        np.ones((3, 8), np.float32), np.ones((3, 8), np.float32), np.zeros(3, np.intp)
    )
    assert found.divergence == pytest.approx(4)
    assert Posteriors(found.means, np.zeros((3, 8), np.float32), found.labels).divergence == 0
