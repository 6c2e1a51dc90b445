"""Addresses that no scheduler answers at: each is reported in a line, in bounded time."""

import gc
import logging
import socket
import time
from collections.abc import Iterator

import pytest

from segment.core.cluster.connect import connect
from segment.core.errors import InputError
from tests.cluster.processes import Cluster

pytest.importorskip("distributed")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.core.cluster.connect._PATIENCE", 1)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and says nothing, as one of HTTP does that
    waits for a line.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "{}:{}".format(*server.getsockname())


def refusal(address: str) -> str:
    with pytest.raises(InputError) as error, connect(address):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("processes", ["257", "99999999", "9" * 5000])
def test_more_local_processes_than_a_machine_can_run_are_refused(processes: str) -> None:
    assert "at most 256" in refusal(f"local:{processes}")


@pytest.mark.heavy
@pytest.mark.parametrize("protocol", ["", "tcp://"])
def test_a_server_that_is_no_scheduler_is_not_waited_for(silent_server: str, protocol: str) -> None:
    started = time.monotonic()
    assert "no Dask scheduler found (no answer in 1 seconds)" in refusal(protocol + silent_server)
    assert time.monotonic() - started < 20


def test_a_server_that_speaks_another_language_is_no_scheduler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def raising(*_: object, **__: object) -> None:
        raise TypeError("frames of another kind")

    monkeypatch.setattr("distributed.core.connect", raising)
    assert "no Dask scheduler found (frames of another kind)" in refusal("tcp://127.0.0.1:1")


def test_tls_takes_certificates() -> None:
    assert "no TLS certificates found" in refusal("tls://127.0.0.1:1")


@pytest.mark.parametrize("protocol", ["ws", "ucx", "http", "inproc"])
def test_other_protocols_are_none(protocol: str) -> None:
    assert "Write e.g. tcp://host:8786 or tls://host:8786; or local:4" in refusal(
        f"{protocol}://127.0.0.1:8786"
    )


@pytest.mark.heavy
def test_a_worker_is_no_scheduler(cluster: Cluster) -> None:
    with connect(cluster.address) as client:
        client.wait_for_workers(1)
        worker = next(iter(client.scheduler_info()["workers"]))
    assert "(a Worker)" in refusal(worker)


@pytest.mark.heavy
def test_a_client_that_was_half_made_is_not_waited_for(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def raising(*_: object, **__: object) -> None:
        raise TypeError("no such thing")

    monkeypatch.setattr("distributed.client.Client._ensure_connected", raising)
    started = time.monotonic()
    assert "(no such thing)" in refusal(cluster.address)
    gc.collect()
    assert time.monotonic() - started < 20
    assert capfd.readouterr().err == ""


@pytest.mark.heavy
def test_what_dask_logs_is_what_it_was(cluster: Cluster) -> None:
    import distributed  # noqa: F401 - sets levels

    def levels() -> list[int]:
        return [
            logging.getLogger(name).level
            for name in ("distributed", "distributed.client", "distributed.gc")
        ]

    before = levels()
    with connect(cluster.address):
        assert set(levels()) == {logging.CRITICAL}
    assert levels() == before
