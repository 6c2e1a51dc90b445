"""Scenes done by a cluster: their blocks in one stream, so that no worker waits for a scene to be assembled."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from segment.core.attempt import Attempt
from segment.core.blocks import Block
from segment.core.choices import Runtime
from segment.core.cluster import connect
from segment.core.common_runtime import choose_common_runtime
from segment.core.crew import Crew
from segment.core.dispatch import dispatch
from segment.core.errors import InputError, Interrupted
from segment.core.kept_model import ModelReference
from segment.core.keras_backend import load_keras
from segment.core.pace import Pace
from segment.core.progress import Progress
from segment.core.runtime import identify
from segment.core.sources import Source, require_own_names
from segment.core.undertaking import Undertaking
from segment.core.worker import Job

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Done(Generic[R_co]):
    """What became of a scene. result: None where there is none. problems: a sentence each, with a result one for each hole."""

    result: R_co | None
    problems: list[str]


@dataclass
class _Scene(Generic[R]):
    undertaking: Undertaking[R]
    left: int
    started: float = field(default_factory=time.monotonic)
    lost: list[Attempt] = field(default_factory=list)


def do_scenes(
    scenes: Sequence[Source],
    plan: Callable[[Source, ModelReference, tuple[str, str]], Undertaking[R]],
    *,
    cluster: str,
    folder: Path,
    package: str,
    runtime: Runtime,
    progress: Progress,
) -> Generator[Done[R], None, None]:
    """Does scenes on a Dask cluster; yields what became of each, as soon as it is known.

    plan: makes what is to be done of a scene, the model that does it, and what that says of itself, see
    `segment.core.runtime.identify`; raises InputError when it cannot be. folder: of the model, which may be the bundled one of
    `package`.

    Raises InputError as `carry_out` does, and when the cluster or the model is of no use.
    """
    require_own_names(scenes)
    with connect(cluster) as client:
        crew = Crew(client, cluster, progress.say)
        chosen = choose_common_runtime(crew, folder, runtime)
        if chosen == "keras":
            load_keras()
        reference, identity = ModelReference.of(folder, package, chosen), identify(folder, chosen)
        undertakings = []
        for scene in scenes:
            try:
                undertaking = plan(scene, reference, identity)
            except InputError as error:
                yield Done(None, [str(error)])
                continue
            if undertaking.found is None:
                undertakings.append(undertaking)
            else:
                yield Done(undertaking.found, [])
        if undertakings:
            yield from carry_out(crew, undertakings, progress)


def carry_out(crew: Crew, undertakings: Sequence[Undertaking[R]], progress: Progress) -> Generator[Done[R], None, None]:
    """Does scenes one after the other, their blocks on the workers and their assembling here; yields what became of each.

    Raises InputError when the cluster is lost, and Interrupted; each says how many blocks are kept.
    """
    campaign = _Campaign(crew, undertakings, progress)
    try:
        job, problems = campaign.begin_first()
        if job is None:
            yield from (Done(None, [problem]) for problem in problems)
            return
        crew.assemble(job)
        progress.say(crew.introduction)
        yield from campaign.run()
    finally:
        campaign.end()
        with suppress(Exception):  # the scheduler may be gone
            crew.disband()


class _Campaign(Generic[R]):
    def __init__(self, crew: Crew, undertakings: Sequence[Undertaking[R]], progress: Progress):
        self._crew, self._undertakings, self._waiting = crew, undertakings, deque(undertakings)
        self._total = sum(len(undertaking.blocks) for undertaking in undertakings)
        self._pace, self._finished = Pace(self._total, progress), 0
        self._under_way: dict[Path, _Scene[R]] = {}
        self._ready: deque[Done[R]] = deque()
        self._assembling: deque[Future[Done[R]]] = deque()
        self._pool = ThreadPoolExecutor(1)

    def run(self) -> Iterator[Done[R]]:
        try:
            with closing(dispatch(self._crew, self._work())) as attempts:
                for attempt in attempts:
                    self._count(attempt)
                    yield from self._results(wait=False)
            yield from self._results(wait=True)
        except (KeyboardInterrupt, InputError) as error:
            count = f"{self._finished} of {self._total} blocks"
            kept = f"{count} are finished: the same command goes on from there." if self._keeps else f"{count} were finished."
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(f"stopped. {kept}") from error
            raise InputError(f"{error} {kept}") from error

    @property
    def _keeps(self) -> bool:
        return all(undertaking.keeps for undertaking in self._undertakings)

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for undertaking in self._undertakings:
            undertaking.end()

    def begin_first(self) -> tuple[Job | None, list[str]]:
        """The first job that can be begun, for workers to be checked with; or none, and what is wrong with each."""
        problems = []
        for undertaking in self._undertakings:
            try:
                return undertaking.begin(), []
            except InputError as error:  # which is told when its turn comes
                problems.append(str(error))
        return None, problems

    def _work(self) -> Iterator[tuple[Job, Block]]:
        while self._waiting:
            undertaking = self._waiting.popleft()
            try:
                job = undertaking.begin()
            except InputError as error:
                self._ready.append(Done(None, [str(error)]))
                continue
            self._under_way[job.folder] = _Scene(undertaking, len(undertaking.blocks))
            for block in undertaking.blocks:
                yield job, block

    def _count(self, attempt: Attempt) -> None:
        scene = self._under_way[attempt.job.folder]
        scene.left -= 1
        if attempt.problem:
            scene.lost.append(attempt)
        else:
            self._finished += 1
        self._pace.add(attempt.piece, self._crew)
        if not scene.left:
            self._assembling.append(self._pool.submit(self._assemble, attempt.job.folder))

    def _assemble(self, folder: Path) -> Done[R]:
        scene = self._under_way[folder]
        undertaking, holes = scene.undertaking, [attempt.piece for attempt in scene.lost]
        problems = [f"{undertaking.name}, {attempt.piece}: {attempt.problem}" for attempt in scene.lost]
        try:
            if len(holes) == len(undertaking.blocks):
                return Done(None, [f"{undertaking.name}: {scene.lost[0].problem}"])
            return Done(undertaking.assemble(holes, time.monotonic() - scene.started), problems)
        except InputError as error:
            return Done(None, [str(error)])
        finally:
            undertaking.end()
            del self._under_way[folder]

    def _results(self, wait: bool) -> Iterator[Done[R]]:
        while self._ready:
            yield self._ready.popleft()
        while self._assembling and (wait or self._assembling[0].done()):
            yield self._assembling.popleft().result()
