"""Signals that arrive where Python drops what they raise."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import pytest
from typer import Argument, Option

from segment.core.cli.command import INPUT_FAULT, run
from segment.core.outputs import staged

_Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def in_a_callback(number: int) -> None:
    def compare(*_: object) -> int:
        os.kill(os.getpid(), number)
        time.sleep(0.001)
        return 0

    ctypes.CDLL(None).qsort((ctypes.c_int * 2)(2, 1), 2, 4, _Compare(compare))


def in_a_finaliser(number: int) -> None:
    class Dropped:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            time.sleep(0.001)

    Dropped()


def in_a_long_callback(number: int) -> None:
    """Signals that are sent again fall into it, too."""
    calls = []

    def compare(*_: object) -> int:
        calls.append(1)
        if len(calls) == 1:
            os.kill(os.getpid(), number)
        time.sleep(0.01)
        return 0

    many = (ctypes.c_int * 16)(*range(16))
    ctypes.CDLL(None).qsort(many, 16, 4, _Compare(compare))


@pytest.fixture(autouse=True)
def _python_signals(monkeypatch):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("place", [in_a_callback, in_a_finaliser, in_a_long_callback])
def test_a_signal_is_heard_wherever_it_arrives(tmp_path, capsys, place, number):
    hook, handler = sys.unraisablehook, signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with staged(tmp_path / "out.txt") as partial:
            partial.write_text("half")
            place(number)
            for _ in range(1000):
                time.sleep(0.01)

    began = time.monotonic()
    assert run(work, []) == 2
    assert time.monotonic() - began < 8 and not list(tmp_path.iterdir())
    reported = capsys.readouterr().err.strip()
    assert reported.endswith("stopped. Nothing half-written was kept.") and "\n" not in reported
    assert (sys.unraisablehook, signal.getsignal(signal.SIGTERM)) == (hook, handler)


def test_a_signal_at_the_very_end_is_heard(capsys):
    assert run(lambda: in_a_callback(signal.SIGTERM), []) == 2
    assert "stopped" in capsys.readouterr().err
    time.sleep(0.2)  # and nothing is sent any more, which would end this process


def test_other_lost_errors_are_shown_as_before(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: seen.append(found.exc_type))

    def work() -> None:
        class Broken:
            def __del__(self) -> None:
                raise ValueError

        Broken()

    assert run(work, []) == 0 and seen == [ValueError]


@pytest.mark.slow
def test_sigterm_while_gdal_writes_a_map(tmp_path: Path):
    """In a process of its own, from outside, at many moments."""
    code = "import segment.cli; segment.cli.sample()"
    for delay in (0.0, 0.03, 0.11):
        command = [sys.executable, "-c", code, str(tmp_path / "town"), "--size", "20000"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while (
            not any(f.is_file() and f.stat().st_size > 10**6 for f in tmp_path.rglob("*"))
            and process.poll() is None
        ):
            time.sleep(0.02)
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        message = process.communicate(timeout=60)[1]
        assert process.returncode == 2 and message.strip().endswith(
            "stopped. Nothing half-written was kept."
        )
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["a.tif", "--format"], ("one", ["a.tif"])),
        (["--format", "a.tif", "b.tif"], ("one", ["a.tif", "b.tif"])),
        (["--format", "two", "a.tif"], ("two", ["a.tif"])),
        (["--format=two", "a.tif"], ("two", ["a.tif"])),
        (["a.tif", "--format", "--name", "x"], ("one", ["a.tif"])),
        (["--format", "--", "two"], ("one", ["two"])),
        (["--", "--format", "two"], (None, ["--format", "two"])),
        (["a.tif"], (None, ["a.tif"])),
        (["a.tif", "--name", "two"], (None, ["a.tif"])),
    ],
)
def test_the_value_of_an_option_in_brackets_may_be_left_out(arguments, received) -> None:
    seen = []

    def work(
        files: Annotated[list[str], Argument()],
        format: Annotated[Literal["one", "two"] | None, Option(metavar="[one|two]")] = None,
        name: str = "",
    ) -> None:
        seen.append((format, files))

    assert run(work, arguments) == 0
    assert seen == [received]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--edge", "20m"], "'--edge': should be a valid number. Received 20m. See"),
        (["--edge", "-1"], "'--edge': should be greater than or equal to 0. Received -1. See"),
        (["--kind", "z"], "'--kind': 'z' is not one of 'x', 'y'. See"),
        (["--edges"], "No such option: --edges (Possible options: --edge). See"),
    ],
)
def test_usage_errors_are_sentences_with_the_value_received(arguments, expected, capsys) -> None:
    def work(
        edge: Annotated[float, Option(min=0)] = 1,
        kind: Annotated[Literal["x", "y"], Option()] = "x",
    ) -> None: ...

    assert run(work, arguments) == INPUT_FAULT
    assert expected in capsys.readouterr().err
