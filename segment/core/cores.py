"""Cores that a process may compute with."""

import os


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
