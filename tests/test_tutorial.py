"""The tutorial runs block by block: as it is written before a release, otherwise with few steps."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from segment.core.labels.classes import load_class_table

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "docs" / "polygons-to-a-model.md"
AS_WRITTEN = "TUTORIAL_AS_WRITTEN"
"""Environment variable: if it is set, trainings take the minutes that the tutorial gives them."""
FEW_STEPS = "training.epochs=2 --set training.steps_per_epoch=2 --set training.batch_size=2"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_tutorial_runs(tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    blocks = re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 6 and sum(block.count("training.minutes=10") for block in blocks) == 2
    for block in blocks:
        if AS_WRITTEN not in os.environ:
            block = block.replace("training.minutes=10", FEW_STEPS).replace(
                "--size 1536", "--size 768"
            )
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    names = load_class_table(tmp_path / "town" / "classes.yaml").names
    for run in ("first", "second"):
        report = json.loads((tmp_path / "maps" / run / "scene_report.json").read_text())
        assert set(report["jaccard"]) == set(names) and 0 < report["mean_jaccard"] <= 1
        assert "Split</h2>" in (tmp_path / "runs" / run / "report.html").read_text()
    for run in ("bundled", "first", "second"):
        report = json.loads((tmp_path / "maps" / run / "scene_report.json").read_text())
        print(run, report["mean_jaccard"], report["jaccard"])
    labelled = [
        len(list((tmp_path / run / "town" / "masks").iterdir())) for run in ("first", "second")
    ]
    assert labelled[1] >= labelled[0]


def test_there_is_time_for_trainings_as_they_are_written():
    minutes = sum(
        map(int, re.findall(r"--set training\.minutes=(\d+)", TUTORIAL.read_text("utf-8")))
    )
    (limit,) = [m.args[0] for m in test_the_tutorial_runs.pytestmark if m.name == "timeout"]
    assert 0 < 2 * 60 * minutes < limit
