"""Connections to Dask clusters: running ones, or processes on this machine."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from segment.core.errors import InputError, brief
from segment.core.machine import available_cores

if TYPE_CHECKING:
    from distributed import Client

_LOCAL = re.compile(r"local:([1-9]\d*)")
_ADDRESS = re.compile(r"(?!local:)((tcp|tls)://)?[^/\s]+:\d+")
_MOST_LOCAL = 256  # processes of one machine
_PATIENCE = 30  # seconds to wait for a scheduler
# loggers with their own levels
_TALKATIVE = ("distributed", "distributed.client", "distributed.gc")
_SETTINGS = {
    "distributed.worker.profile.enabled": False,  # it takes time, and is not used
    # else the last thousand messages, with all blocks in them, stay in memory
    "distributed.admin.low-level-log-length": 100,
}


@contextmanager
def connect(address: str) -> Iterator["Client"]:
    """Connects to a Dask cluster.

    Args:
        address: Address of the scheduler; or local:N, for a new one with N worker processes, up to
            256, that share the cores of this machine.

    Yields:
        A client of the scheduler.

    Raises:
        InputError: If Dask is not installed, the address is not valid, or no scheduler answers.
    """
    _check_address(address)
    import dask
    import distributed  # noqa: F401 - the import sets configuration and loggers, which are changed below

    local = _LOCAL.fullmatch(address)
    with (
        _silence(),
        dask.config.set(_SETTINGS),
        _local_cluster(int(local[1])) if local else nullcontext(address) as place,
    ):
        # Raised outside of `except`: an error would hold on to Dask's objects, and Dask complains
        # when such objects are deleted.
        client, problem = _open_client(place)
        if client is None:
            raise InputError(
                f"{address}: no Dask scheduler found ({problem}). Check the address, or start one:"
                " dask scheduler"
            )
        try:
            yield client
        finally:
            with suppress(Exception):  # the scheduler may be gone
                client.close(timeout=2)


def _check_address(address: str) -> None:
    """Raises InputError if Dask is not installed or the address is not valid."""
    if find_spec("distributed") is None:
        raise InputError(
            "dask and distributed are not installed. Run: pip install 'aerial-segment[cluster]'"
        )
    if not _LOCAL.fullmatch(address) and not _ADDRESS.fullmatch(address):
        raise InputError(
            f"--cluster is {address!r}, not the address of a Dask scheduler. Write e.g."
            " tcp://host:8786 or tls://host:8786; or local:4 for 4 processes on this machine."
        )
    if (local := _LOCAL.fullmatch(address)) and (len(local[1]) > 9 or int(local[1]) > _MOST_LOCAL):
        raise InputError(
            f"--cluster is {address!r}, at most {_MOST_LOCAL} processes can be started. Write"
            f" local:{_MOST_LOCAL} or less."
        )


@contextmanager
def _silence() -> Iterator[None]:
    """Silences Dask's loggers: what they report reaches users as a sentence, or is handled."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _open_client(place: Any) -> tuple["Client | None", str]:
    """Returns a client of the scheduler at an address or of a local cluster, or None and why."""
    from distributed import Client

    client = Client.__new__(Client)  # in two steps, so that it can be closed if __init__ fails
    try:
        if isinstance(place, str):
            _check_scheduler(place)
        client.__init__(place, timeout=_PATIENCE, set_as_default=False)
    except BaseException as error:
        with suppress(Exception):
            client.close(timeout=0)
        client.status = "closed"  # else it is closed when it is deleted, which takes a minute
        if isinstance(error, InputError) or not isinstance(error, Exception):
            raise
        return None, _problem(error)
    return client, ""


def _check_scheduler(address: str) -> None:
    """Raises an error if there is no scheduler, for which Dask's client would wait forever.

    It is an InputError if the address needs certificates, and Dask has none.
    """
    from distributed import rpc
    from distributed.security import Security
    from distributed.utils import LoopRunner, sync

    security = Security().get_connection_args("client")
    if address.startswith("tls://") and security.get("ssl_context") is None:
        raise InputError(
            f"{address}: no TLS certificates found. Name them in Dask's configuration, under"
            " distributed.comm.tls: https://distributed.dask.org/en/stable/tls.html"
        )

    async def ask() -> Any:
        async with rpc(address, timeout=_PATIENCE, connection_args=security) as scheduler:
            return await scheduler.identity()

    runner = LoopRunner()
    runner.start()
    try:
        kind = sync(runner.loop, ask, callback_timeout=_PATIENCE)["type"]
    finally:
        runner.stop()
    if "Worker" in kind or "Nanny" in kind:
        raise ValueError(f"a {kind}")


@contextmanager
def _local_cluster(count: int) -> Iterator[Any]:
    from distributed import LocalCluster

    cluster = LocalCluster(
        n_workers=count,
        threads_per_worker=max(available_cores() // count, 1),
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        # a worker paused for its memory would never go on, as blocks are never spilled
        memory_limit=0,
        silence_logs=logging.CRITICAL,
        # a Ctrl-C reaches all processes of a terminal: it is left to the command, which ends them
        preload="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    )
    try:
        yield cluster
    finally:
        with suppress(Exception):
            cluster.close(timeout=5)


def _problem(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {_PATIENCE} seconds"
    return brief(error).rstrip(".") or type(error).__name__
