"""This machine: its identity, and the cores and memory that a process may take or has taken."""

import os
import platform
import re
import sys
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_machine() -> str:
    """What tells this machine from others, whatever its processes and containers take for its name."""
    return _BOOT.read_text().strip() if _BOOT.is_file() else platform.node()


def available_cores() -> int:
    """Those that the system lets this process use: all of the machine's, or fewer, as in a job of SLURM."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads(cores: int) -> None:
    """Keeps TensorFlow, if it is loaded later on, from taking more cores than this process was given."""
    os.environ |= thread_limits(cores)


def thread_limits(cores: int) -> dict[str, str]:
    """The environment of a process whose TensorFlow is to take no more cores, unless the user has set it."""
    wanted = {"TF_NUM_INTRAOP_THREADS": str(cores), "TF_NUM_INTEROP_THREADS": "1"}
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def peak_memory_mb() -> float | None:
    """The most megabytes that this process has held since it started, what it loaded included; None where nobody knows."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says there counts the process that started this one, too
        return round(int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 2**10, 1)  # type: ignore[index]
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
