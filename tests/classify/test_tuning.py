"""classify-tune on real trainings, and what it refuses."""

import json
from pathlib import Path

import pytest

from classify import cli
from classify.config import Config
from classify.training.backbones import DESIGNS
from classify.tuning import SPACE, check_settings, find_files, tune
from segment.core.cli.command import run
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.tuning.search_space import Parameter, distributions
from tests.conftest import two_class_scene, write_raster

pytestmark = pytest.mark.heavy


QUICK = {
    "model.backbone": "baseline",
    "model.weights": "none",
    "data.size": 32,
    "data.resize": 32,
    "training.epochs": 2,
}


def call(*arguments: object) -> int:
    quick = [part for key, value in QUICK.items() for part in ("--set", f"{key}={value}")]
    return run(cli.tune.__wrapped__, [*map(str, arguments), *quick])


@pytest.mark.slow
def test_it_writes_settings_that_training_takes_and_their_gain(class_folders, tmp_path, capsys):
    assert call(class_folders(), "--output", tmp_path / "out", "--trials", 2, "--confirm", 1) == 0
    best = load_settings(Config, tmp_path / "out" / "best.yaml")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["trials"][0]["values"]["model.head"] == "linear"  # the defaults come first
    assert best.training.learning_rate == report["best"]["values"]["training.learning_rate"]
    assert [trial["state"] for trial in report["trials"]] == ["complete"] * 2
    assert report["confirmation"]["part"] == "test" and len(report["confirmation"]["best"]) == 1
    assert "gain on test" in capsys.readouterr().out


def test_faults_are_reported_before_the_first_trial(class_folders, tmp_path, capsys, monkeypatch):
    data, space = class_folders(), tmp_path / "space.yaml"

    def complaint(*arguments: object) -> str:
        assert call(*arguments) == 2
        assert not (tmp_path / "out").exists()
        line: str = capsys.readouterr().err
        assert line.count("\n") == 1
        return line

    assert "no/such/folder" in complaint("no/such/folder", "--output", tmp_path / "out")
    space.write_text("model.dropouts: {low: 0, high: 1}")
    assert "Unknown setting 'model.dropouts'" in complaint(
        data, "--output", tmp_path / "out", "--space", space
    )
    assert "nowhere.yaml" in complaint(
        data, "--output", tmp_path / "out", "--space", Path("nowhere.yaml")
    )
    assert "'psychic'" in complaint(data, "--output", tmp_path / "out", "--sampler", "psychic")
    pytest.importorskip("distributed")
    assert "local:4" in complaint(data, "--output", tmp_path / "out", "--cluster", "nowhere")
    monkeypatch.setattr("segment.core.cli.run.find_spec", lambda name: None)
    assert "aerial-segment[tune]" in complaint(data, "--output", tmp_path / "out")


def test_tables_of_labels_and_classes_are_files_of_the_data(tmp_path):
    images = [write_raster(tmp_path / f"{n}.png", two_class_scene(32, 32, n)[0]) for n in range(4)]
    for name in ("labels.csv", "other.csv"):
        rows = [f"{image.name},{'ab'[n % 2]}" for n, image in enumerate(images)]
        (tmp_path / name).write_text("\n".join(["file,labels", *rows]))
    settings = Config().data
    assert find_files([tmp_path], settings) == [*images, tmp_path / "labels.csv"]
    assert find_files([tmp_path / "other.csv"], settings) == [*images, tmp_path / "other.csv"]
    table = tmp_path / "classes.yaml"
    table.write_text("- {name: b, color: '#0000FF'}\n- {name: a, color: '#FF0000'}\n")
    assert find_files([tmp_path], settings)[4:] == [tmp_path / "labels.csv", table]


@pytest.mark.parametrize(
    "space, problem",
    [
        ({"model.backbone": ["baseline", "resnet05"]}, "resnet05"),
        ({"model.weights": ["none", "imagenet"]}, "baseline has no ImageNet weights"),
        ({"training.unfreeze": [0, 9]}, "baseline has . stages"),
    ],
)
def test_networks_that_cannot_be_built_are_refused_before_the_first_trial(
    class_folders, tmp_path, space, problem
):
    chosen = {key: Parameter(choices=choices) for key, choices in space.items()}
    settings = load_settings(Config, None, [f"{key}={value}" for key, value in QUICK.items()])
    with pytest.raises(InputError, match=problem):
        tune(class_folders(), tmp_path / "out", settings, chosen)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("backbone", DESIGNS)
def test_every_backbone_takes_the_default_space(backbone):
    settings = load_settings(Config, None, [f"model.backbone={backbone}", "model.weights=none"])
    assert len(distributions(SPACE, settings, check_settings)) == len(SPACE)
