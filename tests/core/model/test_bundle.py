"""Model folders to pass on, with weights of 16 bits."""

import keras
import numpy as np
import pytest

from segment.core.errors import InputError
from segment.core.model.bundle import bundle_model, halve_weights
from segment.core.model.folder import RECORD_FILE, load_keras_model, load_model_info
from segment.core.model.record import RecordEntry, TrainingRecord, load_record
from segment.core.model.weight_files import checksum

pytestmark = pytest.mark.heavy


INFO = """
task: classify
name: small
classes: [{name: water, color: '#0000FF'}]
bands: 3
dtype: uint8
range: [0, 255]
tile: 8
versions: {keras: '3'}
"""


def small_model() -> keras.Model:
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Conv2D(64, 3, name="convolution")(keras.layers.Rescaling(1 / 255)(pixels))
    x = keras.layers.BatchNormalization(name="normalisation")(keras.layers.Conv2D(64, 3)(x))
    return keras.Model(
        pixels,
        keras.layers.Dense(5, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x)),
    )


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


def test_a_run_is_bundled_without_what_only_training_needs(tmp_path):
    run, folder = tmp_path / "run", tmp_path / "bundled"
    for name in ("checkpoints/last.npz", "report.html"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
    model = small_model()
    model.save(run / "model.keras")
    (run / "model.yaml").write_text(INFO)
    (folder / "openvino").mkdir(parents=True)
    (folder / "openvino" / "model.xml").touch()
    (folder / "README.md").write_text("card")
    bundle_model(run, folder)
    assert {path.name for path in folder.rglob("*")} == {"README.md", "model.keras", "model.yaml"}
    bundled = load_model_info(folder)
    assert load_keras_model(folder).output_shape == (None, 5)
    assert bundled.model_copy(update={"checksums": {}}) == load_model_info(run)
    assert bundled.checksums == {"model.keras": checksum(folder / "model.keras")}

    before = (folder / "model.keras").read_bytes()
    layer = model.get_layer("convolution")
    layer.kernel.assign(layer.kernel * 1e8)
    model.save(run / "model.keras")
    (run / "model.yaml").write_text(INFO.replace("small", "large"))
    with pytest.raises(ValueError, match="beyond float16"):
        bundle_model(run, folder)
    assert (folder / "model.keras").read_bytes() == before and load_model_info(
        folder
    ).name == "small"


def test_what_a_model_was_trained_on_goes_with_it(tmp_path):
    run, folder = tmp_path / "run", tmp_path / "bundled"
    run.mkdir()
    small_model().save(run / "model.keras")
    (run / "model.yaml").write_text(INFO)
    TrainingRecord.of([RecordEntry(bytes(16), "val")]).save(run)
    bundle_model(run, folder)
    assert load_record(folder).find(bytes(16)) == 1
    (run / RECORD_FILE).unlink()
    bundle_model(run, folder)
    assert load_record(folder) is None


def test_only_runs_are_bundled_and_not_into_themselves(tmp_path):
    small_model().save(tmp_path / "model.keras")
    (tmp_path / "model.yaml").write_text(INFO)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="the run itself"):
        bundle_model(tmp_path, tmp_path / "link")
    with pytest.raises(InputError, match="model folder"):
        bundle_model(tmp_path / "nothing", tmp_path / "there")
    assert not (tmp_path / "there").exists()
