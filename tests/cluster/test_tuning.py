"""Studies whose trials the workers of a cluster run, with a training that takes no time, and what
becomes of its processes.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import optuna
import psutil
import pytest

from classify.config import Config
from segment.core.cli.command import INPUT_FAULT
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.progress import Silent
from segment.core.tuning.search import Search
from segment.core.tuning.search_space import Parameter
from segment.core.tuning.study import listed_trials
from segment.core.tuning.tune import tune
from tests.cluster.processes import ROOT, Cluster, wait_for
from tests.cluster.tuning import SPACE, task_of
from tests.core.tuning.test_tune import FILES
from tests.fake_training import WAIT, accuracy

pytestmark = pytest.mark.heavy


pytest.importorskip("distributed")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder; no training of it may be left in the end."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").touch()
    yield folder
    left = trainings(folder)
    for process in left:
        process.kill()
    assert not left


@pytest.fixture
def wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that keeps trainings from ending, of this test's processes, as long as it is there."""
    path = tmp_path / "wait"
    path.touch()
    monkeypatch.setenv(WAIT, str(path))
    return path


def trainings(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if process.name().startswith("python") and {"tests.fake_training", str(data)} <= set(
                process.cmdline()
            ):
                found.append(process)
    return found


def command(data: Path, output: Path, address: str, *options: object) -> "subprocess.Popen[str]":
    """A tuning in a process, and a group of processes as of a terminal, of its own."""
    arguments = ["-m", "tests.cluster.tuning", data, output, address, *options]
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def trials(output: Path, name: str = "tuning") -> list[optuna.trial.FrozenTrial]:
    return listed_trials(optuna.load_study(study_name=name, storage=f"sqlite:///{output}/study.db"))


def states(output: Path) -> list[str]:
    """Of the first study's trials; asked of the database itself, while others write to it."""
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"file:{output}/study.db?mode=ro", uri=True)) as database,
    ):
        return [
            state for (state,) in database.execute("select state from trials where study_id = 1")
        ]
    return []  # it is being made


def wait_for_trials(process: "subprocess.Popen[str]", output: Path, count: int) -> None:
    """Until so many are under way."""
    wait_for(
        lambda: states(output).count("RUNNING") >= count or process.poll() is not None,
        f"{count} trials under way",
    )
    assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_a_study_on_processes_here_has_its_trials_and_their_worth(
    tmp_path: Path, data: Path
) -> None:
    process = command(data, tmp_path / "out", "local:2", "--trials", 3)
    reported, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    found = trials(tmp_path / "out")
    assert [trial.state.name in ("COMPLETE", "PRUNED") for trial in found] == [True] * 3
    assert len({trial.user_attrs["worker"][1] for trial in found}) == 2
    assert (
        sum(line.startswith("trial ") and "seed" not in line for line in reported.splitlines()) == 3
    )
    assert "local:2: 1 worker with" in reported or "local:2: 2 workers with" in reported
    best = load_settings(Config, tmp_path / "out" / "best.yaml")
    expected = max(
        accuracy(trial.params["training.learning_rate"], trial.params["model.dropout"])
        for trial in found
    )
    assert accuracy(best.training.learning_rate, best.model.dropout) == pytest.approx(expected)
    reruns = trials(tmp_path / "out", "tuning/confirmation")
    # a process that finds all of them begun by others prunes its trial
    assert {trial.state.name for trial in reruns} <= {"COMPLETE", "PRUNED"}
    complete = [trial for trial in reruns if trial.state.name == "COMPLETE"]
    assert len(complete) == 2
    scores = {tuple(trial.user_attrs["pair"]): trial.value for trial in complete}
    number = max(found, key=lambda trial: trial.value or 0).number
    assert scores == {
        (-1, 1): pytest.approx(accuracy(1e-4, 0.2) - 0.04),
        (number, 1): pytest.approx(expected - 0.04),
    }
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == FILES


@pytest.mark.slow
def test_workers_that_die_or_come_late_leave_a_study_with_its_trials(
    tmp_path: Path, data: Path, wait: Path, own_cluster: Cluster
) -> None:
    own_cluster.start_worker()
    process = command(data, tmp_path / "out", own_cluster.address, "--trials", 3, "--confirm", 0)
    wait_for_trials(process, tmp_path / "out", 1)
    own_cluster.start_worker()
    wait_for_trials(process, tmp_path / "out", 2)
    own_cluster.kill_a_worker(0)
    wait.unlink()
    reported, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    assert reported.count("failed: its process was stopped") == 1
    found = trials(tmp_path / "out")
    assert [trial.state.name for trial in found].count("FAIL") == 1 and len(found) == 4
    assert len({trial.user_attrs["worker"][1] for trial in found}) >= 2


@pytest.mark.slow
def test_the_same_command_goes_on_after_the_scheduler_was_killed(
    tmp_path: Path, data: Path, wait: Path, own_cluster: Cluster
) -> None:
    own_cluster.start_worker()
    process = command(data, tmp_path / "out", own_cluster.address, "--trials", 2, "--confirm", 0)
    wait_for_trials(process, tmp_path / "out", 1)
    own_cluster.scheduler.kill()
    reported, complaints = process.communicate()
    assert process.returncode == INPUT_FAULT, reported
    (line,) = complaints.splitlines()
    assert "the scheduler does not answer any more" in line
    assert "0 of 2 trials have ended: the same command goes on from there." in line
    wait_for(lambda: not trainings(data), "end of the trainings")
    assert states(tmp_path / "out") == ["FAIL"]
    wait.unlink()
    again = Cluster(tmp_path / "again")
    try:
        again.start_worker()
        process = command(data, tmp_path / "out", again.address, "--trials", 2, "--confirm", 0)
        reported, complaints = process.communicate()
    finally:
        again.end()
    assert (process.returncode, complaints) == (0, "")
    assert states(tmp_path / "out") == ["FAIL", "COMPLETE", "COMPLETE"]


@pytest.mark.slow
def test_ctrl_c_ends_all_that_a_command_started(tmp_path: Path, data: Path, wait: Path) -> None:
    process = command(data, tmp_path / "out", "local:2")
    wait_for_trials(process, tmp_path / "out", 2)
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    reported, complaints = process.communicate()
    assert process.returncode == INPUT_FAULT, reported
    assert (
        complaints
        == "tune: stopped. 0 of 5 trials have ended: the same command goes on from there.\n"
    )
    wait_for(lambda: not any(child.is_running() for child in family), "end of all processes")
    assert [
        (trial.state.name, trial.user_attrs.get("problem")) for trial in trials(tmp_path / "out")
    ] == [("FAIL", None)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_trainings_end_with_the_command_where_workers_live_on(
    tmp_path: Path, data: Path, wait: Path, own_cluster: Cluster, end: signal.Signals
) -> None:
    own_cluster.start_worker()
    process = command(data, tmp_path / "out", own_cluster.address)
    wait_for_trials(process, tmp_path / "out", 1)
    process.send_signal(end)
    process.communicate()
    wait_for(
        lambda: not trainings(data) and states(tmp_path / "out") == ["FAIL"],
        "end of the trial and its training",
    )


def elsewhere() -> str:
    return "another machine"


def test_unusable_workers_are_reported_and_without_others_nothing_is_tuned(
    tmp_path: Path, data: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusal(output: str, **changes: object) -> str:
        with pytest.raises(InputError, match="no worker can be used, 2 refused") as error:
            tune(
                replace(task_of(data), **changes),
                tmp_path / output,
                SPACE,
                Search(trials=1),
                cluster=cluster.address,
            )
        assert states(tmp_path / output) in ([], ["WAITING"])
        return str(error.value)

    assert "files here, 1 (" in refusal("a", find_files=named_by_process)
    with monkeypatch.context() as patch:
        patch.setattr(
            "segment.core.tuning.cluster.absolute",
            lambda storage: f"sqlite:///{tmp_path}/no/such/folder.db",
        )
        assert "the database of studies cannot be used:" in refusal("b")
        patch.setattr("segment.core.tuning.cluster.this_machine", elsewhere)
        assert "Name a database with --storage" in refusal("c")


def named_by_process(folders: list[Path]) -> list[Path]:
    return [folder / str(os.getpid()) for folder in folders]


def changing(folders: list[Path]) -> list[Path]:
    """Other files once this machine and two workers have looked for them."""
    looks = folders[0].with_name("looks")
    with open(looks, "a") as file:
        file.write("x")
    return [folders[0] / ("then" if looks.stat().st_size <= 3 else "now")]


def test_a_worker_that_loses_the_data_fails_no_trial(
    tmp_path: Path, data: Path, cluster: Cluster
) -> None:
    space, reported = {"training.learning_rate": Parameter(low=0.2, high=0.3)}, list[str]()

    class Lines(Silent):
        def say(self, line: str) -> None:
            reported.append(line)

    task = replace(task_of(data), find_files=changing)
    with pytest.raises(
        InputError, match="no worker can be used, 2 refused.*files here, 1 .* at the command"
    ):
        tune(task, tmp_path / "out", space, Search(trials=3), Lines(), cluster=cluster.address)
    assert not any("problem" in trial.user_attrs for trial in trials(tmp_path / "out"))
    assert sum("A worker is left out" in line for line in reported) == 2


def test_nothing_but_failures_ends_with_their_reason(
    tmp_path: Path, data: Path, cluster: Cluster
) -> None:
    space = {"training.learning_rate": Parameter(low=0.2, high=0.3)}
    with pytest.raises(InputError, match=r"All \d trials failed. Last error: .*must stay finite"):
        tune(task_of(data), tmp_path / "out", space, Search(trials=9), cluster=cluster.address)
    wait_for(lambda: not trainings(data), "end of a training that the other worker was at")
