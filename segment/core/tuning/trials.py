"""Trainings of a study, each run by the ordinary command in a child process.

They are followed through the history that the command writes.
"""

import json
import math
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segment.core.config import change_settings, dump_settings
from segment.core.errors import InputError
from segment.core.lock import remove_lock
from segment.core.machine import thread_limits
from segment.core.reports.page import REPORT_FILE
from segment.core.training.history import HISTORY, Row, read_history
from segment.core.tuning.child_process import start_child
from segment.core.tuning.search import Task

PROBLEM = "problem"
"""User attribute of a failed trial: the reason. A trial without it was only stopped."""
_POLL = 0.5  # seconds


class TrialFailed(Exception):
    """A training that failed. The message says why."""


def _do_nothing() -> None:
    pass


@dataclass(frozen=True)
class Conditions:
    """Conditions under which trainings run.

    Attributes:
        cores: Cores that TensorFlow may use; None for all.
        start: Working directory of the training; None for that of this process.
        watch: Called every half second. An exception that it raises ends the training.
        check: Called after a failed training. An exception that it raises says that any training
            would fail here.
        memory_mb: Main memory in MB that ends a training if its process takes more; None for no
            limit.
    """

    cores: int | None = None
    start: Path | None = None
    watch: Callable[[], None] = _do_nothing
    check: Callable[[], None] = _do_nothing
    memory_mb: float | None = None


def check_memory_limit(memory_mb: float | None) -> None:
    """Checks that a memory limit can be enforced on this system.

    Args:
        memory_mb: Limit in MB; None for no limit, which is always possible.

    Raises:
        InputError: If the system does not show the memory of other processes.
    """
    if memory_mb is not None and not Path("/proc/self/status").exists():
        raise InputError(
            "--memory needs Linux, which reports the memory of processes. Leave it out."
        )


def run_trial(
    task: Task,
    values: Mapping[str, Any],
    folder: Path,
    *,
    on_epoch: Callable[[int, float], None] = lambda epoch, score: None,
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
        _train(task, config, folder, on_epoch, conditions)
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


def final_score(folder: Path, task: Task) -> tuple[str, float]:
    """Reads the final score of a finished run folder.

    Args:
        folder: Run folder.
        task: What was trained; it names the scores.

    Returns:
        The part and its score. The part is "test", or "validation" if there is no test part.

    Raises:
        TrialFailed: If there is no score because no image of the part has a label.
    """
    found: dict[str, Any] = json.loads((folder / REPORT_FILE).read_text())
    part, figures = ("test", found["test"]) if found["test"] else ("validation", found)
    score = next(figures[key] for key in task.scores.values() if key in figures)
    if score is None:
        raise TrialFailed(f"no image of its {part} has any label")
    return part, score


def _train(
    task: Task,
    config: Path,
    folder: Path,
    on_epoch: Callable[[int, float], None],
    conditions: Conditions,
) -> None:
    arguments = [*map(str, task.data), "--config", str(config), "--output", str(folder), "--quiet"]
    reported, limit = 0, conditions.memory_mb
    with tempfile.TemporaryFile() as errors:
        process = start_child(
            task.module,
            "train",
            arguments,
            errors,
            environment={} if conditions.cores is None else thread_limits(conditions.cores),
            start=conditions.start,
        )
        try:
            ended = False
            while not ended:
                conditions.watch()
                ended = process.poll() is not None
                history = read_history(folder / HISTORY)
                for row in history[reported:]:
                    on_epoch(int(row["epoch"]), _score(row, task))
                reported = len(history)
                used = _memory_mb(process.pid)
                if limit is not None and used > limit:
                    raise TrialFailed(f"took {used:.0f} MB of memory, more than {limit:.0f}")
                if not ended:
                    time.sleep(_POLL)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            errors.seek(0)
            raise TrialFailed(_explain(process.returncode, errors.read().decode(errors="replace")))


def _score(row: Row, task: Task) -> float:
    score = next((row[column] for column in task.scores if column in row), math.nan)
    if not math.isfinite(score):
        raise TrialFailed(f"scored {score} as {' or '.join(task.scores)}")
    return score


def _explain(status: int, errors: str) -> str:
    if status == -signal.SIGKILL:
        return "was killed, as the system does when memory runs out"
    if status < 0:
        return f"ended by signal {-status}"
    lines = errors.strip().splitlines()
    return (lines[-1].partition(": ")[2] or lines[-1]) if lines else f"ended with status {status}"


def _memory_mb(process: int) -> float:
    """Returns the main memory that a process holds, in MB; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)
