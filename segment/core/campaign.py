"""Scenes done by a cluster: their blocks in one stream, so that no worker waits for a scene to be assembled."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

from segment.core.assembly import Assembly
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

_PAUSE = 0.01  # seconds between looks at whether a scene is planned


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
    """Does scenes on a Dask cluster, their blocks on the workers and their assembling here; yields what became of each, as soon
    as it is known.

    plan: makes what is to be done of a scene, the model that does it, and what that says of itself, see
    `segment.core.runtime.identify`; raises InputError when it cannot be. Later scenes are planned while earlier ones are done.
    folder: of the model, which may be the bundled one of `package`.

    Raises InputError when the cluster, the model or all workers are of no use, and when the scheduler is lost; Interrupted on
    Ctrl-C. Each says how many blocks are kept.
    """
    require_own_names(scenes)
    with connect(cluster) as client:
        crew = Crew(client, cluster, progress.say)
        chosen = choose_common_runtime(crew, folder, runtime)
        if chosen == "keras":
            load_keras()
        reference, identity = ModelReference.of(folder, package, chosen), identify(folder, chosen)
        campaign = _Campaign(crew, [partial(plan, scene, reference, identity) for scene in scenes], progress)
        try:
            yield from campaign.run()
        finally:
            campaign.end()
            with suppress(Exception):  # the scheduler may be gone
                crew.disband()


class _Campaign(Generic[R]):
    def __init__(self, crew: Crew, plans: Sequence[Callable[[], Undertaking[R]]], progress: Progress):
        self._crew, self._progress, self._pace = crew, progress, Pace(progress)
        self._planner = ThreadPoolExecutor(1)
        self._planned = deque(self._planner.submit(self._plan, plan) for plan in plans)
        self._blocks, self._finished, self._keeps = 0, 0, True
        self._under_way: dict[Path, _Scene[R]] = {}
        self._ready: deque[Done[R]] = deque()
        self._assembly: Assembly[Done[R]] = Assembly()

    def run(self) -> Iterator[Done[R]]:
        work = self._work()
        first = _wait_for(work)
        yield from self._results()
        if first is None:
            return
        job, _ = first
        self._crew.assemble(job)
        self._progress.say(self._crew.introduction)
        try:
            with closing(dispatch(self._crew, chain([first], work))) as attempts:
                for attempt in attempts:
                    self._count(attempt)
                    yield from self._results()
            yield from self._results(everything=True)
        except (KeyboardInterrupt, InputError) as error:
            of = f" of {self._blocks}" if all(future.done() for future in self._planned) else ""
            count = f"{self._finished}{of} blocks"
            kept = f"{count} are finished: the same command goes on from there." if self._keeps else f"{count} were finished."
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(f"stopped. {kept}") from error
            raise InputError(f"{error} {kept}") from error

    def end(self) -> None:
        self._planner.shutdown(cancel_futures=True)
        self._assembly.close()
        for scene in self._under_way.values():
            scene.undertaking.end()

    def _plan(self, plan: Callable[[], Undertaking[R]]) -> Undertaking[R] | Done[R]:
        try:
            undertaking = plan()
        except InputError as error:
            return Done(None, [str(error)])
        if undertaking.found is not None:
            return Done(undertaking.found, [])
        self._blocks += len(undertaking.blocks)
        return undertaking

    def _work(self) -> Iterator[tuple[Job, Block] | None]:
        """Blocks of one scene after the other; None while the next is being planned, or earlier ones wait to be assembled."""
        while self._planned:
            if not self._planned[0].done() or self._assembly.is_full:
                yield None
                continue
            planned = self._planned.popleft().result()
            if isinstance(planned, Done):
                self._ready.append(planned)
                continue
            try:
                job = planned.begin()
            except InputError as error:
                self._ready.append(Done(None, [str(error)]))
                continue
            self._keeps &= planned.keeps
            self._under_way[job.folder] = _Scene(planned, len(planned.blocks))
            for block in planned.blocks:
                yield job, block

    def _count(self, attempt: Attempt) -> None:
        scene = self._under_way[attempt.job.folder]
        scene.left -= 1
        if attempt.problem:
            scene.lost.append(attempt)
        else:
            self._finished += 1
        self._pace.add(attempt.piece, self._blocks, self._crew)
        if not scene.left:
            self._assembly.add(partial(self._assemble, attempt.job.folder))

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

    def _results(self, everything: bool = False) -> Iterator[Done[R]]:
        while self._ready:
            yield self._ready.popleft()
        yield from self._assembly.results(everything)


def _wait_for(work: Iterator[tuple[Job, Block] | None]) -> tuple[Job, Block] | None:
    for found in work:
        if found:
            return found
        time.sleep(_PAUSE)
    return None
