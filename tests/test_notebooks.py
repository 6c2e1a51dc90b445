"""The notebooks of the documentation: their code runs, their outputs are kept and small."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import run_python
from tests.test_tutorial import AS_WRITTEN

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))
LARGEST = 400_000  # bytes
SHORTER = {
    "training.epochs=16": "training.epochs=2",
    "training.epochs=8": "training.epochs=1",
    "training.steps_per_epoch=20": "training.steps_per_epoch=2",
}
"""Settings of trainings, and others that take a minute."""


def code_cells(notebook: Path) -> list[dict]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_those_of_a_whole_run_and_small(notebook):
    assert notebook.stat().st_size < LARGEST
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/jpeg" in output.get("data", {}) for output in outputs)
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert "/tmp/" not in notebook.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_run_one_after_another(notebook, tmp_path):
    """Without Jupyter; with shorter trainings unless a release is checked."""
    code = "\n".join("".join(cell["source"]) for cell in code_cells(notebook))
    if AS_WRITTEN not in os.environ:
        for written, shorter in SHORTER.items():
            code = code.replace(written, shorter)
    run_python(code, tmp_path)
