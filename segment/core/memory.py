"""What a process takes of the machine's memory."""

import re
import sys
from pathlib import Path


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
