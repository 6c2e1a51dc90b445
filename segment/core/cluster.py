"""Dask clusters: one that runs somewhere, or one of processes on this machine."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from segment.core.cores import available_cores
from segment.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

_LOCAL = re.compile(r"local:([1-9]\d*)")
_ADDRESS = re.compile(r"(?!local:)(\w+://)?[^/\s]+:\d+")
_PATIENCE = 30  # seconds to reach a scheduler in
_SETTINGS = {
    "distributed.worker.profile.enabled": False,  # nobody looks at it, and it takes time
    "distributed.admin.low-level-log-length": 100,  # else the last thousand messages, with all blocks in them, stay in memory
}


def check_address(address: str) -> None:
    """Raises InputError when Dask is not installed, or the address is none."""
    if find_spec("distributed") is None:
        raise InputError(
            "A cluster takes the packages dask and distributed. Received none. "
            "Install them: pip install 'aerial-segment[cluster]'."
        )
    if not _LOCAL.fullmatch(address) and not _ADDRESS.fullmatch(address):
        raise InputError(
            f"--cluster: the address of a Dask scheduler, or local:N for N processes here. Received {address!r}. "
            "Write e.g. tcp://host:8786 or local:4."
        )


@contextmanager
def connect(address: str) -> Iterator["Client"]:
    """A client of the scheduler at `address`; for local:N, of a new one with N worker processes that share this machine's cores.

    Raises InputError when there is none, or it does not answer.
    """
    check_address(address)
    import dask
    from distributed import Client

    for name in ("distributed", "distributed.client", "distributed.gc"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what Dask complains of reaches the user as a sentence, or is mended
    local = _LOCAL.fullmatch(address)
    with dask.config.set(_SETTINGS), _local_cluster(int(local[1])) if local else nullcontext(address) as place:
        try:
            client = Client(place, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            raise InputError(
                f"{address}: must be a Dask scheduler that answers. Received: {_problem(error)}. "
                "Check the address, or start one: dask scheduler"
            ) from error
        try:
            yield client
        finally:
            with suppress(Exception):  # the scheduler may be gone
                client.close(timeout=2)


@contextmanager
def _local_cluster(count: int) -> Iterator[Any]:
    from distributed import LocalCluster

    cluster = LocalCluster(
        n_workers=count,
        threads_per_worker=max(available_cores() // count, 1),
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,  # a worker that Dask paused for its memory would never go on: blocks are never spilled
        silence_logs=logging.CRITICAL,
        preload="segment.core.local_worker",
    )
    try:
        yield cluster
    finally:
        with suppress(Exception):
            cluster.close(timeout=5)


def _problem(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
