"""ONNX files beside model folders, among which visitors choose."""

import pytest

from segment.app.jobs.models import OfferedModels
from segment.core.errors import InputError
from tests.core.onnx_models.graphs import deepness, write_onnx


def test_onnx_files_are_offered(tmp_path):
    file = write_onnx(tmp_path / "town.onnx", metadata=deepness())
    for given in (tmp_path, file):
        offered = OfferedModels(given)
        assert offered.names("segment") == ["bundled", "town.onnx"]
        assert offered.names("classify") == ["bundled"]
    model = offered.load("segment", "town.onnx")
    assert model is offered.load("segment", "town.onnx")
    assert model.info.name == "town.onnx" and model.runtime == "openvino onnx"
    (tmp_path / "other.onnx").write_text("no network")
    with pytest.raises(InputError, match="other.onnx: not an ONNX file"):
        OfferedModels(tmp_path)
