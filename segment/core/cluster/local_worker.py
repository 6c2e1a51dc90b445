"""Setup of the workers of a cluster on this machine."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Makes a worker ignore Ctrl-C.

    A Ctrl-C reaches all processes of a terminal. It is left to the command, which then ends its
    workers.

    Args:
        worker: Worker that starts, passed by Dask.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
