"""ONNX files beside model folders, among which visitors choose."""

from pathlib import Path
from shutil import copytree

import pytest

from segment.app.jobs.models import OfferedModels
from segment.bundled import BUNDLED
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
    named = OfferedModels(write_onnx(tmp_path / "bundled.onnx", metadata=deepness()))
    assert named.names("segment") == ["bundled", "bundled.onnx"]
    (tmp_path / "other.onnx").write_text("no network")
    with pytest.raises(InputError, match="other.onnx: not an ONNX file"):
        OfferedModels(tmp_path)


def test_a_folder_that_is_named_bundled_does_not_replace_the_bundled_model(tmp_path):
    own = tmp_path / "bundled"
    copytree(BUNDLED, own)
    offered = OfferedModels(tmp_path)
    assert offered.names("segment") == ["bundled", "bundled (own)"]
    assert offered.folder("segment", "bundled") == BUNDLED
    assert offered.folder("segment", "bundled (own)") == own


def test_links_to_folders_of_one_name_are_two_models(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    for town in ("dubai", "lima"):
        copytree(BUNDLED, tmp_path / town / "model")
        (tmp_path / "models" / town).symlink_to(tmp_path / town / "model")
    offered = OfferedModels(tmp_path / "models")
    assert offered.names("segment") == ["bundled", "dubai", "lima"]
    assert offered.folder("segment", "lima").resolve() == tmp_path / "lima" / "model"
    assert OfferedModels(tmp_path / "models" / "lima").names("segment")[1:] == ["lima"]
    monkeypatch.chdir(tmp_path / "dubai" / "model")
    assert OfferedModels(Path()).names("segment")[1:] == ["model"]
