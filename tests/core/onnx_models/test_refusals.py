"""What cannot be used is refused in one line, which says what to do."""

from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import yaml

from segment.bundled import BUNDLED
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info as load_folder_info
from segment.core.model.folder import save_model_info
from segment.core.model.weight_files import checksum
from segment.core.onnx_models.loading import load_model_info
from tests.core.onnx_models.graphs import NAMES, deepness, write_onnx

SCALE = {"low": [0] * 3, "high": [9] * 3, "dtype": "uint16", "origin": "the agency"}


def refused(file: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load_model_info(file)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(file.parent))


@pytest.mark.parametrize("content", [b"", b"hello, this is no network\n" * 40, bytes(range(256))])
def test_files_that_are_no_onnx(tmp_path, content, capfd):
    file = tmp_path / "m.onnx"
    file.write_bytes(content)
    refused(file, "not an ONNX file, or cut off")
    assert capfd.readouterr() == ("", "")


def test_a_file_that_was_cut_off(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness())
    whole = file.read_bytes()
    for length in range(10, len(whole), 37):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError):
            load_model_info(file)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="not UTF-8"):
        load_model_info(tmp_path / "\udcff.onnx")
    refused(tmp_path / "m.onnx", "there is no such file")
    (tmp_path / "m.onnx").mkdir()
    refused(tmp_path / "m.onnx", "is a folder")


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"classes": ["a", "b"]}, "2 classes are stated, but the network has 5"),
        ({"classes": ["a", "b", "c", "d", "A"]}, "Several classes have the name 'a'"),
        ({"classes": ["a", "b", "c", "d", "\n"]}, "a class cannot be called"),
        ({"bands": 4}, "stated are 4 bands"),
        ({"mean": [0.1, 0.2]}, "mean has 2 values"),
        ({"mean": [123.7, 116.3, 103.5]}, "range"),
        ({"std": [0, 1, 1]}, "std"),
        ({"range": [255, 0]}, "second value has to be above"),
        ({"activation": "none"}, "output is .*, not 0 to 1"),
        ({"tile": 0}, "tile"),
        ({"clases": ["a"]}, "clases.*classes"),
        ({"gsd": -1}, "gsd"),
        ({"resample_to": 0.5}, "resample_to is stated without gsd"),
        ({"band_names": ["red", "green"]}, "band_names is for 2 bands, but the network has 3"),
        ({"scale": SCALE | {"low": [0], "high": [9]}}, "scale is for 1 bands, but the network"),
        ({"scale": SCALE, "range": [0, 65535]}, "scale brings pixels to uint8, .* takes uint16"),
        ({"scale": SCALE | {"low": [9] * 3}}, "scale"),
    ],
)
def test_statements_that_do_not_fit(tmp_path, stated: dict[str, Any], words):
    file = write_onnx(tmp_path / "m.onnx")
    given = {} if "mean" in stated or "std" in stated else {"range": [0, 255]}
    file.with_suffix(".yaml").write_text(yaml.safe_dump(given | stated))
    refused(file, words)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, r"normalised is stated neither .* Write range: \[0, 255\]"),
        ({"model_type": "Detector"}, "'Detector', but maps need a Segmentor"),
        (deepness(NAMES[:3]), "3 classes are stated, but the network has 5"),
        (
            deepness(standardization_std=[58.4, 57.1, 57.4]),
            "standardization_std is .58.4, 57.1, 57.4",
        ),
        (deepness(seg_thresh=90), "seg_thresh is 90, which cannot be read. State threshold"),
        (deepness(seg_thresh="NaN"), "seg_thresh is nan"),
        (deepness(aerial_segment="yes"), "its metadata aerial_segment cannot be read"),
        (deepness(aerial_segment={"band_names": 3}), "its metadata band_names is 3"),
        (deepness(aerial_segment={"classes": [{"name": "a"}]}), "its metadata classes is"),
        ({"class_names": '{"0": "a", "2": "b"}'}, "class_names is .* State classes in m.yaml"),
        ({"class_names": "a, b"}, "class_names"),
        (deepness(resolution="ten"), "resolution is 'ten'.* State gsd in m.yaml"),
        (deepness(resolution=-3), "resolution"),
        (deepness(resolution="NaN"), "resolution"),
        (deepness(standardization_std=[0, 0, 0]), "standardization_std"),
        (deepness(tile_size="[" * 5000), "tile_size"),
        (deepness(standardization_mean=[123.7, 116.3, 103.5]), "State mean in"),
        (deepness(standardization_mean=[0.5] * 4), "mean has 4 values, but the network has 3"),
    ],
)
def test_metadata_that_do_not_fit(tmp_path, metadata, words):
    refused(write_onnx(tmp_path / "m.onnx", metadata=metadata), words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"extra_input": True}, "has 2 inputs"),
        ({"end": "GlobalAveragePool"}, "gives no class to each pixel"),
        ({"element": "BOOL"}, "no pixels are"),
        ({"element": "INT8"}, "type i8, which no pixels are. Export float32"),
        ({"reduction": 16}, "gives no class to each pixel"),
        ({"channels": 1, "end": "above"}, "how many there are is not stated"),
    ],
)
def test_networks_of_another_kind(tmp_path, options, words):
    metadata = {"model_type": "Segmentor"}
    refused(write_onnx(tmp_path / "m.onnx", metadata=metadata, **options), words)


def graph(file: Path, shape: list[Any], kind: str = "Relu", domain: str = "") -> Path:
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node(kind, ["x"], ["y"], domain=domain)
    ends = [helper.make_tensor_value_info(name, number, shape) for name in ("x", "y")]
    opsets = [helper.make_opsetid(name, 13) for name in ("", domain) if name == "" or domain]
    made = helper.make_model(
        helper.make_graph([node], "g", ends[:1], ends[1:]), opset_imports=opsets, ir_version=8
    )
    onnx.save(made, file)
    return file


def test_axes_that_are_no_image(tmp_path):
    described = tmp_path / "m.yaml"
    described.write_text("range: [0, 255]\n")
    refused(graph(tmp_path / "m.onnx", [1, 3, 8, 64, 64]), "a batch of images has four axes")
    refused(graph(tmp_path / "m.onnx", [1, 3, 64, 96]), "tiles of 64 rows and 96 columns")
    refused(graph(tmp_path / "m.onnx", ["a", "b", "c", "d"]), "does not show which axis")
    described.write_text("range: [0, 255]\nlayout: channels_first\nbands: 3\n")
    assert load_model_info(graph(tmp_path / "m.onnx", ["a", "b", "c", "d"])).bands == 3
    described.write_text("range: [0, 255]\ntile: 128\n")
    refused(graph(tmp_path / "m.onnx", [1, 3, 64, 64]), "tiles of 128 pixels, but .* takes 64")


def test_operations_of_others(tmp_path):
    file = graph(tmp_path / "m.onnx", [1, 3, 64, 64], "Magic", "my.own")
    refused(file, "does not know its operations my.own.Magic")


def test_constants_larger_than_memory(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    size = onnx.numpy_helper.from_array(np.array([1, 3, 10**6, 10**7]), "size")
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["one"], keepdims=0),
        helper.make_node("Add", ["x", "one"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(n, types.FLOAT, [1, 3, 64, 64]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [size])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    (tmp_path / "m.yaml").write_text("range: [0, 255]\n")
    refused(tmp_path / "m.onnx", "OpenVINO cannot use it: .*bad_alloc")


def test_numbers_of_classes_that_maps_do_not_hold(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    node = helper.make_node("Concat", ["x"] * 100, ["y"], axis=1)
    ends = [helper.make_tensor_value_info(n, types.FLOAT, None) for n in ("x", "y")]
    ends[0] = helper.make_tensor_value_info("x", types.FLOAT, [1, 3, 32, 32])
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    (tmp_path / "m.yaml").write_text("range: [0, 255]\n")
    refused(tmp_path / "m.onnx", "300 channels, maps have at most 255")


@pytest.mark.heavy
def test_the_export_of_a_model_folder_is_the_file_that_was_written(tmp_path):
    folder = tmp_path / "run"
    copytree(BUNDLED, folder)
    file = write_onnx(folder / "model.onnx", metadata=deepness())
    assert load_model_info(file).class_table.names == NAMES, "model.yaml does not describe it"
    info = load_folder_info(folder)
    for wanted in (checksum(file), "0" * 64):
        listed = info.checksums | {file.name: wanted}
        save_model_info(folder, info.model_copy(update={"checksums": listed}))
        if wanted == checksum(file):
            assert load_model_info(file).bands == 3
    with pytest.raises(InputError, match=r"model.onnx: is damaged.*--format onnx --overwrite"):
        load_model_info(file)
