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
from segment.core.cluster.tasks import compute_blocks
from segment.core.cluster.worker_model import ModelReference
from segment.core.cluster.workers import Workers
from segment.core.errors import InputError
from segment.core.progress import Silent
from segment.core.raster.blocks import Blocks, divide
from segment.mapping.predict import predict_scene
from tests.cluster.jobs import Zeros, computed
from tests.cluster.processes import ROOT, Cluster, wait_for
from tests.cluster.test_maps import assert_same_files, environment, write_scene

pytestmark = pytest.mark.heavy


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


def command(
    scene: Path, model: Path, output: Path, address: str, edge: int = EDGE
) -> subprocess.Popen:
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
        edge,
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


@pytest.mark.slow
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
    assert "the scheduler does not answer" in line
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
    lines = Lines()
    with connect(own_cluster.address) as client:
        client.wait_for_workers(2)
        workers = Workers(client, own_cluster.address, lines)
        wait_for_size(workers, 2)
        done = list(computed(workers, job, BLOCKS))
    assert len(done) == len(BLOCKS)
    assert not any(task.problem for task in done)
    assert all(is_finished(block_path(job.folder, block)) for block in BLOCKS)
    (line,) = lines
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
    process = command(scene, model, output, own_cluster.address, 128)
    introduction, refusal = process.stdout.readline(), process.stdout.readline()
    other.resume()
    _, complaints = process.communicate()
    assert "1 worker with 1 core, 1 more being checked" in introduction
    assert "A worker is left out" in refusal and "cannot write blocks (File too large)" in refusal
    assert (process.returncode, complaints) == (0, "")
    assert_same_files(scene.parent / "alone", output)


class Lines(list[str], Silent):
    """Keeps the lines that are reported."""

    def say(self, line: str) -> None:
        self.append(line)


def refusals(lines: Lines) -> list[str]:
    return [line for line in lines if line.startswith("A worker is left out")]


def test_unfit_workers_are_refused_and_the_others_do_the_work(
    tmp_path: Path, own_cluster: Cluster, job: Zeros
) -> None:
    other = tmp_path / "other" / "aerial_segment-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text(OTHER_VERSION)
    own_cluster.start_worker(PYTHONPATH=str(other.parent))
    lines = Lines()
    with connect(own_cluster.address) as client:
        workers = Workers(client, own_cluster.address, lines)
        with pytest.raises(
            InputError, match=r"no worker can be used, 1 refused.*it has aerial-segment 9\.9"
        ):
            workers.wait()
        assert len(refusals(lines)) == 1
        own_cluster.start_worker(NO_SCENE="1")
        wait_for_size(workers, 1)
        with pytest.raises(InputError, match="2 refused"):
            list(computed(workers, job, BLOCKS))
        assert any("no such file" in line for line in refusals(lines)[1:])
        own_cluster.start_worker()
        wait_for_size(workers, 1)
        assert str(workers) == "1 worker with 1 core"
        assert all(not task.problem for task in computed(workers, job, BLOCKS))
        assert all(is_finished(block_path(job.folder, block)) for block in BLOCKS)


def wait_for_size(workers: Workers, size: int) -> None:
    def has_it() -> bool:
        workers.update()
        return len(workers.fit) == size

    wait_for(has_it, f"{size} workers that are fit")


@pytest.fixture
def workers(cluster: Cluster, job: Zeros) -> Iterator[Workers]:
    with connect(cluster.address) as client:
        workers = Workers(client, cluster.address, Silent())
        wait_for_size(workers, 2)
        yield workers


def tries(job: Zeros, row: int, column: int) -> int:
    return len((job.folder / f"tries-{row}-{column}").read_text())


def test_a_block_that_fails_three_times_is_given_up_and_finished_ones_are_left_alone(
    workers: Workers, job: Zeros
) -> None:
    (job.folder / "fail-2-3").touch()
    found = {(a.block.row, a.block.column): a.problem for a in computed(workers, job, BLOCKS)}
    assert len(found) == len(BLOCKS)
    assert {place: problem for place, problem in found.items() if problem} == {
        (2, 3): "block 2-3 is broken."
    }
    assert tries(job, 2, 3) == 3
    (job.folder / "fail-2-3").unlink()
    assert not any(task.problem for task in computed(workers, job, BLOCKS))
    assert tries(job, 2, 3) == 4
    assert tries(job, 0, 0) == 1


def test_a_worker_that_comes_late_is_given_work(
    cluster: Cluster, workers: Workers, job: Zeros
) -> None:
    (job.folder / "wait").touch()
    found: list[str] = []
    thread = Thread(target=lambda: found.extend(a.problem for a in computed(workers, job, BLOCKS)))
    thread.start()
    before = len(workers.fit)
    late = cluster.start_worker()
    try:
        # each worker begins a block, and none ends one: the late one has begun when there are as
        # many as workers
        wait_for(lambda: len(list(job.folder.glob("tries-*"))) > before, "work for the late worker")
        wait_for(lambda: len(workers.fit) > before, "the late worker to be counted")
        (job.folder / "wait").unlink()
        thread.join()
    finally:
        late.terminate()
        late.wait()
    assert found == [""] * len(BLOCKS)
    assert len(workers.fit) == before + 1


def test_blocks_are_taken_from_their_source_when_there_is_room_only(
    workers: Workers, job: Zeros
) -> None:
    taken = 0

    def blocks() -> Iterator[tuple[Zeros, object]]:
        nonlocal taken
        for block in BLOCKS:
            taken += 1
            yield job, block

    (job.folder / "wait").touch()
    work = compute_blocks(workers, blocks())
    thread = Thread(target=lambda: next(filter(None, work)))
    thread.start()
    wait_for(lambda: len(list(job.folder.glob("tries-*"))) == len(workers.fit), "blocks under way")
    assert taken <= 2 * len(workers.fit) + 1  # and the next one
    (job.folder / "wait").unlink()
    thread.join()
    work.close()
    assert taken < len(BLOCKS) + 1


def test_a_block_that_kills_its_workers_is_given_up(
    tmp_path: Path, own_cluster: Cluster, job: Zeros, monkeypatch
) -> None:
    monkeypatch.setattr("segment.core.cluster.tasks.MOST_LOSSES", 2)
    own_cluster.start_worker()
    (job.folder / "kill-0-1").touch()
    few = Blocks(divide(20, 10), divide(20, 10))
    with connect(own_cluster.address) as client:
        workers = Workers(client, own_cluster.address, Silent())
        workers.wait()
        found = {(a.block.row, a.block.column): a.problem for a in computed(workers, job, few)}
    assert "died" in found.pop((0, 1))
    assert not any(found.values())
