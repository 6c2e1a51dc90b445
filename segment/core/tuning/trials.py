"""Trainings of a study: each is the ordinary command in a process of its own, watched through the history that it writes."""

import math
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from segment.core.config import Settings, change_settings, dump_settings
from segment.core.errors import InputError
from segment.core.lock import remove_lock
from segment.core.machine import thread_limits
from segment.core.training.history import HISTORY, Row, read_history
from segment.core.tuning.child_process import start_attended

PROBLEM = "problem"
"""User attribute of a failed trial that says why; without it a trial was only stopped."""
_POLL = 0.5  # seconds
_UNTOUCHED = 1 / 3  # of the epochs that the defaults have, before a trial may be stopped


class TrialFailed(Exception):
    """A training that came to nothing, and why."""


def no_files(data: Sequence[Path]) -> list[Path]:
    """Finds none."""
    return []


@dataclass(frozen=True)
class Task:
    """What a study trains. module: has the command `train`. data: its folders. defaults: the settings that trials change.
    scores: what may be maximised, the first that a history has: its column in history.csv and its key in report.json.
    files: that are used of the data folders. val_seed: the setting that draws validation, and not the test, anew. find_files:
    finds the files in data folders, on other machines, too.
    """

    module: str
    data: Sequence[Path]
    defaults: Settings
    scores: Mapping[str, str]
    files: Sequence[Path] = ()
    val_seed: str = "data.val_seed"
    find_files: Callable[[Sequence[Path]], Sequence[Path]] = no_files

    @property
    def patience(self) -> int:
        """Epochs that a trial has before it may be stopped."""
        return math.ceil(int(training_of(self.defaults)["epochs"]) * _UNTOUCHED)

    def describe_files(self) -> str:
        """How many files are used and a digest of their names, wherever their folders lie."""
        names = sorted(
            next((file.relative_to(folder) for folder in self.data if folder in file.parents), file).as_posix()
            for file in self.files
        )
        return f"{len(names)} ({sha256(chr(10).join(names).encode(errors='surrogateescape')).hexdigest()[:8]})"


def training_of(settings: Settings) -> dict[str, Any]:
    """The part `training` of settings of any kind."""
    found: dict[str, Any] = settings.model_dump()["training"]
    return found


@dataclass(frozen=True)
class Conditions:
    """What a training runs under. cores: that TensorFlow keeps to; None: it takes all. start: the folder it is started in; None:
    that of this process. watch: called every half second; what it raises ends the training. is_apart: whether a Ctrl-C in the
    terminal is none of its business.
    """

    cores: int | None = None
    start: Path | None = None
    watch: Callable[[], None] = lambda: None
    is_apart: bool = False


def check_memory_limit(memory_mb: float | None) -> None:
    """Raises InputError when the memory of other processes cannot be watched here."""
    if memory_mb is not None and not Path("/proc/self/status").exists():
        raise InputError("--memory: needs a system that tells how much processes hold (Linux). Received another. Leave it out.")


def run_trial(
    task: Task,
    values: Mapping[str, Any],
    folder: Path,
    *,
    on_epoch: Callable[[int, float], None] = lambda epoch, score: None,
    memory_mb: float | None = None,
    keep: Callable[[Path], Any] = lambda folder: None,
    conditions: Conditions = Conditions(),
) -> Any:
    """Trains with other values than the defaults, and returns what `keep` makes of the run folder before it is removed.

    values: by "part.key". folder: its run folder. on_epoch: told of each epoch, from 1, and its score; what it raises ends
    the training. memory_mb: more than that ends it.

    Raises TrialFailed when the training does not end well, InputError when settings do not take the values.
    """
    config = folder.with_name(f"{folder.name}.yaml")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(dump_settings(change_settings(task.defaults, values)), encoding="utf-8")
    try:
        _train(task, config, folder, on_epoch, memory_mb, conditions)
        return keep(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        config.unlink(missing_ok=True)
        remove_lock(folder)  # of a training that was ended


def best_score(folder: Path, task: Task) -> float:
    """That of the best epoch of a run folder. Raises TrialFailed when there is none."""
    history = read_history(folder / HISTORY)
    if not history:
        raise TrialFailed("ended without a score")
    return max(_score(row, task) for row in history)


def _train(
    task: Task,
    config: Path,
    folder: Path,
    on_epoch: Callable[[int, float], None],
    memory_mb: float | None,
    conditions: Conditions,
) -> None:
    arguments, told = [*map(str, task.data), "--config", str(config), "--output", str(folder), "--quiet"], 0
    with tempfile.TemporaryFile() as complaints:
        process = start_attended(
            task.module,
            "train",
            arguments,
            complaints,
            environment={} if conditions.cores is None else thread_limits(conditions.cores),
            start=conditions.start,
            is_apart=conditions.is_apart,
        )
        try:
            ended = False
            while not ended:
                conditions.watch()
                ended = process.poll() is not None
                history = read_history(folder / HISTORY)
                for row in history[told:]:
                    on_epoch(int(row["epoch"]), _score(row, task))
                told = len(history)
                used = _memory_mb(process.pid)
                if memory_mb is not None and used > memory_mb:
                    raise TrialFailed(f"took {used:.0f} MB of memory, more than {memory_mb:.0f}")
                if not ended:
                    time.sleep(_POLL)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            complaints.seek(0)
            raise TrialFailed(_explain(process.returncode, complaints.read().decode(errors="replace")))


def _score(row: Row, task: Task) -> float:
    score = next((row[column] for column in task.scores if column in row), math.nan)
    if not math.isfinite(score):
        raise TrialFailed(f"scored {score} as {' or '.join(task.scores)}")
    return score


def _explain(status: int, complaints: str) -> str:
    if status == -signal.SIGKILL:
        return "was killed, as the system does when memory runs out"
    if status < 0:
        return f"ended by signal {-status}"
    lines = complaints.strip().splitlines()
    return (lines[-1].partition(": ")[2] or lines[-1]) if lines else f"ended with status {status}"


def _memory_mb(process: int) -> float:
    """What a process holds in main memory; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)
