"""Maps of ONNX files: each pixel has the class that numpy computes, whatever the tiles."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

import segment
from segment.core.errors import InputError
from segment.core.onnx_models import onnx_model
from tests.conftest import write_raster
from tests.core.onnx_models.graphs import NAMES, deepness, logits_of, write_onnx


def write_scene(path: Path, bands: int = 3) -> tuple[Path, np.ndarray]:
    pixels = np.random.default_rng(3).integers(1, 256, (301, 215, bands)).astype(np.uint8)
    pixels[30:60, :50] = 0
    return write_raster(path, pixels, nodata=0, photometric="MINISBLACK"), pixels


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"end": "Softmax", "size": 64},
        {"bands": 4, "last": True},
        {"channels": 1, "end": "Sigmoid"},
        {"end": "argmax", "size": 96},
        {"channels": 1, "end": "above"},
    ],
)
def test_a_map_holds_the_classes_of_the_network(tmp_path, options):
    channels = options.get("channels", 5)
    metadata = deepness(["other", "building"] if channels == 1 else NAMES, resolution=30)
    file = write_onnx(tmp_path / "m.onnx", metadata=metadata, **options)
    scene, pixels = write_scene(tmp_path / "scene.tif", options.get("bands", 3))
    result = segment.predict_scene(scene, file, tmp_path / "out")
    logits = logits_of(pixels / 255, channels)
    expected = logits[..., 0] > 0 if channels == 1 else logits.argmax(axis=-1)
    found, valid = read(result.classes), pixels.any(axis=2)
    assert (found[~valid] == 255).all()
    assert (found == expected)[valid].mean() > 0.999  # two logits may round to the same
    notes = " ".join(result.report["notes"])
    assert "An ONNX file does not hold what" in notes and result.report["unfamiliar"] is None
    assert result.report["runtime"] == "openvino onnx"
    window = segment.predict_window(scene, file, 40, 20, 100, 90)
    assert (window == found[40:140, 20:110]).all()


def test_scenes_are_resampled_to_the_stated_resolution(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness(resolution=60))
    scene, _ = write_scene(tmp_path / "scene.tif")  # pixels of 30 cm
    notes = segment.predict_scene(scene, file, tmp_path / "out").report["notes"]
    assert any("it sees the scene at 0.6 m" in note for note in notes)
    as_it_is = segment.predict_scene(scene, file, tmp_path / "plain", resample=False)
    assert not any("it sees the scene at" in note for note in as_it_is.report["notes"])


def test_a_reference_is_scored_and_what_was_trained_on_is_not_known(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness())
    scene, pixels = write_scene(tmp_path / "scene.tif")
    classes = logits_of(pixels / 255).argmax(axis=-1).astype(np.uint8)
    truth = write_raster(tmp_path / "truth.tif", classes[..., None])
    report = segment.predict_scene(scene, file, tmp_path / "out", truth=truth).report
    assert report["accuracy"] > 0.999 and report["trained_on"] is None
    assert any("may have been trained on this scene" in note for note in report["notes"])


def test_a_stopped_map_goes_on_and_a_finished_one_is_known(tmp_path, monkeypatch):
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness())
    scene, _ = write_scene(tmp_path / "scene.tif")
    options = {"tile": 64, "overlap": 0.4, "batch_size": 1}
    whole = segment.predict_scene(scene, file, tmp_path / "whole", **options)
    predict, counts = onnx_model.OnnxModel.predict, [0]

    def stop(self: onnx_model.OnnxModel, pixels: np.ndarray) -> np.ndarray:
        counts[0] += 1
        if counts[0] == 25:
            raise KeyboardInterrupt
        return predict(self, pixels)

    monkeypatch.setattr(onnx_model.OnnxModel, "predict", stop)
    with pytest.raises((KeyboardInterrupt, InputError)):
        segment.predict_scene(scene, file, tmp_path / "parts", **options)
    counts[0] = 100
    parts = segment.predict_scene(scene, segment.load_model(file), tmp_path / "parts", **options)
    for name in ("scene_classes.tif", "scene_mask.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert parts.report["made_of"] == whole.report["made_of"]
    again = segment.predict_scene(scene, file, tmp_path / "parts", **options)
    assert again.report["notes"][-1] == "The files existed already; nothing was computed."
    file.with_suffix(".yaml").write_text("threshold: 0.4\nname: other\n")
    with pytest.raises(InputError, match="exists"):
        segment.predict_scene(scene, file, tmp_path / "parts", **options)


def test_a_scene_that_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", bands=4, metadata=deepness())
    scene, _ = write_scene(tmp_path / "scene.tif")
    with pytest.raises(InputError, match="the model maps 4 bands of uint8. Received 3 bands"):
        segment.predict_scene(scene, file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_folder_is_asked_for_where_only_that_will_do(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness())
    with pytest.raises(InputError, match="ONNX files are taken by segment-predict"):
        segment.explore(tmp_path, tmp_path / "out", model=file)


def test_a_damaged_export_is_not_used(tmp_path):
    file = write_onnx(tmp_path / "m.onnx", metadata=deepness())
    folder = tmp_path / "m_openvino"
    folder.mkdir()
    (folder / "export.yaml").write_text(json.dumps({"openvino": {"precision": "int8"}}))
    with pytest.raises(InputError, match="m_openvino: is damaged or not complete. Delete"):
        segment.load_model(file)
