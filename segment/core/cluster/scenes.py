"""Scenes done by a cluster, with all blocks in one stream.

No worker waits for a scene to be assembled.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

from segment.core.choices import Runtime
from segment.core.cluster.assembly import Assembly
from segment.core.cluster.block_job import BlockJob
from segment.core.cluster.block_progress import BlockProgress
from segment.core.cluster.common_runtime import choose_common_runtime
from segment.core.cluster.connect import connect
from segment.core.cluster.planning import Planning
from segment.core.cluster.scene_job import ClusterModel, Done, SceneJob
from segment.core.cluster.tasks import BlockTask, compute_blocks
from segment.core.cluster.worker_model import ModelReference
from segment.core.cluster.workers import Workers
from segment.core.errors import InputError, Interrupted, explain
from segment.core.inputs.named_scenes import require_own_names
from segment.core.maps.scene_outputs import SceneOutputs
from segment.core.model.backend import load_keras
from segment.core.onnx_models.loading import check_model, identify, load_model_info
from segment.core.progress import Progress
from segment.core.raster.blocks import Block
from segment.core.raster.sources import Source

R = TypeVar("R", bound=SceneOutputs)

_PAUSE = 0.01  # seconds between checks for the first planned scene


def do_scenes(
    scenes: Sequence[Source],
    plan: Callable[[Source, ClusterModel], SceneJob[R]],
    *,
    cluster: str,
    folder: Path,
    package: str,
    runtime: Runtime,
    progress: Progress,
) -> Generator[Done[R], None, None]:
    """Does scenes on a Dask cluster.

    Workers compute the blocks, and this process assembles them. Later scenes are planned while
    earlier ones are being done.

    Args:
        scenes: Scenes.
        plan: Makes the scene job of a scene. It raises InputError if that is not possible.
        cluster: Address of the scheduler, see `connect`.
        folder: Model folder, which may be the bundled one of `package`.
        package: Package whose bundled model it may be.
        runtime: What computes, the same on all workers.
        progress: Where progress is reported.

    Yields:
        The outcome of each scene as soon as it is known.

    Raises:
        InputError: If the cluster, the model or all workers cannot be used, or if the scheduler is
            lost. Once blocks are being computed, the message says how many are kept.
        Interrupted: If Ctrl-C stops it; the message says how many blocks are kept.
    """
    require_own_names(scenes)
    with connect(cluster) as client:
        workers = Workers(client, cluster, progress)
        chosen = choose_common_runtime(workers, folder, runtime)
        if chosen == "keras":
            load_keras()
        info = load_model_info(folder)
        check_model(folder, info, chosen, progress)
        reference = ModelReference.of(folder, package, chosen)
        identity, words = identify(folder, chosen)
        model = ClusterModel(reference=reference, identity=identity, runtime=words, info=info)
        planning = Planning([partial(plan, scene, model) for scene in scenes])
        with closing(_Scenes(workers, planning, progress)) as work:
            yield from work.run()


@dataclass
class _Scene(Generic[R]):
    """A scene whose blocks are being computed; `left` are those that are not done."""

    scene_job: SceneJob[R]
    left: int
    started: float = field(default_factory=time.monotonic)
    lost: list[BlockTask] = field(default_factory=list)


class _Scenes(Generic[R]):
    """The scenes of a command, from the plan to the result."""

    def __init__(self, workers: Workers, planning: Planning[R], progress: Progress):
        self._workers, self._planning, self._progress = workers, planning, progress
        self._progress_of_blocks = BlockProgress(progress, workers)
        self._finished, self._keeps, self._is_begun = 0, True, False
        self._scenes: dict[Path, _Scene[R]] = {}  # by the folder of their blocks
        self._settled: deque[Done[R]] = deque()  # without blocks to compute
        self._assembly: Assembly[Done[R]] = Assembly()

    def run(self) -> Iterator[Done[R]]:
        try:
            yield from self._do()
        except (KeyboardInterrupt, InputError) as error:
            if self._assembly.drop_waiting():
                self._progress.say("stopping, after the scenes that are being assembled")
            with suppress(KeyboardInterrupt):  # a second one
                yield from self._results(everything=True)
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(f"stopped. {self._kept()}") from error
            if not self._is_begun:
                raise
            raise InputError(f"{error} {self._kept()}") from error

    def close(self) -> None:
        try:
            self._planning.close()
            self._assembly.close()
        finally:
            for scene in list(self._scenes.values()):
                scene.scene_job.end()

    def _do(self) -> Iterator[Done[R]]:
        work, first = self._work(), None
        for first in work:
            yield from self._results()
            if first:
                break
            time.sleep(_PAUSE)
        if first:
            self._workers.wait()
            self._progress.say(self._workers.introduction)
            self._is_begun = True
            with closing(compute_blocks(self._workers, chain([first], work))) as tasks:
                for task in tasks:
                    if task:
                        self._count(task)
                    yield from self._results()
            self._progress_of_blocks.end()
        yield from self._results(everything=True)

    def _kept(self) -> str:
        of = f" of {self._planning.blocks}" if self._planning.is_over else ""
        if not self._keeps:
            return f"{self._finished}{of} blocks were finished."
        return f"{self._finished}{of} blocks are finished: the same command goes on from there."

    def _work(self) -> Iterator[tuple[BlockJob, Block] | None]:
        """Yields the blocks of one scene after the other.

        None means that the next scene is being planned, or that earlier ones wait to be assembled.
        """
        for planned in self._planning.take():
            while self._assembly.is_full:
                yield None
            if not isinstance(planned, SceneJob):
                self._settled += [planned] if planned else []
                yield None
                continue
            try:
                job = planned.begin()
            except (InputError, OSError) as error:
                self._planning.blocks -= len(planned.blocks)
                self._settled.append(Done(None, [explain(error)]))
                continue
            self._keeps &= planned.keeps
            self._scenes[job.folder] = _Scene(planned, len(planned.blocks))
            for block in planned.blocks:
                yield job, block

    def _count(self, task: BlockTask) -> None:
        scene = self._scenes[task.job.folder]
        scene.left -= 1
        if task.problem:
            scene.lost.append(task)
        else:
            self._finished += 1
        self._progress_of_blocks.add(task.block, self._planning.expected_blocks)
        if not scene.left:
            seconds = time.monotonic() - scene.started
            self._assembly.add(partial(self._assemble, task.job.folder, seconds))

    def _assemble(self, folder: Path, seconds: float) -> Done[R]:
        scene = self._scenes[folder]
        scene_job, name = scene.scene_job, scene.scene_job.name
        try:
            if len(scene.lost) == len(scene_job.blocks):
                return Done(None, [f"{name}: {scene.lost[0].problem}"])
            result = scene_job.assemble([task.block for task in scene.lost], seconds)
            return Done(result, [f"{name}, {task.block}: {task.problem}" for task in scene.lost])
        except (InputError, OSError) as error:
            return Done(None, [explain(error)])
        finally:
            scene_job.end()
            del self._scenes[folder]

    def _results(self, everything: bool = False) -> Iterator[Done[R]]:
        while self._settled:
            yield self._settled.popleft()
        yield from self._assembly.results(everything)
