"""Model folders and weights that are damaged, exchanged, or larger than they look."""

import shutil
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import h5py
import keras
import numpy as np
import pytest
import yaml

from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model import weight_files
from segment.core.model.export import export_openvino
from segment.core.model.folder import (
    INFO_FILE,
    MODEL_FILE,
    load_keras_model,
    load_model_info,
    save_model_folder,
)
from segment.core.model.runtime import load_model
from segment.core.model.weight_files import checksum, require_small_zip, save_keras_model
from segment.core.networks.weight_sources import read_weights
from segment.core.progress import Silent
from segment.core.training.checkpoints import load_history
from tests.fakes import tiny_info

pytestmark = pytest.mark.heavy


TABLE = [Class(name="land", color="#804000"), Class(name="water", color="#0000FF")]
PIXELS = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def network(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((None, None, 3), dtype="uint8", name="pixels")
    x = keras.layers.Conv2D(2, 3, padding="same", name="logits")(
        keras.layers.Rescaling(1 / 255)(pixels)
    )
    return keras.Model(pixels, keras.layers.Softmax()(x))


def write(folder: Path, seed: int = 0) -> Path:
    folder.mkdir()
    info = tiny_info(task="segment", classes=TABLE, multiple=8)
    save_model_folder(folder, network(seed), info)
    export_openvino(folder, load_model_info(folder), Silent())
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two model folders of the same shapes."""
    folder = tmp_path_factory.mktemp("models")
    return [write(folder / name, seed) for seed, name in enumerate(("first", "second"))]


@pytest.fixture
def model(models: list[Path], tmp_path: Path) -> Path:
    return shutil.copytree(models[0], tmp_path / "run")


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "a flipped bit of the weights": lambda file, other: flip(file, 40),
    "a flipped bit of the end": lambda file, other: flip(file, -1),
    "cut off": lambda file, other: file.write_bytes(file.read_bytes()[:-16]),
    "longer": lambda file, other: file.write_bytes(file.read_bytes() + b"\0"),
    "empty": lambda file, other: file.write_bytes(b""),
    "that of another model": lambda file, other: shutil.copyfile(other, file),
}


@pytest.mark.parametrize("name", ["model.keras", "openvino/model.xml", "openvino/model.bin"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_not_the_one_that_was_written_is_refused(models, model, name, damage):
    other = models[1] / name
    # the same network: other weights lie in the .bin
    if name.endswith(".xml") and damage == "that of another model":
        other = models[1] / INFO_FILE
    DAMAGES[damage](model / name, other)
    with pytest.raises(InputError, match=rf"{name}: is damaged, or of another model") as error:
        load_model(model, "keras" if name == MODEL_FILE else "openvino")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["openvino/model.xml", "openvino/model.bin"])
def test_a_missing_file_is_reported_with_the_command_that_writes_it(model, name):
    (model / name).unlink()
    with pytest.raises(InputError, match="is missing.*segment-export .* --overwrite"):
        load_model(model)
    export_openvino(model, load_model_info(model), Silent(), overwrite=True)
    assert load_model(model).predict(PIXELS).shape == (1, 32, 32, 2)


def test_one_damaged_form_does_not_stop_the_other(model):
    expected = load_model(model, "keras").predict(PIXELS)
    flip(model / "openvino" / "model.bin", 8)
    assert (load_model(model, "keras").predict(PIXELS) == expected).all()


def test_models_without_checksums_load_with_a_note(model):
    content = yaml.safe_load((model / INFO_FILE).read_text())
    notes = Notes()
    load_model(model, progress=notes)
    assert not notes.lines
    only_keras = content | {"checksums": {MODEL_FILE: content["checksums"][MODEL_FILE]}}
    (model / INFO_FILE).write_text(yaml.safe_dump(only_keras, sort_keys=False))
    load_model(model, "keras", progress=notes)
    assert not notes.lines
    load_model(model, "openvino", progress=notes)
    assert (
        len(notes.lines) == 1
        and "no checksum of openvino/model.xml, openvino/model.bin" in notes.lines[0]
    )
    del content["checksums"]
    (model / INFO_FILE).write_text(yaml.safe_dump(content, sort_keys=False))
    load_model(model, "keras", progress=notes)
    assert len(notes.lines) == 2 and "no checksum of model.keras" in notes.lines[1]
    export_openvino(model, load_model_info(model), Silent(), overwrite=True)
    for runtime in ("keras", "openvino"):
        load_model(model, runtime, progress=notes)
    assert len(notes.lines) == 2


def test_a_model_yaml_edited_by_hand_still_works(model):
    text = (model / INFO_FILE).read_text()
    (model / INFO_FILE).write_text(text.replace("name: tiny", "name: renamed  # by hand"))
    assert load_model(model).info.name == "renamed"
    (model / INFO_FILE).write_text(text.replace("  model.keras: ", "  model.keras: 0"))
    with pytest.raises(InputError, match="model.keras.*String should match"):
        load_model(model)


def test_weights_that_are_not_finite_are_refused(tmp_path, model):
    for value in (np.nan, np.inf, -np.inf):
        broken = network()
        layer = broken.get_layer("logits")
        kernel, bias = layer.get_weights()
        bias[1] = value
        layer.set_weights([kernel, bias])
        folder = tmp_path / str(value)
        folder.mkdir()
        save_model_folder(folder, broken, load_model_info(model))
        with pytest.raises(InputError, match="logits/bias holds values that are not finite"):
            load_keras_model(folder)
        np.savez(tmp_path / "weights.npz", **{"logits/kernel": kernel, "logits/bias": bias})
        with pytest.raises(
            InputError, match="weights.npz.*logits holds values that are not finite"
        ):
            read_weights(
                str(tmp_path / "weights.npz"), None, network="tiny", setting="model.weights"
            )


@pytest.mark.parametrize(
    "error",
    [type("ResourceExhaustedError", (Exception,), {}), MemoryError, RecursionError, AttributeError],
)
def test_a_network_that_a_backend_cannot_build_is_a_fault_of_the_file(model, monkeypatch, error):
    def fail(*_, **__):
        raise error("OOM when allocating tensor with shape[7,7,3,64000000]")

    monkeypatch.setattr(keras.saving, "load_model", fail)
    problem = f"too large, too deeply nested or damaged .{error.__name__}.*Restore the file"
    with pytest.raises(InputError, match=problem):
        load_keras_model(model)


def test_training_does_not_start_from_a_damaged_model(model):
    read_weights(str(model / MODEL_FILE), None, network="tiny", setting="model.weights")
    save_keras_model(model / MODEL_FILE, network(2))
    with pytest.raises(InputError, match="model.keras: is damaged, or of another model"):
        read_weights(str(model / MODEL_FILE), None, network="tiny", setting="model.weights")


def h5_bomb(file: Path) -> None:
    with h5py.File(file, "w") as content:
        content.create_dataset("layers/a/vars/0", (2**20, 2**10), np.float32, chunks=(1, 2**10))


def keras_bombs(folder: Path) -> dict[str, Path]:
    """Small files that unpack to more than `MOST_BYTES`, or to a configuration that fills the
    memory.
    """
    small = folder / "small.keras"
    network().save(small)
    found = {name: folder / f"{name}.keras" for name in ("zeros", "many", "config", "shape")}
    with ZipFile(found["zeros"], "w", ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(2**24 + 1))
    with ZipFile(found["many"], "w", ZIP_DEFLATED) as archive:
        for index in range(33):
            archive.writestr(f"assets/{index}", bytes(2**19))
    with ZipFile(found["config"], "w", ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "[" * 2**25)
    h5_bomb(folder / "model.weights.h5")
    with ZipFile(small) as whole, ZipFile(found["shape"], "w") as archive:
        for entry in whole.infolist():
            if entry.filename != "model.weights.h5":
                archive.writestr(entry, whole.read(entry))
        archive.write(folder / "model.weights.h5", "model.weights.h5")
    return found


@pytest.mark.parametrize("kind", ["zeros", "many", "config", "shape"])
def test_a_model_that_unpacks_to_more_than_a_network_holds_is_refused(
    tmp_path, model, kind, monkeypatch
):
    monkeypatch.setattr(weight_files, "MOST_BYTES", 2**24)
    bomb = keras_bombs(tmp_path)[kind]
    assert bomb.stat().st_size < 2**24
    with pytest.raises(InputError, match="unpacks to .* MB, at most .* MB are read"):
        read_weights(str(bomb), None, network="tiny", setting="model.weights")
    shutil.copyfile(bomb, model / MODEL_FILE)
    content = yaml.safe_load((model / INFO_FILE).read_text())
    content["checksums"][MODEL_FILE] = checksum(bomb)
    (model / INFO_FILE).write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(InputError, match="unpacks to .* MB, at most .* MB are read"):
        load_model(model, "keras")


def test_weights_and_checkpoints_that_unpack_to_more_than_they_hold_are_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(weight_files, "MOST_BYTES", 2**24)
    h5_bomb(tmp_path / "weights.h5")
    np.savez_compressed(tmp_path / "last.npz", history=np.zeros(2**22))
    shutil.copyfile(tmp_path / "last.npz", tmp_path / "weights.npz")
    for name in ("weights.h5", "weights.npz"):
        with pytest.raises(InputError, match=f"{name}.*unpacks to"):
            read_weights(str(tmp_path / name), None, network="tiny", setting="model.weights")
    with pytest.raises(InputError, match="last.npz.*unpacks to"):
        load_history(tmp_path / "last.npz", "data")
    np.savez(tmp_path / "small.npz", values=np.zeros(4))
    require_small_zip(tmp_path / "small.npz")
