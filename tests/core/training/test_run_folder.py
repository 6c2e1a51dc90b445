import os
import shutil
from pathlib import Path

import keras
import pytest

from segment.config import Config
from segment.core.errors import InputError, Interrupted
from segment.core.model.folder import load_keras_model, load_model_info, save_model_folder
from segment.core.outputs import refuse_existing
from segment.core.training.checkpoints import CHECKPOINT
from segment.core.training.run_folder import check_run, run_folder
from tests.fakes import tiny_info

pytestmark = pytest.mark.heavy


def test_a_run_to_be_replaced_outlives_two_trainings_without_an_epoch(tmp_path):
    """The first was killed: what it left is its settings, with what was there before it beside."""
    output, before = tmp_path / "run", tmp_path / ".run.replaced"
    for folder, name in ((output, "config.yaml"), (before, "model.keras")):
        folder.mkdir()
        (folder / name).write_text("{}")
    check_run(output, Config(), resume=False, overwrite=False)
    with (
        pytest.raises(Interrupted, match="nothing was kept"),
        run_folder(output, Config(), resume=False),
    ):
        assert [entry.name for entry in output.iterdir()] == ["config.yaml"]
        raise KeyboardInterrupt
    assert [entry.name for entry in output.iterdir()] == ["model.keras"]
    assert not before.exists()


def test_a_training_that_ends_takes_away_what_was_there_before(tmp_path):
    output = tmp_path / "run"
    output.mkdir()
    (output / "model.keras").write_text("old")
    with run_folder(output, Config(), resume=False):
        (output / "model.keras").write_text("new")
    assert (output / "model.keras").read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_a_run_goes_on_in_the_folder_it_is_in_but_is_not_replaced_there(tmp_path, monkeypatch):
    output = tmp_path / "run"
    (output / CHECKPOINT).parent.mkdir(parents=True)
    (output / CHECKPOINT).touch()
    (output / "config.yaml").write_text("{}")
    monkeypatch.chdir(output)
    here = Path(".")
    with run_folder(here, Config(), resume=True):
        pass
    assert (output / CHECKPOINT).is_file()
    for place in (here, output):
        with pytest.raises(InputError, match="is the current folder"):
            check_run(place, Config(), resume=False, overwrite=True)
    with pytest.raises(InputError, match="is the current folder"):
        refuse_existing(Path(".."), True)


def test_a_run_that_was_killed_at_any_moment_of_saving_its_model_goes_on(tmp_path, monkeypatch):
    output, killed = tmp_path / "run", []
    (output / CHECKPOINT).parent.mkdir(parents=True)
    (output / CHECKPOINT).touch()
    (output / "config.yaml").write_text("{}")

    def save(name: str) -> None:
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        classes = [{"name": "water", "color": "#0000FF"}]
        save_model_folder(output, network, tiny_info(task="segment", name=name, classes=classes))

    save("first")
    for owner, name, moved in ((Path, "rename", Path.rename), (os, "replace", os.replace)):

        def move(source, target, moved=moved):
            killed.append(shutil.copytree(output, tmp_path / f"killed{len(killed)}"))
            return moved(source, target)

        monkeypatch.setattr(owner, name, move)
    save("second")
    monkeypatch.undo()
    found = []
    for folder in killed:
        with run_folder(folder, Config(), resume=True):
            load_keras_model(folder)
            found.append(load_model_info(folder).name)
    assert found == sorted(found) and set(found) == {"first", "second"}
