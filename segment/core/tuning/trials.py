"""Trainings of a study, each run by the ordinary command in a child process.

They are followed through the history that the command writes.
"""

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
"""User attribute of a failed trial: the reason. A trial without it was only stopped."""
_POLL = 0.5  # seconds
_UNTOUCHED = 1 / 3  # share of the default epochs before a trial may be stopped


class TrialFailed(Exception):
    """A training that failed. The message says why."""


def no_files(data: Sequence[Path]) -> list[Path]:
    """Finds no files; the default of `Task.find_files`.

    Args:
        data: Data folders.

    Returns:
        An empty list.
    """
    return []


@dataclass(frozen=True)
class Task:
    """What a study trains.

    Attributes:
        module: Module that has the command `train`.
        data: Data folders.
        defaults: Settings that trials change.
        scores: Scores that may be maximised: the key in report.json by the column in history.csv.
            The first one that the history has is maximised.
        files: Files of the data folders that are used.
        val_seed: Setting that draws another validation part but the same test part.
        find_files: Finds the used files of data folders, on other machines, too.
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
        """Describes the files in use.

        Returns:
            Their number and a digest of their names, which do not depend on where the data folders
            are.
        """
        names = sorted(
            next(
                (file.relative_to(folder) for folder in self.data if folder in file.parents), file
            ).as_posix()
            for file in self.files
        )
        return (
            f"{len(names)}"
            f" ({sha256(chr(10).join(names).encode(errors='surrogateescape')).hexdigest()[:8]})"
        )


def training_of(settings: Settings) -> dict[str, Any]:
    """Returns the part `training` of settings of any kind.

    Args:
        settings: Settings of a training command.

    Returns:
        Values by key.
    """
    found: dict[str, Any] = settings.model_dump()["training"]
    return found


@dataclass(frozen=True)
class Conditions:
    """Conditions under which a training runs.

    Attributes:
        cores: Cores that TensorFlow may use; None for all.
        start: Working directory of the training; None for that of this process.
        watch: Called every half second. An exception that it raises ends the training.
        is_apart: Whether Ctrl-C in the terminal does not reach the training.
    """

    cores: int | None = None
    start: Path | None = None
    watch: Callable[[], None] = lambda: None
    is_apart: bool = False


def check_memory_limit(memory_mb: float | None) -> None:
    """Checks that a memory limit can be enforced on this system.

    Args:
        memory_mb: Limit in MB; None for no limit, which is always possible.

    Raises:
        InputError: If the system does not show the memory of other processes.
    """
    if memory_mb is not None and not Path("/proc/self/status").exists():
        raise InputError(
            "--memory: only Linux reports how much memory processes use. Leave it out."
        )


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
    """Trains with other values than the defaults, and removes the run folder afterwards.

    Args:
        task: What to train.
        values: Values of settings, by "part.key".
        folder: Run folder of the training.
        on_epoch: Called with the number of each epoch, from 1, and its score. An exception that it
            raises ends the training.
        memory_mb: Main memory in MB that ends the training if its process takes more; None for no
            limit.
        keep: Called with the run folder before it is removed.
        conditions: Conditions under which the training runs.

    Returns:
        What `keep` returns.

    Raises:
        TrialFailed: If the training does not end well.
        InputError: If the settings do not take the values.
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
        remove_lock(folder)  # left by a training that was killed


def best_score(folder: Path, task: Task) -> float:
    """Returns the score of the best epoch of a run folder.

    Args:
        folder: Run folder.
        task: What was trained; it names the scores.

    Returns:
        The score.

    Raises:
        TrialFailed: If no epoch has ended, or a score is not finite.
    """
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
    arguments, told = (
        [
            *map(str, task.data),
            "--config",
            str(config),
            "--output",
            str(folder),
            "--quiet",
        ],
        0,
    )
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
            raise TrialFailed(
                _explain(process.returncode, complaints.read().decode(errors="replace"))
            )


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
    """Returns the main memory that a process holds, in MB; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)
