"""What a network computes is what numpy computes, however its file puts it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.special import expit, softmax

from segment.core.errors import InputError
from segment.core.onnx_models.loading import (
    choose_runtime,
    identify,
    load_model,
    load_model_info,
    model_checksums,
)
from tests.core.onnx_models.graphs import NAMES, deepness, logits_of, write_onnx

EDGE = 64


def pixels(bands: int = 3, count: int = 2, dtype: str = "uint8") -> np.ndarray:
    random = np.random.default_rng(1)
    if dtype == "float32":
        return random.random((count, EDGE, EDGE, bands), np.float32)
    top = np.iinfo(dtype).max + 1
    return random.integers(0, top, (count, EDGE, EDGE, bands)).astype(dtype)


def describe(file: Path, **stated: Any) -> Path:
    file.with_suffix(".yaml").write_text(yaml.safe_dump(stated))
    return file


@pytest.mark.parametrize("end", ["", "Softmax", "LogSoftmax"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("size", [None, EDGE])
def test_logits_and_probabilities_channels_first_and_last(tmp_path, end, last, size):
    file = write_onnx(tmp_path / "m.onnx", end=end, last=last, size=size, metadata=deepness())
    model, given = load_model(file), pixels()
    found = model.predict(given)
    np.testing.assert_allclose(found, softmax(logits_of(given / 255), axis=-1), atol=1e-4)
    info = model.info
    assert (info.bands, info.dtype, info.class_table.names) == (3, "uint8", NAMES)
    assert info.fixed_tile == (size is not None)
    assert ("softmax is taken" in " ".join(info.notes)) == (end != "Softmax")
    assert model.runtime == "openvino onnx"


@pytest.mark.parametrize("end", ["", "Sigmoid"])
@pytest.mark.parametrize("threshold", [None, 0.5, 0.2])
def test_one_channel_is_two_classes(tmp_path, end, threshold):
    more = {} if threshold is None else {"seg_thresh": threshold}
    metadata = deepness(["building"], **more)
    file = write_onnx(tmp_path / "m.onnx", channels=1, end=end, metadata=metadata)
    model, given = load_model(file), pixels()
    found, share = model.predict(given), expit(logits_of(given / 255, 1)[..., 0])
    assert model.info.class_table.names == ["background", "building"]
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-4)
    clear = np.abs(share - (threshold or 0.5)) > 1e-3
    np.testing.assert_array_equal(
        found.argmax(axis=-1)[clear], (share > (threshold or 0.5))[clear].astype(int)
    )
    if threshold != 0.2:
        np.testing.assert_allclose(found[..., 1], share, atol=1e-4)


def test_four_bands_with_mean_and_deviation(tmp_path):
    mean, std = [0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]
    metadata = deepness(standardization_mean=mean, standardization_std=std)
    file = write_onnx(tmp_path / "m.onnx", bands=4, metadata=metadata)
    given = pixels(4)
    expected = softmax(logits_of((given / 255 - mean) / std), axis=-1)
    np.testing.assert_allclose(load_model(file).predict(given), expected, atol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_yaml_file_states_what_metadata_do_not(tmp_path, dtype):
    file = write_onnx(tmp_path / "m.onnx")
    top = 1.0 if dtype == "float32" else float(np.iinfo(dtype).max)
    classes = [
        {"name": n, "color": f"#0000{9 * i:02X}", "value": 7 * i} for i, n in enumerate(NAMES)
    ]
    describe(file, classes=classes, dtype=dtype, range=[0, top], mean=[0.5], gsd=[0.1, 0.4])
    model, given = load_model(file), pixels(dtype=dtype)
    expected = softmax(logits_of(given / top - 0.5), axis=-1)
    np.testing.assert_allclose(model.predict(given), expected, atol=1e-4)
    assert [c.value for c in model.info.class_table.classes] == [0, 7, 14, 21, 28]
    assert model.info.ground_sampling_range == (0.1, 0.4)
    assert model.info.ground_sampling_distance == pytest.approx(0.2)


def test_the_yaml_file_comes_before_metadata(tmp_path):
    metadata = deepness(["wrong"] * 7, resolution="unreadable", standardization_mean=[9, 9])
    file = write_onnx(tmp_path / "m.onnx", metadata=metadata)
    describe(file, classes=NAMES, gsd=0.3, range=[0, 1], name="mine")
    model, given = load_model(file), pixels()
    expected = softmax(logits_of(given), axis=-1)
    np.testing.assert_allclose(model.predict(given), expected, atol=1e-3)
    assert model.info.name == "mine" and model.info.ground_sampling_range == (0.3, 0.3)


def test_metadata_as_python_literals_and_lists(tmp_path):
    metadata = {"names": str(dict(enumerate(NAMES))), "resolution": "25", "tiles_size": "128"}
    info = load_model_info(write_onnx(tmp_path / "m.onnx", metadata=metadata))
    assert info.class_table.names == NAMES
    assert (info.tile, info.fixed_tile, info.ground_sampling_distance) == (128, True, 0.25)


def test_the_tile_of_the_graph_comes_before_that_of_metadata(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", size=EDGE, metadata=deepness(tile_size=512))
    info = load_model_info(file)
    assert (info.tile, info.fixed_tile) == (EDGE, True)
    assert "state tiles of 512 pixels, it takes 64" in " ".join(info.notes)


def test_names_of_files_in_any_script(tmp_path):
    file = write_onnx(tmp_path / "modèle 模型.onnx", metadata=deepness())
    assert load_model_info(file).name == "modèle 模型.onnx"


def test_a_network_of_whole_numbers_takes_pixels_as_they_are(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", element="UINT8")
    given = pixels()
    expected = softmax(logits_of(given / 255), axis=-1)
    np.testing.assert_allclose(load_model(file).predict(given), expected, atol=1e-4)


def test_class_numbers_are_votes(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", channels=1, end="above")
    model, given = load_model(describe(file, classes=NAMES[:2], range=[0, 255])), pixels()
    found = model.predict(given)
    assert set(np.unique(found)) == {0, 1}
    same = found[..., 1] == (logits_of(given / 255, 1)[..., 0] > 0)
    assert same.mean() > 0.999  # a logit may round to 0
    assert "without probabilities" in " ".join(model.info.notes)
    unlabelled = {"name": "unlabelled", "color": "#FFFFFF", "ignore": True}
    describe(file, classes=[NAMES[0], unlabelled, NAMES[1]], range=[0, 255])
    np.testing.assert_array_equal(load_model(file).predict(given), found)
    describe(file, classes=NAMES[:1], range=[0, 255])
    with pytest.raises(InputError, match="beyond the stated 1. State all"):
        load_model(file).predict(given)


@pytest.mark.parametrize("last", [False, True])
def test_an_argmax_at_the_end_is_left_out(tmp_path, last):
    file = write_onnx(tmp_path / "m.onnx", end="argmax", last=last, metadata=deepness())
    model, given = load_model(file), pixels()
    expected = softmax(logits_of(given / 255), axis=-1)
    np.testing.assert_allclose(model.predict(given), expected, atol=1e-4)
    assert "argmax at its end is left out" in " ".join(model.info.notes)


def test_several_labels_per_pixel_give_the_highest(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", end="Sigmoid", metadata=deepness())
    model, given = load_model(file), pixels()
    found, expected = model.predict(given), expit(logits_of(given / 255))
    np.testing.assert_array_equal(found.argmax(axis=-1), expected.argmax(axis=-1))
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-4)
    assert "several labels" in " ".join(model.info.notes)


def test_a_smaller_output_is_enlarged(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", reduction=4, size=EDGE, metadata=deepness())
    model, given = load_model(file), np.full((1, EDGE, EDGE, 3), 200, np.uint8)
    expected = softmax(logits_of(given / 255), axis=-1)
    np.testing.assert_allclose(model.predict(given), expected, atol=1e-4)
    assert "4 times smaller" in " ".join(model.info.notes)


def test_of_several_outputs_one_is_used(tmp_path):
    write = {"end": "Softmax", "extra_output": True, "metadata": deepness()}
    file, given = write_onnx(tmp_path / "m.onnx", **write), pixels()
    assert "Of its outputs" in " ".join(load_model_info(file).notes)
    describe(file, output="Conv_0")
    info = load_model_info(file)
    assert "Of its outputs" not in " ".join(info.notes) and "logits" in " ".join(info.notes)
    np.testing.assert_allclose(
        load_model(file).predict(given), softmax(logits_of(given / 255), axis=-1), atol=1e-4
    )
    describe(file, output="nothing")
    with pytest.raises(InputError, match="no output is called 'nothing'"):
        load_model(file)


def test_threads_and_cores_change_nothing(tmp_path):
    file, given = write_onnx(tmp_path / "m.onnx", metadata=deepness()), pixels(count=5)
    together = load_model(file).predict(given)
    alone = load_model(file, cores=1)
    np.testing.assert_array_equal(
        together, np.concatenate([alone.predict(one[None]) for one in given])
    )


def test_identity_follows_the_content_of_all_files(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness())
    first, text = load_model(file).identity, file.read_bytes()
    assert identify(file, "openvino") == (first, "openvino onnx")
    file.write_bytes(text)  # another time
    assert load_model(file).identity == first
    describe(file, gsd=0.5)
    second = load_model(file).identity
    assert second != first and set(model_checksums(file, "openvino")) == {"m.onnx", "m.yaml"}
    write_onnx(file, end="Softmax", metadata=deepness())
    assert load_model(file).identity not in (first, second)


def test_weights_outside_the_file_belong_to_it(tmp_path):
    onnx = pytest.importorskip("onnx")
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness() | {"location": "Dubai"})
    network, given = onnx.load(file), pixels()
    expected = load_model(file).predict(given)
    onnx.save(network, file, save_as_external_data=True, location="m.onnx.data", size_threshold=10)
    np.testing.assert_array_equal(load_model(file).predict(given), expected)
    assert set(model_checksums(file, "openvino")) == {"m.onnx", "m.onnx.data"}
    (tmp_path / "m.onnx.data").rename(tmp_path / "else")
    with pytest.raises(InputError, match="weights are in 'm.onnx.data', which is not beside"):
        load_model(file)
    for name in ("../else", "/etc/passwd", "a/../../else"):
        for tensor in network.graph.initializer:
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.ClearField("raw_data")
            del tensor.external_data[:]
            tensor.external_data.add(key="location", value=name)
        file.write_bytes(network.SerializeToString())
        with pytest.raises(InputError, match="outside of its folder"):
            load_model(file)


def test_runtime_and_features_are_those_of_openvino(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness())
    assert choose_runtime(file, "auto") == choose_runtime(file, "openvino") == "openvino"
    with pytest.raises(InputError, match="computed by openvino, not keras"):
        load_model(file, "keras")
    with pytest.raises(InputError, match="features"):
        load_model(file, features=True)


def test_a_description_comes_before_all_metadata(tmp_path):
    own = {"gsd": [0.2, 0.5], "resample_to": 0.25, "band_names": ["red", "green", "nir"]}
    metadata = deepness(resolution=30, aerial_segment=own | {"later": 1})
    file = write_onnx(tmp_path / "m.onnx", metadata=metadata)
    info = load_model_info(file)
    assert info.ground_sampling_range == (0.2, 0.5) and info.ground_sampling_distance == 0.25
    assert info.wanted_bands.names == ("red", "green", "nir")
    assert "Not used of its metadata: later." in info.notes
    file.with_suffix(".yaml").write_text("gsd: [1, 4]\nband_names: [a, b, c]\n")
    info = load_model_info(file)
    assert info.ground_sampling_range == (1, 4) and info.ground_sampling_distance == 2
    assert info.band_names == ["a", "b", "c"]
