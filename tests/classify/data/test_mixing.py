import numpy as np
import pytest

from classify.data.mixing import mix


def batch(count: int = 6, dtype: str = "uint8", high: float = 255) -> tuple[np.ndarray, np.ndarray]:
    """Images of one value each and their one-hot labels."""
    values = (np.linspace(0, 1, count) * high).astype(dtype)
    return np.tile(values[:, None, None, None], (1, 32, 48, 2)), np.eye(count, dtype=np.float32)


@pytest.mark.heavy
@pytest.mark.parametrize("mixup, cutmix", [(0.4, 0), (0, 1), (0.4, 1)])
@pytest.mark.parametrize("dtype, high", [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_labels_say_what_images_are_made_of(mixup, cutmix, dtype, high):
    images, labels = batch(dtype=dtype, high=high)
    values = images[:, 0, 0, 0].astype(np.float64)
    for seed in range(40):
        mixed, shares = mix(images, labels, np.random.default_rng(seed), mixup=mixup, cutmix=cutmix)
        assert (mixed.shape, mixed.dtype, shares.shape, shares.dtype) == (
            images.shape,
            images.dtype,
            (6, 6),
            np.float32,
        )
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(
            mixed.mean(axis=(1, 2, 3), dtype=np.float64),
            shares @ values,
            atol=0.51 if high > 1 else 1e-5,
        )


def test_mixup_blends_and_cutmix_pastes():
    images, labels = batch(2)
    kinds = []
    for seed in range(200):
        blended = mix(images, labels, np.random.default_rng(seed), mixup=1, cutmix=0)[0]
        assert all(len(np.unique(image)) == 1 for image in blended)
        pasted = mix(images, labels, np.random.default_rng(seed), mixup=0, cutmix=1)[0]
        assert set(np.unique(pasted)) <= {0, 255}
        either, shares = mix(images, labels, np.random.default_rng(seed), mixup=1, cutmix=1)
        if 0.02 < shares.max(axis=1)[0] < 0.98:
            kinds.append("cutmix" if len(np.unique(either[0])) == 2 else "mixup")
    assert 0.35 < kinds.count("mixup") / len(kinds) < 0.65, "one of the two is drawn per batch"


def test_cutmix_pastes_a_rectangle_of_the_partner_where_it_lies():
    random = np.random.default_rng(0)
    images = random.integers(0, 2**16, (5, 32, 48, 3)).astype(np.uint16)
    labels = np.eye(5, dtype=np.float32)
    pasted = 0
    for seed in range(40):
        mixed, shares = mix(images, labels, np.random.default_rng(seed), mixup=0, cutmix=1)
        for i, (image, share) in enumerate(zip(mixed, shares, strict=True)):
            changed = (image != images[i]).any(axis=2)
            if not changed.any():
                continue
            rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
            assert (
                changed.sum()
                == len(rows) * len(columns)
                == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            )
            partner = next(j for j in np.flatnonzero(share) if j != i)
            assert np.array_equal(image[changed], images[partner][changed])
            assert share[partner] == pytest.approx(changed.mean(), abs=1e-6)
            pasted += 1
    assert pasted > 100


@pytest.mark.heavy
def test_several_labels_mix_alike():
    images, _ = batch(3)
    labels = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]], np.float32)
    for seed in range(10):
        mixed, shares = mix(images, labels, np.random.default_rng(seed), mixup=1, cutmix=1)
        assert shares.min() >= 0 and shares.max() <= 1 + 1e-6
        np.testing.assert_allclose(shares.sum(axis=0), labels.sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(
            mixed.mean(axis=(1, 2, 3)).sum(), images.mean(axis=(1, 2, 3)).sum(), atol=1.6
        )


def test_seeds_repeat_and_the_given_arrays_stay():
    images, labels = batch()
    before = images.copy(), labels.copy()
    for mixup, cutmix in ((0.4, 0), (0, 1), (0.4, 1)):
        first, again, other = (
            mix(images, labels, np.random.default_rng(seed), mixup=mixup, cutmix=cutmix)
            for seed in (1, 1, 2)
        )
        assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
        assert not np.array_equal(first[1], other[1])
    assert np.array_equal(images, before[0]) and np.array_equal(labels, before[1])


def test_alpha_0_is_off():
    images, labels = batch()
    random = np.random.default_rng(0)
    mixed, shares = mix(images, labels, random, mixup=0, cutmix=0)
    assert np.array_equal(mixed, images) and np.array_equal(shares, labels)
    assert random.random() == np.random.default_rng(0).random(), "nothing is drawn"


def test_alpha_says_how_even_the_shares_are():
    images, labels = batch()
    shares = {
        a: [
            mix(images, labels, np.random.default_rng(s), mixup=a, cutmix=0)[1].max(axis=1).min()
            for s in range(80)
        ]
        for a in (0.1, 20)
    }
    assert np.mean(shares[0.1]) > 0.85 and np.mean(shares[20]) < 0.65
