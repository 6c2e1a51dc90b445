"""The classify commands as a user types them: help, results, one-line errors, exit statuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import yaml

from classify import cli
from segment.core.cli.command import run
from tests.classify.conftest import SMALL
from tests.conftest import write_raster

pytestmark = pytest.mark.heavy


QUICK = [
    part
    for setting in (*SMALL, "training.epochs=2", "training.batch_size=8")
    for part in ("--set", setting)
]


def call(command: str, *arguments: object) -> int:
    return run(getattr(cli, command).__wrapped__, [str(a) for a in arguments])


def picture(kind: str, seed: int) -> np.ndarray:
    """Dark sand or bright snow, (32, 32, 3) uint8."""
    level = {"sand": 60, "snow": 200}[kind]
    return np.random.default_rng(seed).normal(level, 20, (32, 32, 3)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """What a new user makes: a folder of two classes, a run, its int8 form, and a scene half sand
    and half snow.
    """
    folder = tmp_path_factory.mktemp("work")
    for number, kind in enumerate(["sand", "snow"]):
        for seed in range(20):
            write_raster(folder / "data" / kind / f"{seed}.png", picture(kind, 100 * number + seed))
    assert call("train", folder / "data", "--output", folder / "run", *QUICK) == 0
    halves = [np.tile(picture(kind, 7), (2, 2, 1)) for kind in ("sand", "snow")]
    write_raster(folder / "scene.tif", np.hstack(halves))
    return folder


@pytest.mark.slow
def test_images_are_named(work, tmp_path, capsys):
    images = [work / "data" / "snow" / "1.png", work / "data" / "sand" / "2.png"]
    assert call("predict", *images, "--model", work / "run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "*snow" in lines[0] and "*sand" in lines[1]
    assert (
        call("predict", work / "data" / "snow", "--model", work / "run", "--json", "--top", 1) == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 20 and {entry["labels"][0]["label"] for entry in found} == {"snow"}
    table = tmp_path / "tables" / "labels.csv"
    assert call("predict", *images, "--model", work / "run", "--csv", table) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "*snow" in lines[0] and lines[2] == f"-> {table}"
    rows = [line.split(",") for line in table.read_text().splitlines()]
    assert rows[0] == ["image", "given", "label_1", "probability_1", "label_2", "probability_2"]
    assert [row[1] for row in rows[1:]] == ["snow", "sand"]
    assert call("predict", images[0], "--model", work / "run", "--csv", table) == 2
    assert "--overwrite" in capsys.readouterr().err and table.read_text().count("\n") == 3
    assert (
        call("predict", images[0], "--model", work / "run", "--csv", table, "--overwrite", "--json")
        == 0
    )
    assert json.loads(capsys.readouterr().out) and table.read_text().count("\n") == 2
    assert call("predict", *images, "--model", work / "run", "--csv", images[1], "--overwrite") == 2
    assert "input would be replaced" in capsys.readouterr().err


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_progress_for_programs_prints_nothing_but_json(work, capsys, quiet):
    capsys.readouterr()
    image = work / "data" / "sand" / "3.png"
    assert call("predict", image, "--model", work / "run", "--progress", "json", *quiet) == 0
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "sand" in reports[-1]["message"]


def test_what_cannot_be_read_does_not_stop_the_others(work, tmp_path, capsys):
    whole = write_raster(tmp_path / "a.png", picture("snow", 1))
    (tmp_path / "b.png").write_bytes(whole.read_bytes()[:200])
    write_raster(tmp_path / "c.tif", np.zeros((32, 32, 2), np.uint8))
    assert call("predict", tmp_path, "--model", work / "run") == 2
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 1 and "a.png" in shown.out
    assert shown.err.count("\n") == 3 and "b.png" in shown.err and "--bands 1,2,2" in shown.err
    assert call("predict", tmp_path / "c.tif", "--model", work / "run", "--bands", "1,2,2") == 0
    assert call("predict", tmp_path, "--model", work / "run", "--json") == 2
    found = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert [bool(entry["problem"]) for entry in found] == [False, True, True]


def test_a_scene_is_labelled_cell_by_cell(work, tmp_path, capsys):
    assert (
        call(
            "predict",
            work / "scene.tif",
            "--model",
            work / "run",
            "--grid",
            32,
            "--output",
            tmp_path,
        )
        == 0
    )
    assert "sand" in capsys.readouterr().out
    with (
        rasterio.open(tmp_path / "scene_labels.tif") as file,
        rasterio.open(work / "scene.tif") as scene,
    ):
        assert file.read(1).tolist() == [[0, 0, 1, 1]] * 2
        assert file.crs == scene.crs and file.bounds == scene.bounds
    assert pyogrio.read_info(tmp_path / "scene_labels.gpkg", layer="labels")["features"] == 8


@pytest.mark.slow
def test_scores_and_the_int8_form(work, tmp_path, capsys):
    assert (
        call(
            "evaluate",
            work / "data",
            "--model",
            work / "run",
            "--part",
            "test",
            "--output",
            tmp_path / "scores",
        )
        == 0
    )
    assert "accuracy" in capsys.readouterr().out
    report = json.loads((tmp_path / "scores" / "report.json").read_text())
    assert (
        report["images"] == 6
        and report["accuracy"]
        == json.loads((work / "run" / "report.json").read_text())["test"]["accuracy"]
    )
    assert call("export", work / "run", "--int8", work / "data") == 0
    assert "quantised on 28 images of data, scored on 12 others" in capsys.readouterr().out
    info = yaml.safe_load((work / "run" / "model.yaml").read_text())
    assert info["openvino"]["scores"]["int8"]["accuracy"] == 1.0
    code = (
        "import sys; from classify import cli; from segment.core.cli.command import run\n"
        "status = run(cli.predict.__wrapped__, sys.argv[1:])\n"
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules; sys.exit(status)"
    )
    image = work / "data" / "snow" / "3.png"
    shown = subprocess.run(
        [sys.executable, "-c", code, image, "--model", work / "run"], capture_output=True, text=True
    )
    assert shown.returncode == 0 and "*snow" in shown.stdout, shown.stderr


@pytest.mark.parametrize(
    "command, arguments, words",
    [
        ("predict", ["nothing.jpg", "--model", "{run}"], ["nothing.jpg"]),
        ("predict", ["{image}", "--model", "{data}"], ["model.keras"]),
        ("predict", ["{image}", "--model", "{run}", "--bands", "1,2"], ["3 bands", "--bands"]),
        ("predict", ["{image}", "--model", "{run}", "--top", "0"], ["top"]),
        (
            "predict",
            ["{image}", "--model", "{run}", "--grid", "16", "--csv", "{data}/x.csv"],
            ["--csv"],
        ),
        ("predict", ["{image}", "--model", "{run}", "--nodata", "0"], ["--grid"]),
        ("predict", ["{image}", "--model", "{run}", "--grid", "16", "--json"], ["--grid"]),
        ("predict", ["{image}", "--model", "{run}", "--grid", "16", "--top", "3"], ["--top"]),
        ("predict", ["{image}", "--model", "{run}", "--grid", "4"], ["--grid"]),
        ("evaluate", ["{image}", "--model", "{run}"], ["CSV"]),
        ("evaluate", ["{data}", "--model", "{run}", "--part", "most"], ["part"]),
        ("export", ["{data}"], ["model.keras"]),
        ("train", ["{data}", "--output", "{run}"], ["--overwrite"]),
        (
            "train",
            ["{data}", "--output", "{new}", "--set", "model.backbone=resnet"],
            ["model.backbone"],
        ),
        ("train", ["{data}/snow", "--output", "{new}"], ["class"]),
    ],
)
def test_faults_are_one_line_with_status_2(work, tmp_path, capsys, command, arguments, words):
    places = {
        "run": work / "run",
        "data": work / "data",
        "image": work / "data" / "snow" / "1.png",
        "new": tmp_path / "new",
    }
    assert call(command, *(argument.format(**places) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and all(word in error for word in words), error
    assert not (tmp_path / "new").exists()
