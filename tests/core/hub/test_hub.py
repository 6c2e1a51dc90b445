"""Models by name from a hub, and folders to upload to one."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

import classify
import segment
from segment.bundled import BUNDLED
from segment.core.cli.options import parse_model
from segment.core.errors import InputError
from segment.core.hub.download import model_folder
from segment.core.hub.upload_folder import card, export_for_hub
from segment.core.model.folder import OPENVINO_FILES, check_files, load_model_info
from tests.core.hub.server import COMMIT, hub_of

pytestmark = pytest.mark.heavy

UNREACHABLE = "http://127.0.0.1:9"


def point_to(monkeypatch, address):
    """As the environment variable HF_ENDPOINT does, which is read on import."""
    template = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + template)


@pytest.fixture(scope="module")
def upload(tmp_path_factory):
    """The bundled model as it is uploaded, with a file beside it that is not part of it."""
    folder = export_for_hub(BUNDLED, tmp_path_factory.mktemp("hub") / "upload").path
    (folder / "notes.pkl").write_bytes(b"not to be downloaded")
    return folder


@pytest.fixture
def hub(tmp_path, upload, monkeypatch):
    """Serves folders; the cache is empty at first."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    folders = {"them/other": tmp_path / "other"}
    folders["them/other"].mkdir()
    (folders["them/other"] / "pytorch_model.bin").write_bytes(b"no model of ours")
    folders["us/land-cover"] = upload
    with hub_of(folders) as (address, asked):
        point_to(monkeypatch, address)
        yield asked


@pytest.mark.parametrize("name", ["us/land-cover", "us/land-cover@main", f"us/land-cover@{COMMIT}"])
def test_a_model_is_downloaded_by_its_name(hub, name):
    folder = model_folder(f"hf://{name}")
    info = load_model_info(folder)
    assert info.class_table.names == load_model_info(BUNDLED).class_table.names
    check_files(folder, info, OPENVINO_FILES)
    assert not any("notes.pkl" in request for request in hub)
    assert not (folder / "notes.pkl").exists()


def test_the_cache_serves_without_a_connection(hub, monkeypatch):
    first = model_folder("hf://us/land-cover")
    point_to(monkeypatch, UNREACHABLE)
    assert model_folder("hf://us/land-cover") == first


def test_what_is_in_the_cache_is_not_downloaded_again(hub):
    model_folder("hf://us/land-cover")
    hub.clear()
    model_folder("hf://us/land-cover")
    assert not any(request.startswith("GET") and "resolve" in request for request in hub)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody/nothing", "the hub has no such model"),
        ("us/land-cover@v9", "no revision v9"),
        ("them/other", "holds no model.yaml"),
        ("us", "are named hf://OWNER/NAME"),
        ("a/b/c", "are named hf://OWNER/NAME"),
        ("../../etc", "are named hf://OWNER/NAME"),
        ("-us-/--x", "no valid name"),
    ],
)
def test_a_wrong_name_is_an_error_of_one_line(hub, name, message):
    with pytest.raises(InputError, match=message) as error:
        model_folder(f"hf://{name}")
    assert "\n" not in str(error.value)


def test_without_a_connection_and_cache_it_is_reported(hub, monkeypatch):
    point_to(monkeypatch, UNREACHABLE)
    with pytest.raises(InputError, match="cannot be reached"):
        model_folder("hf://us/land-cover")


def test_paths_stay_paths(tmp_path):
    assert model_folder(str(tmp_path)) == tmp_path
    assert model_folder(tmp_path / "hf:") == tmp_path / "hf:"


def test_the_card_states_what_the_model_folder_does():
    info = load_model_info(BUNDLED)
    text = card(info)
    _, metadata, body = text.split("---\n", 2)
    assert yaml.safe_load(metadata)["pipeline_tag"] == "image-segmentation"
    for name in info.class_table.names:
        assert name in body
    assert f"| {info.scores['test']['mean_jaccard']:.3f} |" in body


@pytest.mark.slow
def test_the_folder_is_a_model_folder_and_is_not_overwritten(tmp_path):
    export = export_for_hub(BUNDLED, tmp_path / "upload")
    assert 10 < export.megabytes < 40
    check_files(export.path, load_model_info(export.path), ["model.keras", *OPENVINO_FILES])
    with pytest.raises(InputError, match="exists. Add --overwrite"):
        export_for_hub(BUNDLED, tmp_path / "upload")
    export_for_hub(BUNDLED, tmp_path / "upload", overwrite=True)


def test_models_are_loaded_by_name_from_python_and_commands(hub):
    assert segment.load_model("hf://us/land-cover").info.task == "segment"
    assert classify.load_model(Path("hf://us/land-cover")).info.task == "segment"
    assert parse_model("hf://us/land-cover") == model_folder("hf://us/land-cover")
    with pytest.raises(InputError, match="no such model"):
        segment.predict_scene("scene.tif", "hf://nobody/nothing")


@pytest.mark.slow
@pytest.mark.parametrize("package", [segment, classify])
def test_both_packages_export_for_a_hub(package, tmp_path):
    bundled = import_module(f"{package.__name__}.bundled").BUNDLED
    made = package.export_model(bundled, "hub", output=tmp_path / "upload")
    assert made.path == tmp_path / "upload" and "to upload to a hub" in str(made)
    with pytest.raises(InputError, match="--int8 is for --format openvino"):
        package.export_model(bundled, "hub", int8=tmp_path)
