"""What goes wrong on clusters: nothing finished is lost, and maps are the same byte for byte."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from segment.core.cli.command import INPUT_FAULT
from segment.core.cluster.block_file import block_path, is_finished
from segment.core.cluster.connect import connect
from segment.core.cluster.dispatch import dispatch
from segment.core.cluster.worker_model import ModelReference
from segment.core.cluster.worker_pool import WorkerPool
from segment.core.errors import InputError
from segment.core.raster.blocks import Blocks, divide
from segment.mapping.predict import predict_scene
from tests.cluster.jobs import Zeros, attempts
from tests.cluster.processes import ROOT, Cluster, wait_for
from tests.cluster.test_maps import assert_same_files, environment, write_scene

pytest.importorskip("distributed")

BLOCKS = Blocks(divide(60, 10), divide(60, 10))
SIZE, EDGE = 480, 40
OTHER_VERSION = "Metadata-Version: 2.1\nName: aerial-segment\nVersion: 9.9\n"


@pytest.fixture
def job(tmp_path: Path, reference: ModelReference) -> Zeros:
    (tmp_path / "blocks").mkdir()
    return Zeros(reference, tmp_path / "blocks")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """A scene of many blocks, and its map beside it in the folder `alone`."""
    folder = tmp_path_factory.mktemp("scene")
    path = write_scene(folder / "scene.tif", SIZE, SIZE)
    predict_scene(path, model, folder / "alone", tile=32)
    return path


def command(scene: Path, model: Path, output: Path, address: str) -> subprocess.Popen:
    """segment-predict in a process of its own."""
    code = "from segment.cli import predict; predict()"
    options = [
        "--model",
        model,
        "--output",
        output,
        "--tile",
        "32",
        "--cluster",
        address,
        "--block",
        EDGE,
    ]
    return subprocess.Popen(
        [sys.executable, "-c", code, scene, *map(str, options)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(output: Path) -> int:
    return sum(1 for _ in output.glob(".scene_classes.tif.blocks.partial/*/row-*/[0-9]*.block"))


def wait_for_blocks(process: subprocess.Popen, output: Path, count: int) -> None:
    wait_for(lambda: finished(output) >= count or process.poll() is not None, f"{count} blocks")


def test_workers_that_are_killed_have_their_blocks_done_elsewhere(
    tmp_path: Path, own_cluster: Cluster, scene: Path, model: Path
) -> None:
    for _ in range(2):
        own_cluster.start_worker()
    process = command(scene, model, tmp_path / "out", own_cluster.address)
    chosen = random.Random(0)
    for count in sorted(chosen.sample(range(5, 110), 5)):
        wait_for_blocks(process, tmp_path / "out", count)
        time.sleep(chosen.uniform(0, 0.05))
        own_cluster.kill_a_worker(chosen.randrange(2))
    _, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    assert_same_files(scene.parent / "alone", tmp_path / "out")


def test_the_same_command_goes_on_after_the_scheduler_was_killed(
    tmp_path: Path, own_cluster: Cluster, scene: Path, model: Path
) -> None:
    own_cluster.start_worker()
    process = command(scene, model, tmp_path / "out", own_cluster.address)
    wait_for_blocks(process, tmp_path / "out", 20)
    own_cluster.scheduler.kill()
    _, complaints = process.communicate()
    assert process.returncode == INPUT_FAULT
    (line,) = complaints.splitlines()
    assert "the scheduler must go on running" in line
    assert "of 144 blocks are finished: the same command goes on from there." in line
    own_cluster.end()
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("[0-9]*.block")}
    assert len(kept) >= 20
    again = Cluster(tmp_path / "again")
    try:
        again.start_worker()
        process = command(scene, model, tmp_path / "out", again.address)
        wait_for_blocks(process, tmp_path / "out", len(kept) + 1)
        _, complaints = process.communicate()
        assert (process.returncode, complaints) == (0, "")
    finally:
        again.end()
    assert_same_files(scene.parent / "alone", tmp_path / "out")


def test_a_worker_that_loses_the_scene_is_left_out(
    tmp_path: Path, own_cluster: Cluster, job: Zeros
) -> None:
    own_cluster.start_worker()
    own_cluster.start_worker(LOSES_SCENE="1")
    told: list[str] = []
    with connect(own_cluster.address) as client:
        wait_for(lambda: len(client.scheduler_info()["workers"]) == 2, "two workers")
        pool = WorkerPool(client, own_cluster.address, told.append)
        pool.assemble(job)
        wait_for(lambda: pool.look_around() or pool.size == 2, "two workers that passed")
        done = list(attempts(pool, job, BLOCKS))
    assert not any(attempt.problem for attempt in done)
    assert all(is_finished(block_path(job.folder, block)) for block in BLOCKS)
    (line,) = told
    assert "scene.tif: no such file" in line


def test_a_worker_whose_disk_is_full_is_left_out(
    tmp_path: Path, own_cluster: Cluster, scene: Path, model: Path
) -> None:
    # what it may write is enough for the check, and for what Dask writes, but for no block
    own_cluster.start_worker("bash", "-c", 'ulimit -f 4; exec "$@"', "limited")
    own_cluster.start_worker()
    other = own_cluster.computing(1)
    with connect(own_cluster.address) as client:
        client.wait_for_workers(2)
    other.suspend()  # else it may be done before the other one is there
    output = tmp_path / "out"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from segment.cli import predict; predict()",
            scene,
            "--model",
            model,
            "--output",
            output,
            "--tile",
            "32",
            "--cluster",
            own_cluster.address,
            "--block",
            "128",
        ],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    introduction, refusal = process.stdout.readline(), process.stdout.readline()
    other.resume()
    _, complaints = process.communicate()
    assert "1 worker with 1 core, 1 more being checked" in introduction
    assert (
        "A worker is left out" in refusal
        and "workers must write their blocks to their end" in refusal
    )
    assert (process.returncode, complaints) == (0, "")
    assert_same_files(scene.parent / "alone", output)


def refusals(told: list[str]) -> list[str]:
    return [line for line in told if line.startswith("A worker is left out")]


def test_unfit_workers_are_refused_and_the_others_do_the_work(
    tmp_path: Path, own_cluster: Cluster, job: Zeros
) -> None:
    other = tmp_path / "other" / "aerial_segment-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text(OTHER_VERSION)
    own_cluster.start_worker(PYTHONPATH=str(other.parent))
    told: list[str] = []
    with connect(own_cluster.address) as client:
        pool = WorkerPool(client, own_cluster.address, told.append)
        pool.await_workers()
        with pytest.raises(
            InputError,
            match=r"no worker can be used, 1 refused.*workers have aerial-segment .*Received 9\.9",
        ):
            pool.assemble(job)
        assert len(refusals(told)) == 1
        own_cluster.start_worker(NO_SCENE="1")
        wait_for(lambda: len(client.scheduler_info()["workers"]) == 2, "second worker")
        with pytest.raises(InputError, match="2 refused"):
            pool.assemble(job)
        assert "no such file" in refusals(told)[1]
        own_cluster.start_worker()
        wait_for(lambda: len(client.scheduler_info()["workers"]) == 3, "third worker")
        pool.assemble(job)
        assert pool.describe() == "1 worker with 1 core"
        assert all(not attempt.problem for attempt in attempts(pool, job, BLOCKS))
        assert all(is_finished(block_path(job.folder, block)) for block in BLOCKS)


def wait_for_size(pool: WorkerPool, size: int) -> None:
    def has_it() -> bool:
        pool.look_around()
        return pool.size == size

    wait_for(has_it, f"{size} workers that are fit")


@pytest.fixture
def pool(cluster: Cluster, job: Zeros) -> Iterator[WorkerPool]:
    with connect(cluster.address) as client:
        pool = WorkerPool(client, cluster.address, print)
        pool.await_workers()
        pool.assemble(job)
        wait_for_size(pool, 2)
        yield pool


def tries(job: Zeros, row: int, column: int) -> int:
    return len((job.folder / f"tries-{row}-{column}").read_text())


def test_a_block_that_fails_three_times_is_given_up_and_finished_ones_are_left_alone(
    pool: WorkerPool, job: Zeros
) -> None:
    (job.folder / "fail-2-3").touch()
    found = {(a.piece.row, a.piece.column): a.problem for a in attempts(pool, job, BLOCKS)}
    assert len(found) == len(BLOCKS)
    assert {place: problem for place, problem in found.items() if problem} == {
        (2, 3): "block 2-3 is broken."
    }
    assert tries(job, 2, 3) == 3
    (job.folder / "fail-2-3").unlink()
    assert not any(attempt.problem for attempt in attempts(pool, job, BLOCKS))
    assert tries(job, 2, 3) == 4
    assert tries(job, 0, 0) == 1


def test_a_worker_that_comes_late_is_given_work(
    cluster: Cluster, pool: WorkerPool, job: Zeros
) -> None:
    (job.folder / "wait").touch()
    found: list[str] = []
    thread = Thread(target=lambda: found.extend(a.problem for a in attempts(pool, job, BLOCKS)))
    thread.start()
    before = pool.size
    late = cluster.start_worker()
    try:
        # each worker begins a block, and none ends one: the late one has begun when there are as
        # many as workers
        wait_for(lambda: len(list(job.folder.glob("tries-*"))) > before, "work for the late worker")
        wait_for(lambda: pool.size > before, "the late worker to be counted")
        (job.folder / "wait").unlink()
        thread.join()
    finally:
        late.terminate()
        late.wait()
    assert found == [""] * len(BLOCKS)
    assert pool.size == before + 1


def test_blocks_are_taken_from_their_source_when_there_is_room_only(
    pool: WorkerPool, job: Zeros
) -> None:
    taken = 0

    def blocks() -> Iterator[tuple[Zeros, object]]:
        nonlocal taken
        for block in BLOCKS:
            taken += 1
            yield job, block

    (job.folder / "wait").touch()
    work = dispatch(pool, blocks())
    thread = Thread(target=lambda: next(filter(None, work)))
    thread.start()
    wait_for(lambda: len(list(job.folder.glob("tries-*"))) == pool.size, "blocks under way")
    assert taken <= 2 * pool.size + 1  # and the one that newcomers would be checked with
    (job.folder / "wait").unlink()
    thread.join()
    work.close()
    assert taken < len(BLOCKS) + 1


def test_what_must_not_wait_is_taken_when_there_is_a_worker_for_it(
    own_cluster: Cluster, job: Zeros
) -> None:
    own_cluster.start_worker()
    with connect(own_cluster.address) as client:
        pool, taken = WorkerPool(client, own_cluster.address, print), []
        pool.await_workers()
        pool.assemble(job)

        def blocks() -> Iterator[tuple[Zeros, object]]:
            for block in BLOCKS:
                taken.append(pool.size)
                yield job, block

        pool.size = 0  # all have left
        work = dispatch(pool, blocks(), ahead=False)
        assert next(work) is None
        assert taken == []
        assert pool.job is job
        pool.look_around()
        assert all(not attempt.problem for attempt in filter(None, work))
    assert taken == [1] * len(BLOCKS)
    assert pool.job is job  # for whoever gives out more


def test_a_block_that_kills_its_workers_is_given_up(
    tmp_path: Path, own_cluster: Cluster, job: Zeros, monkeypatch
) -> None:
    monkeypatch.setattr("segment.core.cluster.task_state.MOST_LOSSES", 2)
    own_cluster.start_worker()
    (job.folder / "kill-0-1").touch()
    few = Blocks(divide(20, 10), divide(20, 10))
    with connect(own_cluster.address) as client:
        pool = WorkerPool(client, own_cluster.address, print)
        pool.await_workers()
        pool.assemble(job)
        found = {(a.piece.row, a.piece.column): a.problem for a in attempts(pool, job, few)}
    assert "died" in found.pop((0, 1))
    assert not any(found.values())
