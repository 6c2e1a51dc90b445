"""What holds for the commands and the packages alike."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy


ROOT = Path(__file__).parents[1]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


COMMANDS = [
    *(name for name in SCRIPTS if name != "classify-generate"),
    *(
        f"classify-generate {command}"
        for command in ("train", "sample", "fill", "interpolate", "judge")
    ),
]


HEAVY = {
    "keras",
    "tensorflow",
    "cv2",
    "rasterio",
    "matplotlib",
    "albumentations",
    "numpy",
    "gradio",
}
SHOW_HELPS = """
import contextlib, importlib, io, json, sys
commands, heavy = json.loads(sys.argv[1]), set(json.loads(sys.argv[2]))
shown = {}
for command, place in commands.items():
    module, function = place.split(":")
    sys.argv, text, before = [*command.split(), "--help"], io.StringIO(), set(sys.modules)
    with contextlib.redirect_stdout(text):
        try:
            getattr(importlib.import_module(module), function)()
        except SystemExit as end:
            status = end.code
    shown[command] = [status, text.getvalue(), sorted(heavy & (set(sys.modules) - before))]
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, tuple[int, str, list[str]]]:
    """Exit status and text of each `--help`, and what heavy modules it loads, of one process."""
    places = {command: SCRIPTS[command.split()[0]] for command in COMMANDS}
    arguments = [json.dumps(places), json.dumps([*HEAVY, "pydantic"])]
    code = [sys.executable, "-c", SHOW_HELPS, *arguments]
    shown = subprocess.run(code, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_because_nothing_heavy_is_loaded(command, helps):
    status, text, loaded = helps[command]
    assert not status and "--quiet" in text and "--debug" in text
    # typer takes pydantic for groups of commands itself
    assert not set(loaded) - ({"pydantic"} if " " in command else set())


@pytest.mark.parametrize("package", ["segment", "classify"])
def test_importing_a_package_loads_nothing_heavy(package):
    code = (
        f"import {package}, sys; assert not {{'keras', 'tensorflow', 'numpy', 'rasterio'}} &"
        " set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "segment.mapping.predict",
        "segment.cluster.assemble",
        "segment.app.server",
        "classify.labelling.predict",
        "classify.labelling.scene",
    ],
)
def test_opencv_is_there_before_threads_are(module):
    """Importing it sets environment variables, at which a thread in which GDAL reads them may
    crash.
    """
    code = f"import {module}, sys; assert 'cv2' in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_console_scripts_are_installed():
    for name in SCRIPTS:
        assert (Path(sys.executable).parent / name).exists()
