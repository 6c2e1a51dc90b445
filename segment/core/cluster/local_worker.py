"""What workers of a cluster on this machine begin with."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leaves a Ctrl-C in the terminal, which all its processes get, to the command, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
