"""Model files with weights of 16 bits."""

import keras
import numpy as np
import pytest

from segment.core.half_precision import halve_weights


def small_model() -> keras.Model:
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Conv2D(64, 3, name="convolution")(keras.layers.Rescaling(1 / 255)(pixels))
    x = keras.layers.BatchNormalization(name="normalisation")(keras.layers.Conv2D(64, 3)(x))
    return keras.Model(pixels, keras.layers.Dense(5, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x)))


def test_halved_models_load_as_float32_and_answer_alike(tmp_path):
    model, file = small_model(), tmp_path / "m.keras"
    model.get_layer("normalisation").moving_variance.assign(np.full(64, 1e-9))  # 0 in float16
    model.save(file)
    before = file.stat().st_size
    halve_weights(file)
    assert file.stat().st_size < 0.65 * before and list(tmp_path.iterdir()) == [file]
    halved = keras.saving.load_model(file, compile=False, safe_mode=True)
    for old, new in zip(model.weights, halved.weights, strict=True):
        assert new.dtype == "float32"
        exact = old.numpy() if old.ndim < 2 else old.numpy().astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(new.numpy(), exact)
    assert any(new.ndim > 1 for new in halved.weights)


def test_values_beyond_float16_leave_the_file_as_it_was(tmp_path):
    model, file = small_model(), tmp_path / "m.keras"
    layer = model.get_layer("convolution")
    layer.kernel.assign(layer.kernel * 1e8)
    model.save(file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="beyond float16"):
        halve_weights(file)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]
