"""This machine: its identity, and the cores and memory that a process may use or has used."""

import os
import platform
import re
import sys
import time
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_machine() -> str:
    """Returns an identifier of this machine.

    It does not depend on the host name that processes and containers see, except where the system
    has no boot ID.

    Returns:
        The boot ID of the system, or else the host name.
    """
    return _BOOT.read_text().strip() if _BOOT.is_file() else platform.node()


def available_cores() -> int:
    """Returns the number of cores that the system lets this process use.

    Returns:
        All cores of the machine, or fewer, as in a SLURM job.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_limits(cores: int) -> dict[str, str]:
    """Returns the environment variables that limit the cores TensorFlow uses in a process.

    Args:
        cores: Largest number of cores.

    Returns:
        Values by variable name. Variables that the user has set keep their values.
    """
    wanted = {"TF_NUM_INTRAOP_THREADS": str(cores), "TF_NUM_INTEROP_THREADS": "1"}
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def process_start() -> float:
    """Returns when this process started.

    Returns:
        Moment of `time.monotonic`; where the system does not report it, one that lies as far back
        as the processor time that was used.
    """
    stat = Path("/proc/self/stat")
    if not stat.is_file():
        return time.monotonic() - time.process_time()
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])  # since the machine was started
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


def peak_memory_mb() -> float | None:
    """Returns the peak memory of this process since its start.

    Returns:
        MiB, including the libraries that were loaded, or None where the system does not report it.
    """
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux getrusage would count the parent process, too
        return round(int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 2**10, 1)  # type: ignore[index]
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
