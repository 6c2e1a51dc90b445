import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from segment.config import Config
from segment.core import lock
from segment.core.errors import InputError
from segment.core.lock import alone, refuse_busy
from segment.core.outputs import finish_moving, refuse_existing, staged, staged_files
from segment.core.training.checkpoints import CHECKPOINT
from segment.core.training.run_folder import check_run, run_folder

pytestmark = pytest.mark.heavy


HOLDS = (
    "import sys, time, pathlib, segment.core.{module} as m\nwith {work}:\n    print(flush=True)\n  "
    "  time.sleep(60)"
)


class Other:
    """Another process that is in the midst of its work."""

    def __init__(self, module: str, work: str):
        code = HOLDS.format(module=module, work=work)
        self.process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait()


@pytest.fixture(params=[signal.SIGKILL, signal.SIGINT])
def ending(request):
    return request.param


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_the_other_process_is_named_until_it_is_dead(tmp_path, ending):
    other = Other("lock", f"m.alone(pathlib.Path({str(tmp_path / 'run')!r}))")
    for attempt in range(2):
        with pytest.raises(
            InputError, match=rf"run: is being written by process {other.process.pid} .*Wait"
        ) as reported:
            (
                alone(tmp_path / "run").__enter__,
                lambda: refuse_busy(tmp_path / "run"),
            )[attempt]()
        assert "\n" not in str(reported.value)
    other.end(ending)
    with alone(tmp_path / "run"):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder", "files"])
def test_what_another_process_is_writing_stays_its_own(tmp_path, kind, ending):
    target = tmp_path / "out" / "a.txt"
    place = f"pathlib.Path({str(target)!r})"
    work = f"m.staged_files({place}.parent, ['a.txt'])" if kind == "files" else f"m.staged({place})"
    other = Other(
        "outputs",
        f"{work} as s, open((s.new if hasattr(s, 'new') else s.parent) / '.mine.partial', 'w')",
    )
    before = names(target.parent)
    with pytest.raises(InputError, match=f"being written by process {other.process.pid}"):
        if kind == "files":
            with staged_files(target.parent, ["a.txt"]):
                raise AssertionError
        with staged(target):
            raise AssertionError
    assert names(target.parent) == before
    other.end(ending)
    (tmp_path / "out").mkdir(exist_ok=True)  # gone with a process that could tidy up
    if kind == "files":
        with staged_files(target.parent, ["a.txt"]) as stage:
            (stage.new / "a.txt").write_text("whole")
    else:
        with staged(target) as partial:
            if kind == "folder":
                partial.mkdir()
                partial /= "b.txt"
            partial.write_text("whole")
    (target.parent / ".mine.partial").unlink(missing_ok=True)
    assert names(target.parent) == ["a.txt"]


def test_moving_files_of_another_process_are_left_to_it(tmp_path):
    with staged_files(tmp_path, ["a", "b"]) as stage:
        (stage.new / "a").write_text("whole")
        (stage.new.parent / "moving").write_text('[["a"], []]')
        with pytest.raises(InputError, match="being written by process"):
            finish_moving(tmp_path, "a")
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_folder_that_is_written_is_refused(tmp_path, monkeypatch, resume, overwrite):
    output = tmp_path / "runs" / "first"
    with run_folder(output, Config(), resume=False):
        if resume:
            (output / CHECKPOINT).parent.mkdir()
            (output / CHECKPOINT).touch()
        (tmp_path / "link").symlink_to(output)
        monkeypatch.chdir(output)
        for place in (output, tmp_path / "link", Path("."), output / ".." / "first"):
            with pytest.raises(InputError, match=f"being written by process {os.getpid()}"):
                check_run(place, Config(), resume=resume, overwrite=overwrite)
            with (
                pytest.raises(InputError, match="being written by process"),
                run_folder(place, Config(), resume, overwrite),
            ):
                raise AssertionError
        monkeypatch.chdir(tmp_path)
        assert (output / "config.yaml").is_file()
    assert names(tmp_path / "runs") == ["first"]


def test_a_run_that_ended_while_another_read_its_data_is_not_replaced(tmp_path):
    output = tmp_path / "first"
    check_run(output, Config(), resume=False, overwrite=False)
    with run_folder(output, Config(), resume=False, overwrite=False):
        (output / "model.keras").write_text("the first")
    with (
        pytest.raises(InputError, match="--overwrite"),
        run_folder(output, Config(), resume=False, overwrite=False),
    ):
        raise AssertionError
    assert (output / "model.keras").read_text() == "the first"
    assert names(tmp_path) == ["first"]


@pytest.mark.slow
def test_a_killed_training_stands_in_no_ones_way(tmp_path):
    output = tmp_path / "runs" / "first"
    settings = "__import__('segment.config', fromlist=['Config']).Config()"
    other = Other(
        "training.run_folder", f"m.run_folder(pathlib.Path({str(output)!r}), {settings}, False)"
    )
    with pytest.raises(InputError, match=str(other.process.pid)):
        check_run(output, Config(), resume=False, overwrite=True)
    other.end(signal.SIGKILL)
    assert names(tmp_path / "runs") == [".first.lock", "first"]
    check_run(output, Config(), resume=False, overwrite=False)
    with run_folder(output, Config(), resume=False, overwrite=False):
        (output / "model.keras").touch()
    assert names(tmp_path / "runs") == ["first"]


def test_locks_are_no_reason_to_refuse_a_folder(tmp_path):
    (tmp_path / "out").mkdir()
    for name in (".report.json.lock", ".model.keras.partial.keras", ".report.json.partial"):
        (tmp_path / "out" / name).touch()
    refuse_existing(tmp_path / "out", True, ("report.json",))
    (tmp_path / "out" / "poetry.lock").touch()
    with pytest.raises(InputError, match=r"poetry\.lock"):
        refuse_existing(tmp_path / "out", True, ("report.json",))


def test_one_of_many_that_begin_at_once_writes_and_nothing_is_left(tmp_path):
    code = (
        "import sys, time, pathlib, segment.core.outputs as m\nfrom segment.core.errors import"
        " InputError\nfor turn in range(40):\n    try:\n        with"
        " m.staged(pathlib.Path(sys.argv[1]), overwrite=True) as p:\n           "
        " p.write_text(sys.argv[2] * 1000); time.sleep(0.001); assert p.read_text() == sys.argv[2]"
        " * 1000\n    except InputError as error: assert 'being written' in str(error)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a"), letter])
        for letter in "xyz"
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() in {letter * 1000 for letter in "xyz"}


def test_file_systems_without_locks_go_by_the_number_of_the_process(tmp_path, monkeypatch):
    import fcntl

    def unsupported(*_: object) -> None:
        raise OSError("no locks")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with (
        alone(tmp_path / "a"),
        pytest.raises(InputError, match=f"process {os.getpid()}"),
    ):
        alone(tmp_path / "a").__enter__()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for holder in (
        "",
        "garbage",
        f"{ended.pid}\n{lock.socket.gethostname()}\nsegment-train",
        "1\nelsewhere\nsegment-train",
    ):
        (tmp_path / ".a.lock").write_text(holder)
        with alone(tmp_path / "a"):
            assert (tmp_path / ".a.lock").read_text().startswith(str(os.getpid()))
    assert names(tmp_path) == []


def test_what_an_output_was_replaced_by_when_its_process_was_killed_is_put_back(tmp_path):
    (tmp_path / ".a.replaced").write_text("old")
    with pytest.raises(RuntimeError), staged(tmp_path / "a", overwrite=True):
        raise RuntimeError
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"
