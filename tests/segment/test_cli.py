"""The commands as a user types them: help, results, one-line errors, exit statuses, nothing
half-written.
"""

import errno
import inspect
import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

from segment import cli
from segment.core.cli.command import run
from segment.core.errors import InputError
from tests.conftest import two_class_scene, without_pictures, write_raster

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("tiny_backbone")]


QUICK = [
    "--set",
    "model.backbone=tiny",
    "--set",
    "data.tile=64",
    "--set",
    "training.batch_size=4",
    "--set",
    "training.epochs=1",
]


def call(command: str, *arguments: object) -> int:
    return run(getattr(cli, command).__wrapped__, [str(a) for a in arguments])


def one_line(text: str) -> str:
    assert text.count("\n") == 1 and text.endswith("\n"), text
    return text.rstrip("\n")


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """What a new user makes, with the commands alone: a scene, tiles, a run, scores and a map."""
    folder = tmp_path_factory.mktemp("work")
    for seed in (1, 2):
        assert call("sample", folder / f"town{seed}", "--size", 128, "--seed", seed) == 0
        town = folder / f"town{seed}"
        assert (
            call(
                "tile",
                town / "scene.tif",
                "--mask",
                town / "truth.tif",
                "--output",
                folder / "tiles" / town.name,
                "--size",
                64,
            )
            == 0
        )
    with without_pictures():
        assert call("train", folder / "tiles", "--output", folder / "run", *QUICK) == 0
    return folder


def test_the_commands_in_a_row(work, capsys):
    assert (
        call("evaluate", work / "tiles", "--model", work / "run", "--output", work / "scores") == 0
    )
    assert "mean Jaccard" in capsys.readouterr().out
    assert (
        call(
            "evaluate",
            work / "tiles",
            "--model",
            work / "run",
            "--output",
            work / "averaged",
            "--augment",
        )
        == 0
    )
    plain, averaged = (
        json.loads((work / name / "report.json").read_text()) for name in ("scores", "averaged")
    )
    assert plain["pixels"] == averaged["pixels"] > 0 and plain["confusion"] != averaged["confusion"]
    assert (plain["augment"], averaged["augment"]) == (False, True)
    capsys.readouterr()
    town = work / "town1"
    assert (
        call(
            "predict",
            town / "scene.tif",
            "--model",
            work / "run",
            "--output",
            work / "map",
            "--truth",
            town / "truth.tif",
        )
        == 0
    )
    assert "Jaccard" in capsys.readouterr().out
    with (
        rasterio.open(work / "map" / "scene_classes.tif") as file,
        rasterio.open(town / "scene.tif") as scene,
    ):
        assert (file.shape, file.crs, file.transform) == (scene.shape, scene.crs, scene.transform)


@pytest.mark.slow
def test_openvino_maps_without_keras(work, tmp_path):
    shutil.copytree(work / "run", tmp_path / "run")
    assert call("export", tmp_path / "run") == 0
    (tmp_path / "scenes").mkdir()
    shutil.copy(work / "town1" / "scene.tif", tmp_path / "scenes")
    arguments = [
        str(tmp_path / "scenes"),
        "--model",
        str(tmp_path / "run"),
        "--output",
        str(tmp_path / "map"),
        "--confidence",
    ]
    code = (
        f"import sys, segment.cli\nsys.argv = ['segment-predict', *{arguments!r}]\n"
        "try: segment.cli.predict()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 0 and not shown.stderr, shown.stderr
    assert (
        json.loads((tmp_path / "map" / "scene_report.json").read_text())["runtime"]
        == "openvino fp16"
    )
    keras_map = tmp_path / "keras"
    assert (
        call(
            "predict",
            tmp_path / "scenes" / "scene.tif",
            "--model",
            tmp_path / "run",
            "--output",
            keras_map,
            "--runtime",
            "keras",
        )
        == 0
    )
    with (
        rasterio.open(keras_map / "scene_classes.tif") as theirs,
        rasterio.open(tmp_path / "map" / "scene_classes.tif") as ours,
    ):
        assert (theirs.read(1) == ours.read(1)).mean() > 0.95


@pytest.mark.slow
def test_a_killed_command_goes_on_where_it_was(work, tmp_path):
    assert call("sample", tmp_path / "town", "--size", 1024, "--quiet") == 0
    command = [
        sys.executable,
        "-c",
        "import segment.cli; segment.cli.predict()",
        str(tmp_path / "town" / "scene.tif"),
    ]
    command += ["--model", str(work / "run"), "--tile", "128", "--quiet", "--output"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    process = subprocess.Popen([*command, str(tmp_path / "parts")])
    journal = tmp_path / "parts" / ".scene_classes.tif.partial" / "work" / "journal.json"
    while not journal.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert 0 < json.loads(journal.read_text())["rows"] < 1024
    subprocess.run([*command, str(tmp_path / "parts")], check=True)
    for name in (
        "scene_classes.tif",
        "scene_classes.tif.aux.xml",
        "scene_classes.qml",
        "scene_mask.png",
        "scene_overlay.jpg",
    ):
        assert (tmp_path / "parts" / name).read_bytes() == (
            tmp_path / "whole" / name
        ).read_bytes(), name


@pytest.mark.slow
def test_several_scenes_go_past_a_broken_one_and_on_where_they_were(work, tmp_path, capsys):
    for name in "abc":
        shutil.copy(work / "town1" / "scene.tif", tmp_path / f"{name}.tif")
    whole = (tmp_path / "b.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(whole[: len(whole) // 2])
    arguments = [
        tmp_path / "*.tif",
        "--model",
        work / "run",
        "--output",
        tmp_path / "maps",
        "--tile",
        64,
    ]
    assert call("predict", *arguments) == 2
    shown = capsys.readouterr()
    assert (
        shown.err.count("\n") == 2
        and "b.tif" in shown.err
        and "1 of 3 inputs failed, see above." in shown.err
    )
    assert sorted(p.name for p in (tmp_path / "maps").glob("*_classes.tif")) == [
        "a_classes.tif",
        "c_classes.tif",
    ]
    (tmp_path / "b.tif").write_bytes(whole)
    assert call("predict", *arguments) == 0
    assert capsys.readouterr().out.count("The files existed already") == 2
    assert (tmp_path / "maps" / "b_classes.tif").read_bytes() == (
        tmp_path / "maps" / "a_classes.tif"
    ).read_bytes()


def test_masks_of_other_classes_are_refused(work, tmp_path, capsys):
    shutil.copytree(work / "tiles" / "town1", tmp_path / "tiles")
    (tmp_path / "tiles" / "classes.yaml").write_text("- {name: lava, color: '#FF0000'}")
    assert (
        call(
            "evaluate", tmp_path / "tiles", "--model", work / "run", "--output", tmp_path / "scores"
        )
        == 2
    )
    assert "building, land" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "scores").exists()


def test_quiet_prints_nothing(work, capsys):
    assert call("sample", work / "quiet", "--size", 64, "--quiet") == 0
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""


@pytest.mark.slow
def test_resume_takes_the_runs_own_settings(work, capsys):
    assert (
        call(
            "train",
            work / "tiles",
            "--output",
            work / "run",
            "--resume",
            "--set",
            "training.epochs=2",
        )
        == 0
    )
    assert "epoch 2/2" in capsys.readouterr().out


def test_bad_input_is_one_line_and_status_two(work, tmp_path, capsys):
    gray = write_raster(tmp_path / "gray.tif", np.zeros((64, 64, 2), np.uint16))
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("no raster")
    small = write_raster(tmp_path / "small.tif", two_class_scene(64, 64)[0])
    # says nothing of where it lies
    plain = write_raster(tmp_path / "plain.png", two_class_scene(64, 64)[0])
    scene, model = work / "town1" / "scene.tif", work / "run"
    cases = [
        (["train", tmp_path / "empty", "--output", tmp_path / "out"], ["empty", "images"]),
        (["train", work / "tiles", "--output", work / "run"], ["--overwrite"]),
        (
            ["train", work / "tiles", "--output", tmp_path / "out", "--set", "training.epoch=1"],
            ["'training.epoch'", "'epochs'"],
        ),
        (
            [
                "train",
                work / "tiles",
                "--output",
                tmp_path / "out",
                "--config",
                tmp_path / "no.yaml",
            ],
            ["no.yaml"],
        ),
        (["train", work / "tiles"], ["--output"]),
        (
            ["train", work / "tiles", "--output", tmp_path / "out", "--resume"],
            ["out: has no checkpoint to resume from"],
        ),
        (["train", work / "tiles", "--output", tmp_path / "out", "--sett", "x"], ["--sett"]),
        (
            ["predict", tmp_path / "no.tif", "--model", model, "--output", tmp_path / "out"],
            ["no.tif", "no such file"],
        ),
        (
            ["predict", tmp_path / "note.txt", "--model", model, "--output", tmp_path / "out"],
            ["note.txt"],
        ),
        (
            ["predict", gray, "--model", model, "--output", tmp_path / "out"],
            ["3 bands of uint8", "2 bands of uint16"],
        ),
        (
            ["predict", scene, "--model", tmp_path / "empty", "--output", tmp_path / "out"],
            ["empty", "model"],
        ),
        (
            ["predict", scene, "--model", model, "--output", tmp_path / "out", "--bands", "a,b"],
            ["--bands", "'a,b'"],
        ),
        (
            ["predict", scene, "--model", model, "--output", tmp_path / "out", "--tile", 100],
            ["100", "32"],
        ),
        (
            ["predict", scene, "--model", model, "--output", tmp_path / "out", "--truth", plain],
            ["plain.png", "64x64"],
        ),
        (
            ["predict", scene, "--model", model, "--output", tmp_path / "out", "--truth", small],
            ["small.tif", "does not cover its scene"],
        ),
        (
            [
                "predict",
                scene,
                small,
                "--model",
                model,
                "--output",
                tmp_path / "out",
                "--truth",
                small,
            ],
            ["--truth"],
        ),
        (["predict", scene, "--model", model, "--output", tmp_path / "note.txt"], ["note.txt"]),
        (
            ["predict", scene, "--model", model, "--output", tmp_path / "out", "--overlap", 2],
            ["--overlap"],
        ),
        (
            [
                "predict",
                scene,
                work / "town2" / "scene.tif",
                "--model",
                model,
                "--output",
                tmp_path / "out",
            ],
            ["'scene'"],
        ),
        (
            [
                "predict",
                scene,
                "--model",
                model,
                "--output",
                tmp_path / "out",
                "--runtime",
                "openvino",
            ],
            ["segment-export"],
        ),
        (
            ["predict", tmp_path / "empty", "--model", model, "--output", tmp_path / "out"],
            ["no rasters found"],
        ),
        (["evaluate", tmp_path / "empty", "--model", model], ["empty"]),
        (
            ["evaluate", work / "tiles", "--model", model, "--output", model, "--overwrite"],
            ["run", "checkpoints"],
        ),
        (
            [
                "tile",
                scene,
                "--mask",
                scene.with_name("truth.tif"),
                "--output",
                work / "town1",
                "--overwrite",
            ],
            ["scene.tif"],
        ),
        (["sample", work / "town1"], ["--overwrite"]),
        (["sample", tmp_path / "out", "--size", 0], ["--size"]),
        (["tile", scene, "--mask", small, "--output", tmp_path / "out"], ["small.tif"]),
    ]
    for arguments, words in cases:
        before = sorted(tmp_path.rglob("*"))
        assert call(*arguments) == 2, arguments
        shown = capsys.readouterr()
        line = one_line(shown.err)
        assert line.startswith(f"segment-{arguments[0]}: ") and all(
            word in line for word in words
        ), line
        assert sorted(tmp_path.rglob("*")) == before, arguments


def test_debug_shows_where_an_error_comes_from(tmp_path, capsys):
    assert call("evaluate", tmp_path, "--model", tmp_path, "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, status, words",
    [
        (InputError("rule. Received x. Cure."), 2, ["rule"]),
        (
            OSError(errno.ENOSPC, "No space left on device", "map.tif"),
            2,
            ["map.tif", "No space left", "Free"],
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "out"),
            2,
            ["out", "Permission denied"],
        ),
        (KeyboardInterrupt(), 2, ["stopped"]),
        (ZeroDivisionError("division\nby zero"), 1, ["fault of ours", "ZeroDivisionError"]),
    ],
)
def test_every_error_is_one_line(error, status, words, capsys):
    def sample() -> None:
        raise error

    sample.__module__ = "segment.cli"
    assert run(sample, []) == status
    line = one_line(capsys.readouterr().err)
    assert line.startswith("segment-sample: ") and all(word in line for word in words)


def test_a_full_disk_leaves_nothing(work, tmp_path):
    """A limit on file sizes stands in for the full disk: writes fail half way, as they
    would there.
    """
    code = (
        "import resource, sys, segment.cli\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096,"
        " 4096))\nsegment.cli.sample()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "town"), "--size", "256"]
    failed = subprocess.run(command, capture_output=True, text=True)
    # libtiff itself prints a line before, where a limit stops it
    line = failed.stderr.strip().splitlines()[-1]
    assert (
        failed.returncode == 2
        and line.startswith("segment-sample: ")
        and "town: cannot be written completely" in line
    )
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing(tmp_path):
    command = [
        sys.executable,
        "-c",
        "import segment.cli; segment.cli.sample()",
        str(tmp_path / "town"),
        "--size",
        "20000",
    ]
    # what runs in the background may be deaf to it
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    )
    # drawing, not starting: during an import an interrupt may fall where Python drops it
    while (
        not any(f.is_file() and f.stat().st_size > 10**6 for f in tmp_path.rglob("*"))
        and process.poll() is None
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 2 and "stopped" in one_line(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "key, value", [("bands", 4), ("classes", [{"name": "a", "color": "#000000"}]), ("tile", 0)]
)
def test_a_model_yaml_that_was_changed_is_refused(work, tmp_path, capsys, key, value):
    shutil.copytree(work / "run", tmp_path / "run")
    info = yaml.safe_load((tmp_path / "run" / "model.yaml").read_text())
    (tmp_path / "run" / "model.yaml").write_text(yaml.safe_dump(info | {key: value}))
    for arguments in (
        ["evaluate", work / "tiles"],
        ["predict", work / "town1" / "scene.tif", "--output", tmp_path / "map"],
    ):
        assert call(*arguments, "--model", tmp_path / "run") == 2
        reported = one_line(capsys.readouterr().err)
        assert "model.yaml" in reported or "the model maps 4 bands" in reported


def test_defaults_of_commands_are_those_of_the_library():
    from segment.data.cutting import cut_scene
    from segment.mapping.predict import predict_scene
    from segment.training.evaluation import evaluate

    for command, function in (
        (cli.predict, predict_scene),
        (cli.tile, cut_scene),
        (cli.evaluate, evaluate),
    ):
        theirs, ours = (
            inspect.signature(function).parameters,
            inspect.signature(command.__wrapped__).parameters,
        )
        for name in ours.keys() & theirs.keys() - {"output"}:
            if theirs[name].default is not inspect.Parameter.empty:
                assert ours[name].default == theirs[name].default, name
