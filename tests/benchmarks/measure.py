"""Measuring and printing of figures."""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

COMMANDS = Path(sys.executable).parent
MEASURED: list[dict[str, Any]] = []
"""Figures of this run."""


def report_figure(
    figure: str,
    value: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    **details: Any,
) -> None:
    """Prints a figure as a line of JSON, with the target it is measured against."""
    value = float(value)
    target = (
        {"at_least": at_least}
        if at_least is not None
        else {"at_most": at_most}
        if at_most is not None
        else {}
    )
    reached = None
    if target:
        reached = value >= at_least if at_least is not None else value <= at_most  # type: ignore[operator]
    line = {
        "figure": figure,
        "value": round(value, 4),
        **target,
        **({} if reached is None else {"reached": reached}),
        **details,
    }
    MEASURED.append(line)
    print(json.dumps(line), flush=True)


def machine() -> str:
    """Describes the processor, its cores and the version of Python."""
    name = platform.processor()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(
            (line.split(":")[1].strip() for line in lines if line.startswith("model name")), name
        )
        flags = next((line for line in lines if line.startswith("flags")), "")
        name += ", " + ", ".join(
            kind for kind in ("avx512_vnni", "avx512_bf16", "amx_int8") if kind in flags
        )
    return f"{name}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


@dataclass(frozen=True)
class Run:
    """Time and peak memory of a command that was run to its end."""

    seconds: float
    peak_mb: float


def run(command: Sequence[str | Path]) -> Run:
    """Runs a command and measures it as a whole, including its start.

    Raises RuntimeError if the command fails.
    """
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile() as complaint:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=complaint
        )
        while process.poll() is None:
            peak = max(peak, high_water(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        if process.returncode:
            complaint.seek(0)
            raise RuntimeError(f"{command[0]} failed: {complaint.read().decode()[-2000:]}")
    return Run(seconds, peak / 1024)


def high_water(pid: int) -> int:
    """Returns the peak resident memory (KiB) of a process so far.

    getrusage is not used, because it starts with the peak of the parent process.
    """
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:  # it has ended
        return 0
    return int(found[1]) if found else 0


def segment_predict(scene: Path, model: Path, output: Path, *options: str) -> Run:
    """Maps a scene with the command, from the beginning."""
    options = (
        "--model",
        str(model),
        "--output",
        str(output),
        "--overwrite",
        "--no-resume",
        "--quiet",
        *options,
    )
    return run([COMMANDS / "segment-predict", scene, *options])


def take_turns(contestants: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Calls functions in turns and returns the median result of each.

    Each round starts with another function.
    """
    found: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(contestants[name]())
    return {name: median(values) for name, values in found.items()}


def timed(call: Callable[[], object]) -> float:
    """Returns the seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
