"""Grad-CAM against automatic gradients."""

import keras
import numpy as np
import pytest

from classify.training.grad_cam import GradCam
from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model.folder import save_model_folder
from segment.core.model.info import LabelInfo
from tests.fakes import tiny_info

pytestmark = pytest.mark.heavy


def write_model(folder, dense_units, convolution=True):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 3, strides=4, activation="relu")(inputs) if convolution else inputs
    x = keras.layers.GlobalAveragePooling2D(name="features" if convolution else "means")(x)
    if dense_units:
        x = keras.layers.Dense(dense_units, "relu", name="hidden")(x)
    x = keras.layers.Dropout(0.5)(x)
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(3, name="logits")(x)))
    classes = [
        Class(name=name, color=color)
        for name, color in (("a", "#000000"), ("b", "#FFFFFF"), ("c", "#FF0000"))
    ]
    info = tiny_info(task="classify", classes=classes, labels=LabelInfo(resize=32))
    folder.mkdir()
    save_model_folder(folder, model, info)
    return model


@pytest.mark.parametrize("dense_units", [0, 8])
def test_heat_is_the_gradient_of_the_label_times_the_maps(tmp_path, dense_units):
    tensorflow = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are TensorFlow's here")
    model = write_model(tmp_path / "model", dense_units)
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    inner = keras.Model(
        model.inputs, [model.get_layer("features").input, model.get_layer("logits").output]
    )
    for index, label in enumerate("abc"):
        with tensorflow.GradientTape() as tape:
            maps, logits = inner(pixels[None].astype(np.float32))
            score = logits[0, index]
        weights = tape.gradient(score, maps).numpy()[0].mean(axis=(0, 1))
        expected = np.maximum(maps.numpy()[0] @ weights, 0)
        found = GradCam(tmp_path / "model").heat_map(pixels, label)
        assert found.shape == (8, 8) and found.dtype == np.float32
        np.testing.assert_allclose(found, expected / max(expected.max(), 1e-12), atol=1e-4)


def test_what_has_no_view_is_reported(tmp_path):
    write_model(tmp_path / "flat", 0, convolution=False)
    with pytest.raises(InputError, match="needs a convolution"):
        GradCam(tmp_path / "flat")
    write_model(tmp_path / "model", 0)
    with pytest.raises(InputError, match="no label .d.. Choose one of a, b, c"):
        GradCam(tmp_path / "model").heat_map(np.zeros((32, 32, 3), np.uint8), "d")
