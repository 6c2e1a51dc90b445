"""Speed of a cluster.

Worker processes are compared with one process on the same cores. The cost of giving out a block is
measured, too.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from segment.bundled import BUNDLED
from segment.cluster.assemble import MapAssembly
from segment.core.cluster.block_job import BlockJob
from segment.core.cluster.connect import connect
from segment.core.cluster.scene_job import BlockOptions, ClusterModel
from segment.core.cluster.tasks import compute_blocks
from segment.core.cluster.worker_model import ModelReference
from segment.core.cluster.workers import Workers
from segment.core.machine import available_cores
from segment.core.model.folder import load_model_info
from segment.core.model.runtime import Model, identify
from segment.core.progress import Silent
from segment.core.raster.blocks import Block, Blocks
from segment.core.raster.sources import Source
from segment.mapping.options import MapOptions
from tests.benchmarks.material import FOLDER, scene
from tests.benchmarks.measure import report_figure, segment_predict, take_turns

SIZE = 16384
COUNTS = (10_000, 100_000)


def cluster(model: Path, size: int = SIZE, rounds: int = 3) -> None:
    """Compares worker processes of one core each with one process that has all cores.

    The rates, megapixels per second, include the start.
    """
    path, cores = scene(size, size, 1), available_cores()
    rates = take_turns(
        {
            "cluster": lambda: (
                size**2
                / 1e6
                / segment_predict(
                    path, model, FOLDER / "out", "--cluster", f"local:{cores}"
                ).seconds
            ),
            "process": lambda: size**2 / 1e6 / segment_predict(path, model, FOLDER / "out").seconds,
        },
        rounds,
    )
    figure = f"{cores} worker processes of one core against one process of {cores}, {size} x {size}"
    report_figure(
        figure, rates["cluster"] / rates["process"], at_least=0.85, megapixels_per_s=rates
    )


def assembly(model: Path, size: int = 8192, rounds: int = 3) -> None:
    """Measures megapixels per second at which finished blocks are assembled to a map.

    The second figure counts the processor time of the assembly only.
    """
    path, (identity, runtime) = scene(size, size, 1), identify(model, "openvino")
    described = ClusterModel(
        reference=ModelReference.of(model, "segment", "openvino"),
        identity=identity,
        runtime=runtime,
        info=load_model_info(model),
    )
    blocks = BlockOptions(output=FOLDER / "out", edge=4096, overwrite=True)
    mosaic = MapAssembly(Source(path), described, MapOptions(), blocks)
    job = mosaic.begin()
    for block in mosaic.blocks:
        job.do(block, available_cores())
    found = []
    for _ in range(rounds):
        started, busy = time.perf_counter(), time.process_time()
        mosaic.assemble([], 0.0)
        found.append((time.perf_counter() - started, time.process_time() - busy))
    mosaic.end()
    seconds, busy = (median(times) for times in zip(*found, strict=True))
    report_figure(
        f"megapixels per second of putting finished blocks together, {size} x {size}",
        size**2 / 1e6 / seconds,
    )
    report_figure("the same, per core that it takes", size**2 / 1e6 / busy)


@dataclass(frozen=True)
class Nothing(BlockJob):
    """Job whose model does nothing and whose blocks write nothing."""

    def check_input(self) -> None:
        """Checks nothing."""
        pass

    def compute(self, block: Block, model: Model) -> tuple[dict, dict]:
        """Is never called."""
        raise NotImplementedError


def do_nothing(job: Nothing, block: Block) -> None:
    """Replaces `compute_block`."""


def many_blocks(counts: Sequence[int] = COUNTS) -> None:
    """Measures the milliseconds to give out a block that takes no time to compute.

    Also measures the memory of the process that gives it out, including the scheduler.
    """
    found = []
    for count in counts:
        ended = subprocess.run(
            [sys.executable, "-m", __name__, str(count)], stdout=subprocess.PIPE, check=True
        )
        found.append(json.loads(ended.stdout))
        report_figure(
            f"milliseconds to give out a block, {count:,} blocks",
            found[-1]["milliseconds"],
            at_most=3.0,
            **found[-1],
        )
    growth = found[-1]["driver_mb"] / found[0]["driver_mb"]
    report_figure(
        f"memory of the driver at {counts[-1]:,} blocks over that at {counts[0]:,}",
        growth,
        at_most=1.1,
        driver_mb=[found[0]["driver_mb"], found[-1]["driver_mb"]],
    )


def give_out(count: int) -> dict[str, float]:
    """Measures as `many_blocks` does, with `count` blocks, in this process.

    Also measures processor time alone, which does not depend on other work of the machine.
    """
    import segment.core.cluster.tasks

    segment.core.cluster.tasks.compute_block = do_nothing
    process, done, most = psutil.Process(), 0, 0
    with tempfile.TemporaryDirectory() as folder, connect("local:2") as client:
        job = Nothing(ModelReference.of(BUNDLED, "segment", "openvino"), Path(folder))
        workers = Workers(client, "local:2", Silent())
        workers.wait()
        blocks = Blocks(tuple(range(count // 100 + 1)), tuple(range(101)))
        started, busy = time.perf_counter(), time.process_time()
        work = ((job, block) for block in blocks)
        for task in filter(None, compute_blocks(workers, work)):
            assert not task.problem, task.problem
            done += 1
            if done % 1000 == 0:
                most = max(most, process.memory_info().rss)
        assert done == len(blocks)
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    milliseconds = {
        "milliseconds": 1000 * seconds / done,
        "processor_milliseconds": 1000 * busy / done,
    }
    return {name: round(value, 3) for name, value in milliseconds.items()} | {
        "driver_mb": round(most / 2**20, 1)
    }


if __name__ == "__main__":
    print(json.dumps(give_out(int(sys.argv[1]))))
