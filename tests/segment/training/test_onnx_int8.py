"""ONNX files of others in int8, scored on tiles, and given to commands."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import segment
from segment.bundled import BUNDLED
from segment.core.choices import ExportFormat
from segment.core.errors import InputError
from segment.core.model.folder import load_keras_model
from segment.core.onnx_models.loading import load_model_info
from segment.core.progress import Silent
from segment.training.onnx_export import onnx_metadata, pixel_scale, save_onnx
from tests.conftest import two_class_scene, write_raster
from tests.core.onnx_models.graphs import deepness

pytestmark = pytest.mark.heavy


def network(file: Path, size: int | None = None) -> Path:
    """Water where the third band is brighter than the first, with two convolutions more."""
    onnx = pytest.importorskip("onnx")
    helper, array, types = onnx.helper, onnx.numpy_helper.from_array, onnx.TensorProto
    first = np.zeros((4, 3, 3, 3), np.float32)
    first[0, 0, 1, 1] = first[1, 2, 1, 1] = 1
    last = np.zeros((2, 4, 1, 1), np.float32)
    last[0, :2, 0, 0], last[1, :2, 0, 0] = (20, -20), (-20, 20)
    middle = np.eye(4, dtype=np.float32)[:, :, None, None]
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "middle"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "last"], ["classes"]),
    ]
    shape = ["batch", 3, size or "rows", size or "columns"]
    graph = helper.make_graph(
        nodes,
        "water",
        [helper.make_tensor_value_info("image", types.FLOAT, shape)],
        [helper.make_tensor_value_info("classes", types.FLOAT, None)],
        [array(first, "first"), array(middle, "middle"), array(last, "last")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    texts = {key: json.dumps(value) for key, value in deepness(["land", "water"]).items()}
    helper.set_model_props(model, texts)
    onnx.save(model, file)
    return file


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("size", [None, 64])
def test_int8_is_scored_written_and_used(tile_folder, tmp_path, size):
    file, tiles = network(tmp_path / "water.onnx", size), tile_folder(groups=3, count=3)
    exact, given = segment.load_model(file), two_class_scene(64, 64, 7)[0][None]
    result = segment.export_model(file, int8=tiles)
    assert result.path == tmp_path / "water_openvino"
    assert sorted(p.name for p in result.path.iterdir()) == [
        "export.yaml",
        "model.bin",
        "model.xml",
    ]
    assert result.openvino.scores["onnx"]["accuracy"] > 0.95
    fall = result.openvino.scores["onnx"]["accuracy"] - result.openvino.scores["int8"]["accuracy"]
    assert abs(fall) < 0.02
    assert "onnx" in str(result) and "points" in str(result)
    model = segment.load_model(file)
    assert (model.runtime, exact.runtime) == ("openvino int8", "openvino onnx")
    assert model.identity != exact.identity and load_model_info(file).openvino.precision == "int8"
    kinds = {op.get_type_name() for op in model._network.get_ops()}
    assert "FakeQuantize" in kinds
    same = model.predict(given).argmax(axis=-1) == exact.predict(given).argmax(axis=-1)
    assert same.mean() > 0.98
    with pytest.raises(InputError, match="exists"):
        segment.export_model(file, int8=tiles)
    before = tree(tmp_path)
    file.with_suffix(".yaml").write_text("gsd: 0.3\n")
    with pytest.raises(InputError, match=r"water.onnx or its description differed\. Delete"):
        segment.load_model(file)
    segment.export_model(file, int8=tiles, overwrite=True)
    assert load_model_info(file).ground_sampling_range == (0.3, 0.3)
    (result.path / "model.bin").write_bytes(before["water_openvino/model.bin"][:-1] + b"x")
    with pytest.raises(InputError, match="damaged or was exchanged"):
        segment.load_model(file)


@pytest.mark.parametrize("form", ["openvino", "onnx"])
def test_other_exports_of_onnx_files_are_refused(tmp_path, tile_folder, form: ExportFormat):
    file = network(tmp_path / "water.onnx")
    with pytest.raises(InputError, match="computes as it is. Add --int8 TILES"):
        segment.export_model(file, form, int8=tile_folder() if form == "onnx" else None)
    assert not (tmp_path / "water_openvino").exists()


def test_tiles_are_scored_and_notes_are_printed(tmp_path, tile_folder):
    lines: list[str] = []

    class Lines(Silent):
        def say(self, line: str) -> None:
            lines.append(line)

    file = network(tmp_path / "water.onnx")
    scores = segment.evaluate(tile_folder(), file, tmp_path / "scores", progress=Lines())
    assert scores.mean_jaccard > 0.9
    assert any(line.startswith("note: An ONNX file does not hold what") for line in lines)


def test_our_own_onnx_files_are_models_too(tmp_path):
    file = segment.export_model(BUNDLED, "onnx", output=tmp_path / "own.onnx").path
    ours, found = segment.load_model(BUNDLED, "keras"), segment.load_model(file)
    edge = found.info.tile
    given = np.random.default_rng(0).integers(0, 255, (1, edge, edge, 3), np.uint8)
    np.testing.assert_allclose(found.predict(given), ours.predict(given), atol=2e-3)
    assert found.info.class_table.names == ours.info.class_table.names
    assert found.info.preprocess == ours.info.preprocess


def test_a_trained_network_maps_the_same_classes_in_int8(tmp_path):
    pytest.importorskip("tf2onnx")
    info, edge = load_model_info(BUNDLED), 256
    texts = onnx_metadata(info) | {"tile_size": str(edge), "tiles_size": str(edge)}
    file, scene = tmp_path / "town.onnx", tmp_path / "town" / "scene.tif"
    save_onnx(load_keras_model(BUNDLED), file, edge, pixel_scale(info), texts)
    segment.write_sample(scene.parent, 768, 768, seed=3)
    segment.cut_scene(scene, scene.with_name("truth.tif"), tmp_path / "tiles", edge)
    exact = segment.predict_window(scene, file, 0, 0, 300, 500)
    scores = segment.export_model(file, int8=tmp_path / "tiles").openvino.scores
    assert scores["onnx"]["mean_jaccard"] - scores["int8"]["mean_jaccard"] < 0.02
    rounded = segment.predict_window(scene, file, 0, 0, 300, 500)
    assert 0.97 < (rounded == exact).mean() < 1
    assert len(np.unique(exact)) >= 4


def test_the_command_maps_and_reports_in_one_line(tmp_path):
    file = network(tmp_path / "water.onnx")
    scene = write_raster(tmp_path / "scene.tif", two_class_scene(90, 70)[0])
    code = "import segment.cli; segment.cli.predict()"
    words = [sys.executable, "-c", code, str(scene), "--model", str(file), "--output"]
    done = subprocess.run([*words, tmp_path / "out"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "scene_classes.tif").is_file()
    file.write_bytes(file.read_bytes()[:200])
    done = subprocess.run([*words, tmp_path / "new"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "not an ONNX file, or cut off" in done.stderr and not (tmp_path / "new").exists()
