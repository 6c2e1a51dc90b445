"""segment-tune on real trainings."""

import json

import pytest

from segment import cli
from segment.config import Config
from segment.core.cli.command import run
from segment.core.config import load_settings


@pytest.mark.slow
def test_it_finds_settings_for_tiles_and_scores_them_on_validation_where_there_is_no_test(
    tile_folder, tmp_path, capsys
):
    quick = (
        "--set",
        "data.tile=64",
        "--set",
        "training.epochs=1",
        "--set",
        "model.backbone=mobilenetv2",
    )
    arguments = (tile_folder(), "--output", tmp_path / "out", "--trials", 1, "--confirm", 1, *quick)
    assert run(cli.tune.__wrapped__, [*map(str, arguments)]) == 0
    best = load_settings(Config, tmp_path / "out" / "best.yaml")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert best.loss.gamma == report["best"]["values"]["loss.gamma"]
    assert report["confirmation"]["part"] == "validation"
    assert "There is no test part" in (tmp_path / "out" / "report.html").read_text()


def test_a_folder_without_tiles_is_told_at_once(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert (
        run(cli.tune.__wrapped__, [str(tmp_path / "empty"), "--output", str(tmp_path / "out")]) == 2
    )
    assert "empty" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.heavy
def test_a_cluster_that_is_none_is_told_before_anything_is_written(tile_folder, tmp_path, capsys):
    pytest.importorskip("distributed")
    arguments = [tile_folder(), "--output", tmp_path / "out", "--cluster", "nowhere"]
    assert run(cli.tune.__wrapped__, [*map(str, arguments)]) == 2
    assert "local:4" in capsys.readouterr().err and not (tmp_path / "out").exists()
