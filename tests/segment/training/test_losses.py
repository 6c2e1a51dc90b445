"""Each loss and its gradient against plain numpy."""

from typing import get_args

import keras
import numpy as np
import pytest
from keras import ops

from segment.config import LossName, LossSettings
from segment.core.common_settings import TrainingSettings
from segment.core.labels.classes import IGNORED
from segment.core.training.devices import Devices
from segment.core.training.optimizers import Phase, compile_phase
from segment.training.losses import build_loss, has_labels

pytestmark = pytest.mark.heavy


NAMES = get_args(LossName)
WEIGHTS = [1.0, 2.0, 0.5]


def reference(
    name: str, truth: np.ndarray, p: np.ndarray, weights: np.ndarray, gamma: float = 2.0
) -> float:
    """The losses pixel by pixel, as one would write them on paper."""
    scored = truth != IGNORED
    t, p = truth[scored], p[scored]
    chosen = p[np.arange(len(t)), t]
    if name in ("focal", "cross_entropy"):
        exponent = gamma if name == "focal" else 0
        return float(np.mean(-weights[t] * (1 - chosen) ** exponent * np.log(chosen)))
    if name == "focal+dice":
        return reference("focal", truth[scored], p, weights, gamma) + reference(
            "dice", truth[scored], p, weights
        )
    total, norm = 0.0, 0.0
    for c in np.unique(t):
        hits, true, predicted = chosen[t == c].sum(), (t == c).sum(), p[:, c].sum()
        overlap = (
            2 * hits / (true + predicted) if name == "dice" else hits / (true + predicted - hits)
        )
        total, norm = total + weights[c] * (1 - overlap), norm + weights[c]
    return total / norm


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, (2, 4, 5)).astype(np.uint8)  # class 2 does not occur
    truth[0, 0] = IGNORED
    p = random.dirichlet([1, 1, 1], (2, 4, 5)).astype(np.float32) * 0.98 + 0.02 / 3
    return truth, p


@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient(name, batch):
    truth, p = batch
    loss = build_loss(LossSettings(name=name), WEIGHTS)
    weights = np.array(WEIGHTS)
    assert float(loss(truth, ops.convert_to_tensor(p))) == pytest.approx(
        reference(name, truth, p.astype(float), weights), rel=1e-5
    )
    numeric = np.zeros_like(p, float)
    for index in np.ndindex(*p.shape):
        high, low = p.astype(float), p.astype(float)
        high[index] += 1e-5
        low[index] -= 1e-5
        numeric[index] = (
            reference(name, truth, high, weights) - reference(name, truth, low, weights)
        ) / 2e-5
    np.testing.assert_allclose(gradient(loss, truth, p), numeric, atol=2e-5, rtol=1e-3)


def gradient(loss, truth: np.ndarray, p: np.ndarray) -> np.ndarray:
    """d loss / d p, read off one step of plain gradient descent on a layer that holds p: the same
    on every backend.
    """
    layer = keras.layers.Dense(p.size, use_bias=False)
    source = keras.Input((1,))
    model = keras.Model(source, keras.layers.Reshape(p.shape)(layer(source)))
    layer.set_weights([p.reshape(1, -1)])
    model.compile(keras.optimizers.SGD(1.0), lambda y, q: loss(y[0], q[0]))
    model.train_on_batch(np.ones((1, 1), np.float32), truth[None])
    return p - layer.get_weights()[0].reshape(p.shape)


@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_change_nothing(name, batch):
    truth, p = batch
    loss = build_loss(LossSettings(name=name), WEIGHTS)
    other = p.copy()
    other[0, 0] = [0.1, 0.2, 0.7]
    assert float(loss(truth, ops.convert_to_tensor(p))) == float(
        loss(truth, ops.convert_to_tensor(other))
    )


@pytest.mark.parametrize("name", NAMES)
def test_extremes_stay_finite(name):
    truth = np.array([[[0, 1], [IGNORED, IGNORED]]], np.uint8)
    p = np.array([[[[1, 0], [1, 0]], [[0, 1], [0, 1]]]], np.float32)
    assert np.isfinite(
        float(build_loss(LossSettings(name=name), [1, 1])(truth, ops.convert_to_tensor(p)))
    )
    nothing = np.full_like(truth, IGNORED)
    assert (
        float(build_loss(LossSettings(name=name), [1, 1])(nothing, ops.convert_to_tensor(p))) == 0
    )


def test_perfect_probabilities_cost_nothing():
    truth = np.array([[[0, 1]]], np.uint8)
    p = np.eye(2, dtype=np.float32)[truth]
    for name in NAMES:
        assert float(
            build_loss(LossSettings(name=name), [1, 1])(truth, ops.convert_to_tensor(p))
        ) == pytest.approx(0, abs=1e-6)


def test_batches_without_a_labelled_pixel_are_left_out_of_the_mean_loss():
    random = np.random.default_rng(0)
    images = random.random((3, 2, 4, 4, 3)).astype(np.float32)
    masks = random.integers(0, 3, (3, 2, 4, 4)).astype(np.uint8)
    masks[1] = IGNORED

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            return images[index], masks[index]

    pixels = keras.Input((4, 4, 3))
    network = keras.Model(pixels, keras.layers.Dense(3, "softmax")(pixels))
    loss = build_loss(LossSettings(name="cross_entropy"), WEIGHTS)
    expected = [float(loss(ops.convert_to_tensor(masks[i]), network(images[i]))) for i in (0, 2)]
    still = Phase(1, 1e-8)
    model = compile_phase(network, loss, still, TrainingSettings(), 3, Devices(), has_labels)
    found = Devices().fit(model, Batches(), 0, keras.callbacks.Callback())
    assert found == pytest.approx(np.mean(expected), rel=1e-4)
