"""Workers that hang, die while they are asked, come late or come again: none holds the
others up.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from segment.core.cli.command import INPUT_FAULT
from segment.core.cluster.connect import connect
from segment.core.cluster.worker_pool import SchedulerLost, WorkerPool
from segment.core.errors import InputError
from tests.cluster.jobs import Zeros, attempts, broken_gpu, gpu_at_the_second_look, sees_a_gpu
from tests.cluster.processes import ROOT, Cluster, wait_for
from tests.cluster.test_faults import BLOCKS, job, refusals, wait_for_size
from tests.cluster.test_maps import environment, write_scene

pytest.importorskip("distributed")

__all__ = ["job"]


def problems(pool: WorkerPool, job: Zeros) -> set[str]:
    """Of all blocks, given out to a pool."""
    return {attempt.problem for attempt in attempts(pool, job, BLOCKS)}


def test_a_worker_that_hangs_is_told_once_and_joins_when_it_answers(
    own_cluster: Cluster, job: Zeros, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segment.core.cluster.worker_pool._PATIENCE", 1)
    monkeypatch.setattr("segment.core.cluster.worker_pool._BRIEFLY", 1)
    told: list[str] = []
    for _ in range(2):
        own_cluster.start_worker()
    with connect(own_cluster.address) as client:
        client.wait_for_workers(2)
        hanging = own_cluster.computing(0)
        hanging.suspend()
        pool = WorkerPool(client, own_cluster.address, told.append)
        pool.await_workers()
        pool.assemble(job)
        assert pool.size == 1
        assert "1 worker with 1 core, 1 more being checked" in pool.introduction
        assert problems(pool, job) == {""}

        def late() -> list[str]:
            pool.look_around()
            return [line for line in told if "has not answered for 1 seconds" in line]

        wait_for(late, "sentence about the worker that hangs")
        assert not pool.is_in_need
        hanging.resume()
        wait_for_size(pool, 2)
        assert len(late()) == len(told) == 1
        hanging.suspend()
        pool.disband()
        hanging.resume()


def test_a_worker_that_hangs_is_dismissed_at_once(
    own_cluster: Cluster, job: Zeros, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segment.core.cluster.worker_pool._BRIEFLY", 1)
    own_cluster.start_worker()
    with connect(own_cluster.address) as client:
        pool = WorkerPool(client, own_cluster.address, print)
        pool.await_workers()
        pool.assemble(job)
        (hanging,) = pool.addresses
        own_cluster.start_worker()
        wait_for_size(pool, 2)
        own_cluster.computing(0).suspend()
        pool.dismiss(hanging, "it is of no use.")
        assert pool.size == 1
        assert problems(pool, job) == {""}


@pytest.mark.slow
def test_blocks_of_a_worker_that_hangs_are_done_elsewhere(
    tmp_path: Path, job: Zeros, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "5 s")
    cluster = Cluster(tmp_path / "impatient")
    try:
        for _ in range(2):
            cluster.start_worker()
        with connect(cluster.address) as client:
            pool = WorkerPool(client, cluster.address, print)
            pool.await_workers()
            pool.assemble(job)
            wait_for_size(pool, 2)
            (job.folder / "wait").touch()
            found: list[set[str]] = []
            thread = Thread(target=lambda: found.append(problems(pool, job)))
            thread.start()
            wait_for(lambda: len(list(job.folder.glob("tries-*"))) >= 2, "a block at each worker")
            cluster.computing(0).suspend()
            (job.folder / "wait").unlink()
            thread.join()
            assert found == [{""}]
    finally:
        cluster.end()


def test_gpus_are_asked_for_again_where_a_worker_died(
    tmp_path: Path, own_cluster: Cluster, monkeypatch
) -> None:
    own_cluster.start_worker()
    with connect(own_cluster.address) as client:
        pool = WorkerPool(client, own_cluster.address, print)
        pool.await_workers()
        monkeypatch.setattr(
            "segment.core.cluster.worker_pool.require_gpu",
            partial(gpu_at_the_second_look, tmp_path / "looks"),
        )
        assert pool.have_gpus()
        assert (tmp_path / "looks").read_text() == "xx"
        monkeypatch.setattr("segment.core.cluster.worker_pool.require_gpu", broken_gpu)
        assert not pool.have_gpus()


def test_a_worker_that_hangs_is_not_asked_for_a_gpu_without_end(
    own_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segment.core.cluster.worker_pool._PATIENCE", 1)
    monkeypatch.setattr("segment.core.cluster.worker_pool.require_gpu", sees_a_gpu)
    for _ in range(2):
        own_cluster.start_worker()
    with connect(own_cluster.address) as client:
        client.wait_for_workers(2)
        own_cluster.computing(0).suspend()
        assert WorkerPool(client, own_cluster.address, print).have_gpus()


def test_a_scheduler_that_is_lost_before_blocks_are_given_out_is_told(
    own_cluster: Cluster, job: Zeros
) -> None:
    with connect(own_cluster.address) as client:
        pool = WorkerPool(client, own_cluster.address, print)
        own_cluster.scheduler.kill()
        with pytest.raises(SchedulerLost, match="the scheduler must go on running"):
            pool.await_workers()
        with pytest.raises(SchedulerLost):
            pool.assemble(job)
        with pytest.raises(SchedulerLost):
            pool.have_gpus()
        with pytest.raises(SchedulerLost):
            assert pool.addresses
        pool.disband()


def test_a_worker_that_was_mended_is_taken_at_its_old_address(
    own_cluster: Cluster, job: Zeros
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    own_address = ("bash", "-c", f'exec "$@" --no-nanny --worker-port {port}', "worker")
    told: list[str] = []
    with connect(own_cluster.address) as client:
        pool = WorkerPool(client, own_cluster.address, told.append)
        unfit = own_cluster.start_worker(*own_address, NO_SCENE="1")
        pool.await_workers()
        with pytest.raises(InputError, match="1 refused"):
            pool.assemble(job)
        unfit.kill()
        unfit.wait()
        own_cluster.start_worker(*own_address)
        wait_for_size(pool, 1)
        assert f"{port}: " in refusals(told)[0] and len(refusals(told)) == 1
        assert pool.addresses == {f"tcp://127.0.0.1:{port}"}


def test_workers_are_waited_for_with_a_sentence(own_cluster: Cluster, job: Zeros) -> None:
    told: list[str] = []
    with connect(own_cluster.address) as client:
        pool = WorkerPool(client, own_cluster.address, told.append)
        waiting = Thread(target=pool.await_workers)
        waiting.start()
        time.sleep(1)
        own_cluster.start_worker()
        waiting.join()
        assert told == [
            f"{own_cluster.address}: no worker yet, waiting. Start some: dask worker"
            f" {own_cluster.address}"
        ]
        pool.assemble(job)
        (job.folder / "wait").touch()
        found: list[set[str]] = []
        thread = Thread(target=lambda: found.append(problems(pool, job)))
        thread.start()
        wait_for(lambda: list(job.folder.glob("tries-*")), "a block that is begun")
        own_cluster.workers[0].terminate()
        wait_for(lambda: len(told) > 1, "sentence about the workers that are gone")
        time.sleep(1)
        (job.folder / "wait").unlink()
        own_cluster.start_worker()
        thread.join()
    assert found == [{""}]
    assert told[1:] == [f"{own_cluster.address}: all workers are gone, waiting for others."]


def test_ctrl_c_ends_the_waiting_for_workers(
    tmp_path: Path, own_cluster: Cluster, model: Path
) -> None:
    scene = write_scene(tmp_path / "scene.tif", 20, 20)
    options = ["--model", model, "--output", tmp_path / "out", "--cluster", own_cluster.address]
    process = subprocess.Popen(
        [sys.executable, "-c", "from segment.cli import predict; predict()", scene, *options],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "no worker yet, waiting" in process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    _, complaints = process.communicate()
    assert process.returncode == INPUT_FAULT
    assert len(complaints.splitlines()) == 1 and "stopped" in complaints
