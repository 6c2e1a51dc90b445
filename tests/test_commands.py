"""What holds for the commands and the packages alike."""

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


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_because_nothing_heavy_is_loaded(command):
    module, function = SCRIPTS[command.split()[0]].split(":")
    # typer takes it for groups of commands itself
    own = {"pydantic"} if " " not in command else set()
    code = (
        f"import sys, {module}\ntry: sys.argv = [*'{command}'.split(), '--help'];"
        f" {module}.{function}()\nexcept SystemExit as end: assert not end.code, end.code\nheavy ="
        " {'keras', 'tensorflow', 'cv2', 'rasterio', 'matplotlib', 'albumentations', 'numpy',"
        f" 'gradio', *{own}}}\nassert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "--quiet" in shown.stdout and "--debug" in shown.stdout


@pytest.mark.parametrize("package", ["segment", "classify"])
def test_importing_a_package_loads_nothing_heavy(package):
    code = (
        f"import {package}, sys; assert not {{'keras', 'tensorflow', 'numpy', 'rasterio'}} &"
        " set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


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
