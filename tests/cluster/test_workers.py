"""Workers that hang, die while they are asked, come late or come again: none holds the
others up.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from segment.core.cli.command import INPUT_FAULT
from segment.core.cluster.common_runtime import have_gpus
from segment.core.cluster.connect import connect
from segment.core.cluster.workers import SchedulerLost, Workers
from segment.core.errors import InputError
from segment.core.progress import Silent
from tests.cluster.jobs import Zeros, computed, gpu_is_broken, gpu_is_found
from tests.cluster.processes import ROOT, Cluster, wait_for
from tests.cluster.test_faults import BLOCKS, Lines, job, refusals, wait_for_size
from tests.cluster.test_maps import environment, write_scene

pytestmark = pytest.mark.heavy


pytest.importorskip("distributed")

__all__ = ["job"]


def problems(workers: Workers, job: Zeros) -> set[str]:
    """Of all blocks."""
    return {task.problem for task in computed(workers, job, BLOCKS)}


def test_a_worker_that_hangs_joins_when_it_answers(own_cluster: Cluster, job: Zeros) -> None:
    for _ in range(2):
        own_cluster.start_worker()
    with connect(own_cluster.address) as client:
        client.wait_for_workers(2)
        hanging = own_cluster.computing(0)
        hanging.suspend()
        workers = Workers(client, own_cluster.address, Silent())
        workers.wait()
        assert "1 worker with 1 core, 1 more being checked" in workers.introduction
        assert problems(workers, job) == {""}
        assert len(workers.fit) == 1
        hanging.resume()
        wait_for_size(workers, 2)


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
            workers = Workers(client, cluster.address, Silent())
            wait_for_size(workers, 2)
            (job.folder / "wait").touch()
            found: list[set[str]] = []
            thread = Thread(target=lambda: found.append(problems(workers, job)))
            thread.start()
            wait_for(lambda: len(list(job.folder.glob("tries-*"))) >= 2, "a block at each worker")
            cluster.computing(0).suspend()
            (job.folder / "wait").unlink()
            thread.join()
            assert found == [{""}]
    finally:
        cluster.end()


def test_keras_takes_a_gpu_on_each_worker(
    own_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_cluster.start_worker()
    with connect(own_cluster.address) as client:
        workers = Workers(client, own_cluster.address, Silent())
        workers.wait()
        monkeypatch.setattr("segment.core.cluster.common_runtime.require_gpu", gpu_is_found)
        assert have_gpus(workers)
        monkeypatch.setattr("segment.core.cluster.common_runtime.require_gpu", gpu_is_broken)
        assert not have_gpus(workers)


def test_a_worker_that_hangs_is_not_asked_for_a_gpu_without_end(
    own_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segment.core.cluster.common_runtime._PATIENCE", 5)
    monkeypatch.setattr("segment.core.cluster.common_runtime.require_gpu", gpu_is_found)
    for _ in range(2):
        own_cluster.start_worker()
    with connect(own_cluster.address) as client:
        client.wait_for_workers(2)
        own_cluster.computing(0).suspend()
        workers = Workers(client, own_cluster.address, Silent())
        workers.wait()
        assert have_gpus(workers)


def test_a_scheduler_that_is_lost_before_blocks_are_given_out_is_reported(
    own_cluster: Cluster, job: Zeros
) -> None:
    with connect(own_cluster.address) as client:
        workers = Workers(client, own_cluster.address, Silent())
        own_cluster.scheduler.kill()
        with pytest.raises(SchedulerLost, match="the scheduler does not answer"):
            workers.wait()
        with pytest.raises(SchedulerLost):
            workers.update()
        with pytest.raises(SchedulerLost):
            list(computed(workers, job, BLOCKS))


def test_a_worker_that_was_repaired_is_taken_at_its_old_address(
    own_cluster: Cluster, job: Zeros
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    own_address = ("bash", "-c", f'exec "$@" --no-nanny --worker-port {port}', "worker")
    lines = Lines()
    with connect(own_cluster.address) as client:
        workers = Workers(client, own_cluster.address, lines)
        unfit = own_cluster.start_worker(*own_address, NO_SCENE="1")
        workers.wait()
        with pytest.raises(InputError, match="1 refused"):
            problems(workers, job)
        unfit.kill()
        unfit.wait()
        own_cluster.start_worker(*own_address)
        wait_for_size(workers, 1)
        assert f"{port}: " in refusals(lines)[0] and len(refusals(lines)) == 1
        assert workers.present == {f"tcp://127.0.0.1:{port}"}
        assert problems(workers, job) == {""}


def test_workers_are_waited_for_with_a_sentence(own_cluster: Cluster, job: Zeros) -> None:
    lines = Lines()
    with connect(own_cluster.address) as client:
        workers = Workers(client, own_cluster.address, lines)
        waiting = Thread(target=workers.wait)
        waiting.start()
        time.sleep(1)
        own_cluster.start_worker()
        waiting.join()
        assert lines == [
            f"{own_cluster.address}: no worker yet, waiting. Start some: dask worker"
            f" {own_cluster.address}"
        ]
        (job.folder / "wait").touch()
        found: list[set[str]] = []
        thread = Thread(target=lambda: found.append(problems(workers, job)))
        thread.start()
        wait_for(lambda: list(job.folder.glob("tries-*")), "a block that is begun")
        own_cluster.workers[0].terminate()
        wait_for(lambda: len(lines) > 1, "sentence about the workers that are gone")
        time.sleep(1)
        (job.folder / "wait").unlink()
        own_cluster.start_worker()
        thread.join()
    assert found == [{""}]
    assert lines[1:] == [f"{own_cluster.address}: all workers are gone, waiting for others."]


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
