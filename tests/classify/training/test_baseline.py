"""Principal components and a linear classifier, as a network of stock layers."""

import json

import keras
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import classify
from classify.config import ModelSettings
from classify.data.dataset import ImageDataset
from classify.data.images import LabelledImage
from classify.data.pixels import ImagePixels
from classify.training.baseline import fit_classical
from segment.core.model.runtime import load_model
from segment.core.pixels.normalise import BandStatistics
from segment.core.progress import Silent
from tests.classify.conftest import write_shades

pytestmark = pytest.mark.heavy


def dataset(tmp_path, labels, size=32, bands=3):
    """Noise, brighter in a corner of its own for each label."""
    images = []
    for number, some in enumerate(labels):
        pixels = np.random.default_rng(number).normal(100, 25, (size, size, bands))
        for label in some:
            corner = (
                slice(size // 2 * (label % 2), size // 2 * (label % 2 + 1)),
                slice(size // 2 * (label // 2), size // 2 * (label // 2 + 1)),
            )
            pixels[corner] += 40
        path = tmp_path / f"{number}.npy"
        np.save(path, pixels.clip(0, 255).astype(np.uint8))
        images.append(LabelledImage(path, tuple(some), None, "data"))
    return ImageDataset(images, ImagePixels(np.load, 100), 3, size, 16)


def fit(data, size=32, multi_label=False, **settings):
    values = np.full(3, 100.0)
    statistics = BandStatistics("uint8", 1, 0 * values, values + 155, values, values / 4)
    options = {"multi_label": multi_label, "seed": 0, "progress": Silent()}
    return fit_classical(
        ModelSettings(components=8, **settings), data, size, statistics, 3, **options
    )


def test_it_answers_as_scikit_learn_does_and_is_stored(tmp_path):
    data = dataset(tmp_path, [[n % 3] for n in range(90)])
    network = fit(data)
    images = np.concatenate([data[i][0] for i in range(len(data))])
    flat = ((images.astype(np.float32) - 100) / 25).reshape(90, -1)
    expected = make_pipeline(PCA(8), StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))
    expected.fit(flat, [n % 3 for n in range(90)])
    answers = network.predict(images, verbose=0)
    np.testing.assert_allclose(answers, expected.predict_proba(flat), atol=0.02)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again.predict(images, verbose=0), answers)


@pytest.mark.slow
@pytest.mark.parametrize("classifier", ["logistic", "svm"])
@pytest.mark.parametrize(
    "labels, multi_label",
    [
        ([[n % 3] for n in range(60)], False),
        ([[n % 2] for n in range(60)], False),  # no image of the third class
        ([[1] for _ in range(20)], False),
        ([[label for label in range(3) if n >> label & 1] for n in range(64)], True),
        ([[0, *([1] if n % 2 else [])] for n in range(40)], True),  # one label on all, one on none
    ],
)
def test_labels_it_was_fitted_to_are_given_again(classifier, labels, multi_label, tmp_path):
    data = dataset(tmp_path, labels, size=64)
    network = fit(data, 64, multi_label, classifier=classifier)
    answers = np.concatenate([network.predict(data[i][0], verbose=0) for i in range(len(data))])
    truth = np.concatenate([data[i][1] for i in range(len(data))])
    given = answers > 0.5 if multi_label else np.eye(3)[answers.argmax(axis=1)]
    assert (given == truth).mean() > 0.95


@pytest.mark.slow
def test_training_it_takes_a_setting_and_networks_are_compared_with_it(tmp_path):
    write_shades(tmp_path / "data", {"dark": 60, "bright": 150}, 24, spread=20, size=40)
    size = ["data.size=32", "data.resize=32"]
    for kind, settings in {
        "pca": ["model.kind=pca"],
        "network": ["model.backbone=baseline", "model.weights=none"],
    }.items():
        config = classify.load_settings(
            classify.Config, overrides=[*size, *settings, "training.epochs=1"]
        )
        run = classify.train(tmp_path / "data", tmp_path / kind, config)
        report = json.loads((tmp_path / kind / "report.json").read_text())
        precision = json.loads((tmp_path / kind / "precision.json").read_text())
        assert bool(precision["seconds"]) == (kind == "network")  # only what is trained in steps
        assert report["baseline"] == ({} if kind == "pca" else {"val": 1.0, "test": 1.0})
        if kind == "pca":
            assert run.test.report["accuracy"] == 1.0
    (reported,) = classify.predict_images(
        [tmp_path / "data" / "dark" / "0.png"], tmp_path / "pca", top=1
    )
    assert reported.labels[0][0] == "dark"
    classify.export_model(tmp_path / "pca")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    components, exported = (
        load_model(tmp_path / "pca", runtime, features=True).predict(pixels)
        for runtime in ("keras", "openvino")
    )
    assert len(components) == 2
    np.testing.assert_allclose(exported, components, atol=0.02 * np.abs(components).max())
    assert (
        "Principal components and a linear classifier, test"
        in (tmp_path / "network" / "report.html").read_text()
    )
