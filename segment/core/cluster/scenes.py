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
from segment.core.cluster.connect import connect
from segment.core.cluster.dispatch import dispatch
from segment.core.cluster.pace import Pace
from segment.core.cluster.planning import Planning
from segment.core.cluster.scene_job import Done, SceneJob
from segment.core.cluster.task_state import TaskState
from segment.core.cluster.worker import Job
from segment.core.cluster.worker_model import ModelReference
from segment.core.cluster.worker_pool import WorkerPool, choose_common_runtime
from segment.core.errors import InputError, Interrupted, explain
from segment.core.model.backend import load_keras
from segment.core.model.folder import MODEL_FILE, OPENVINO_FILES, check_files, load_model_info
from segment.core.model.runtime import identify
from segment.core.progress import Progress
from segment.core.raster.blocks import Block
from segment.core.raster.sources import Source, require_own_names

R = TypeVar("R")

_PAUSE = 0.01  # seconds between checks for the first planned scene


@dataclass
class _Scene(Generic[R]):
    scene_job: SceneJob[R]
    left: int
    started: float = field(default_factory=time.monotonic)
    lost: list[TaskState] = field(default_factory=list)


def do_scenes(
    scenes: Sequence[Source],
    plan: Callable[[Source, ModelReference, tuple[str, str]], SceneJob[R]],
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
        plan: Makes the scene job of a scene from the scene, the model as workers find it, and the
            identity and runtime of the model (see `segment.core.model.runtime.identify`). It raises
            InputError if that is not possible.
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
        pool = WorkerPool(client, cluster, progress.say)
        chosen = choose_common_runtime(pool, folder, runtime)
        if chosen == "keras":
            load_keras()
        check_files(
            folder,
            load_model_info(folder),
            OPENVINO_FILES if chosen == "openvino" else [MODEL_FILE],
            progress,
        )
        reference, identity = ModelReference.of(folder, package, chosen), identify(folder, chosen)
        campaign = _Campaign(
            pool,
            Planning([partial(plan, scene, reference, identity) for scene in scenes]),
            progress,
        )
        try:
            yield from campaign.run()
        finally:
            with suppress(Exception):  # the scheduler may be gone
                pool.disband()
            campaign.end()


class _Campaign(Generic[R]):
    def __init__(self, pool: WorkerPool, planning: Planning[R], progress: Progress):
        self._pool, self._planning, self._progress, self._pace = (
            pool,
            planning,
            progress,
            Pace(progress),
        )
        self._finished, self._keeps, self._is_begun = 0, True, False
        self._under_way: dict[Path, _Scene[R]] = {}
        self._refused: deque[Done[R]] = deque()
        self._assembly: Assembly[Done[R]] = Assembly()

    def run(self) -> Iterator[Done[R]]:
        try:
            yield from self._do()
        except (KeyboardInterrupt, InputError) as error:
            if self._planning.stop() | self._assembly.drop_waiting():
                self._progress.say(
                    "stopping, when scenes that are being looked at, or put together, are finished"
                )
            with suppress(KeyboardInterrupt):  # a second one
                yield from self._results(everything=True)
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(f"stopped. {self._kept()}") from error
            if not self._is_begun:
                raise
            raise InputError(f"{error} {self._kept()}") from error

    def end(self) -> None:
        try:
            self._planning.close()
            self._assembly.close()
        finally:
            for scene in list(self._under_way.values()):
                scene.scene_job.end()

    def _do(self) -> Iterator[Done[R]]:
        work, first = self._work(), None
        for first in work:
            yield from self._results()
            if first:
                break
            time.sleep(_PAUSE)
        if first is None:
            yield from self._results()
            return
        job, _ = first
        self._pool.assemble(job)
        self._progress.say(self._pool.introduction)
        self._is_begun = True
        with closing(dispatch(self._pool, chain([first], work))) as attempts:
            for attempt in attempts:
                if attempt:
                    self._count(attempt)
                yield from self._results()
        self._pace.end()
        yield from self._results(everything=True)

    def _kept(self) -> str:
        of = f" of {self._planning.blocks}" if self._planning.is_over else ""
        if not self._keeps:
            return f"{self._finished}{of} blocks were finished."
        return f"{self._finished}{of} blocks are finished: the same command goes on from there."

    def _work(self) -> Iterator[tuple[Job, Block] | None]:
        """Yields the blocks of one scene after the other.

        None means that the next scene is being planned, or that earlier ones wait to be assembled.
        """
        for scene_job in self._planning.take():
            while self._assembly.is_full:
                yield None
            if scene_job is None:
                yield None
                continue
            try:
                job = scene_job.begin()
            except (InputError, OSError) as error:
                self._planning.give_up(scene_job)
                self._refused.append(Done(None, [explain(error)]))
                continue
            self._keeps &= scene_job.keeps
            self._under_way[job.folder] = _Scene(scene_job, len(scene_job.blocks))
            for block in scene_job.blocks:
                yield job, block

    def _count(self, attempt: TaskState) -> None:
        scene = self._under_way[attempt.job.folder]
        scene.left -= 1
        if attempt.problem:
            scene.lost.append(attempt)
        else:
            self._finished += 1
        self._pace.add(attempt.piece, self._planning.expected_blocks, self._pool)
        if not scene.left:
            self._assembly.add(
                partial(self._assemble, attempt.job.folder, time.monotonic() - scene.started)
            )

    def _assemble(self, folder: Path, seconds: float) -> Done[R]:
        scene = self._under_way[folder]
        scene_job, holes = scene.scene_job, [attempt.piece for attempt in scene.lost]
        problems = [
            f"{scene_job.name}, {attempt.piece}: {attempt.problem}" for attempt in scene.lost
        ]
        try:
            if len(holes) == len(scene_job.blocks):
                return Done(None, [f"{scene_job.name}: {scene.lost[0].problem}"])
            return Done(scene_job.assemble(holes, seconds), problems)
        except (InputError, OSError) as error:
            return Done(None, [explain(error)])
        finally:
            scene_job.end()
            del self._under_way[folder]

    def _results(self, everything: bool = False) -> Iterator[Done[R]]:
        yield from self._planning.settled()
        while self._refused:
            yield self._refused.popleft()
        yield from self._assembly.results(everything)
