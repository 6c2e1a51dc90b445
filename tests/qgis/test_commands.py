"""How the plug-in of QGIS runs commands, without QGIS."""

import ast
import configparser
import importlib.util
import json
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "qgis" / "aerial_segment" / "commands.py"


@pytest.fixture(scope="module")
def commands():
    spec = importlib.util.spec_from_file_location("qgis_commands", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script(folder: Path, code: str) -> list[str]:
    file = folder / "command.py"
    file.write_text(code)
    return [sys.executable, str(file)]


def run(commands, command, canceled=lambda: False):
    messages, steps = [], []
    commands.run_command(command, messages.append, steps.append, canceled)
    return messages, steps


@pytest.mark.heavy
def test_messages_and_progress_are_passed_on(commands, tmp_path):
    lines = [
        {"message": "first"},
        {"task": "a", "done": 1, "total": 4, "note": ""},
        {"message": "last"},
    ]
    code = f"import sys\nfor line in {[json.dumps(line) for line in lines]!r}: print(line)\n"
    code += "print('no json', sys.argv[1:])"
    messages, steps = run(commands, script(tmp_path, code))
    assert messages == ["first", "last", "no json ['--progress', 'json']"]
    assert steps == [25]


@pytest.mark.heavy
def test_an_error_is_the_last_line_of_the_command(commands, tmp_path):
    code = "import sys\nprint('warning', file=sys.stderr)\nsys.exit('scene.tif: damaged')"
    with pytest.raises(commands.CommandError, match="^scene.tif: damaged$"):
        run(commands, script(tmp_path, code))


@pytest.mark.heavy
def test_files_tasks_and_remarks_are_passed_on(commands, tmp_path):
    lines = [
        {"task": "a", "done": 1, "total": 2, "note": ""},
        {"task": "a", "done": 2, "total": 2, "note": ""},
        {"file": "/maps/ä, b.tif"},
    ]
    code = f"import sys\nfor line in {[json.dumps(line) for line in lines]!r}: print(line)\n"
    code += "print('command: one scene failed', file=sys.stderr)\n"
    code += "print('note: three bands', file=sys.stderr)"
    tasks, remarks, messages = [], [], []
    files = commands.run_command(
        script(tmp_path, code),
        messages.append,
        lambda _: None,
        lambda: False,
        begin=tasks.append,
        remark=remarks.append,
    )
    assert files == ["/maps/ä, b.tif"] and tasks == ["a"] and messages == []
    assert remarks == ["command: one scene failed", "note: three bands"]


@pytest.mark.heavy
def test_the_error_is_that_of_the_command_whatever_follows_it(commands, tmp_path):
    file = tmp_path / "segment-odd"
    code = "import sys\nprint('segment-odd: damaged', file=sys.stderr)\n"
    file.write_text(f"#!{sys.executable}\n{code}print('at exit', file=sys.stderr); sys.exit(2)")
    file.chmod(0o755)
    with pytest.raises(commands.CommandError, match="^segment-odd: damaged$"):
        run(commands, [str(file)])


def cancelled(commands, command) -> list[str]:
    """Messages of a command that is cancelled after the first one."""
    messages: list[str] = []
    commands.run_command(command, messages.append, lambda _: None, lambda: bool(messages))
    return messages


@pytest.mark.heavy
def test_a_command_that_does_not_stop_is_killed(commands, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "_PATIENCE", 0.5)
    code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code += "print('begun', flush=True)\ntime.sleep(600)"
    assert cancelled(commands, script(tmp_path, code)) == ["begun"]


@pytest.mark.heavy
def test_a_silent_failure_names_the_status(commands, tmp_path):
    with pytest.raises(commands.CommandError, match="ended with 3"):
        run(commands, script(tmp_path, "import sys; sys.exit(3)"))


@pytest.mark.heavy
def test_cancelling_ends_the_command(commands, tmp_path):
    code = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    assert cancelled(commands, script(tmp_path, code)) == ["begun"]


@pytest.mark.heavy
def test_much_output_on_both_streams_does_not_block(commands, tmp_path):
    code = "import sys\nfor i in range(20000): print('x' * 50); print('y' * 50, file=sys.stderr)"
    assert len(run(commands, script(tmp_path, code))[0]) == 20000


@pytest.mark.heavy
def test_the_libraries_of_qgis_are_not_those_of_the_command(commands, tmp_path, monkeypatch):
    monkeypatch.setenv("GDAL_DATA", "of QGIS")
    monkeypatch.setenv("PYTHONHOME", "of QGIS")
    code = "import os\nprint([k for k in ('GDAL_DATA', 'PYTHONHOME') if k in os.environ])"
    assert run(commands, script(tmp_path, code))[0] == ["[]"]


def place(folder: Path, commands) -> Path:
    file = folder / commands._SCRIPTS / "segment-predict"
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_a_command_is_found_by_setting_variable_and_path(commands, tmp_path, monkeypatch):
    files = {name: place(tmp_path / name, commands) for name in ("set", "variable", "path")}
    monkeypatch.setenv("PATH", f"{files['path'].parent}{os.pathsep}/nowhere")
    find = commands.find_command
    monkeypatch.delenv(commands.ENVIRONMENT, raising=False)
    assert find("segment-predict") == str(files["path"])
    monkeypatch.setenv(commands.ENVIRONMENT, str(tmp_path / "variable"))
    assert find("segment-predict") == str(files["variable"])
    assert find("segment-predict", str(tmp_path / "set")) == str(files["set"])
    with pytest.raises(commands.CommandError, match="does not hold segment-predict"):
        find("segment-predict", str(tmp_path))
    with pytest.raises(commands.CommandError, match="Install aerial-segment in a Python"):
        find("segment-nothing")


def test_the_plug_in_imports_qt_from_qgis_alone():
    for file in FILE.parent.glob("*.py"):
        assert not re.search(r"\bPy(Qt|Side)\d", file.read_text()), file


def test_enums_are_read_in_a_way_that_suits_qt_5_and_qt_6():
    """By `member`: Qt 6 nests what Qt 5 has as attributes of a class."""
    for file in FILE.parent.glob("*.py"):
        names = [
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if re.match("Q[a-z]*[A-Z]", node.value.id) and node.attr[0].isupper()
        ]
        # which is a class
        assert set(names) <= {"QgsProcessingContext.LayerDetails"}, file


def test_the_metadata_fit_the_project():
    metadata = configparser.ConfigParser()
    metadata.read(FILE.parent / "metadata.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert metadata["general"]["version"] == project["version"]
    assert metadata["general"]["hasProcessingProvider"] == "yes"
    assert not [value for value in metadata["general"].values() if "example." in value]
    assert (FILE.parent / metadata["general"]["icon"]).exists()
