"""Options that all commands have."""

import json
from importlib.metadata import version

import pytest

import classify.cli
import classify.generator_cli
import segment.cli
from segment.config import Config
from segment.core.progress import JsonLines, Silent, say_result


def call(main, *arguments, monkeypatch):
    monkeypatch.setattr("sys.argv", ["command", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.parametrize(
    "main", [segment.cli.predict, classify.cli.predict, classify.generator_cli.generate]
)
def test_version_needs_no_other_argument(main, monkeypatch, capsys):
    assert call(main, "--version", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == f"aerial-segment {version('aerial-segment')}\n"
    assert segment.__version__ == classify.__version__ == version("aerial-segment")


def test_the_schema_describes_every_setting(monkeypatch, capsys):
    assert call(segment.cli.train, "--schema", monkeypatch=monkeypatch) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == set(Config.model_fields)
    training = schema["$defs"]["TrainingSettings"]["properties"]
    assert training["epochs"]["minimum"] == 1
    assert not schema["additionalProperties"]


@pytest.mark.parametrize("main", [classify.cli.train, classify.generator_cli.generate])
def test_the_other_trainings_have_schemas_too(main, monkeypatch, capsys):
    group = ["train"] if main is classify.generator_cli.generate else []
    assert call(main, *group, "--schema", monkeypatch=monkeypatch) == 0
    assert "training" in json.loads(capsys.readouterr().out)["properties"]


def test_a_shell_completes_options(monkeypatch, capsys):
    monkeypatch.setenv("_SEGMENT_PREDICT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "segment-predict --res")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert call(segment.cli.predict, monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.split() == ["--resume", "--resample"]


@pytest.mark.heavy
def test_progress_for_programs_is_a_line_of_json_per_report(monkeypatch, capsys, tmp_path):
    arguments = (str(tmp_path / "town"), "--size", "64", "--progress", "json")
    assert call(segment.cli.sample, *arguments, monkeypatch=monkeypatch) == 0
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    steps = [report for report in reports if "task" in report]
    assert steps[-1]["done"] == steps[-1]["total"] > 0
    assert any(str(tmp_path / "town") in report.get("message", "") for report in reports)


@pytest.mark.parametrize("main", [segment.cli.predict, segment.cli.evaluate, classify.cli.predict])
def test_errors_about_models_of_a_hub_are_those_of_the_library(main, monkeypatch, capsys):
    assert call(main, "input", "--model", "hf://us", monkeypatch=monkeypatch) == 2
    error = capsys.readouterr().err
    assert error.split(": ", 1)[1].startswith("hf://us: models of the hub are named hf://OWNER")
    assert "Invalid value" not in error


def test_results_for_programs_are_not_mixed_with_progress(monkeypatch, capsys):
    arguments = "photo.jpg", "--json", "--progress", "json"
    assert call(classify.cli.predict, *arguments, monkeypatch=monkeypatch) == 2
    assert "--json and --progress json" in capsys.readouterr().err


def test_programs_receive_each_file_of_a_result(capsys, tmp_path):
    name = tmp_path / ("long name, with a comma " * 5)
    say_result(JsonLines(), "as a person reads it", [name, tmp_path / "b"])
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    files = [{"file": str(name)}, {"file": str(tmp_path / "b")}]
    assert reports == [{"message": "as a person reads it"}, *files]
    say_result(Silent(), "nothing", [name])
    assert capsys.readouterr().out == ""


def test_a_value_that_an_option_lacks_is_not_taken_for_a_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "scene").mkdir()
    monkeypatch.chdir(tmp_path)
    words = ("--polygons", "shp", "scene.tif")
    assert call(segment.cli.predict, *words, monkeypatch=monkeypatch) == 2
    assert "--polygons: 'shp' is none of gpkg, parquet, and there" in capsys.readouterr().err
    assert call(segment.cli.predict, "--polygons", "scene", monkeypatch=monkeypatch) == 2
    assert "scene: no rasters found" in capsys.readouterr().err
