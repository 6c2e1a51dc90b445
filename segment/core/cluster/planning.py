"""Planning of scenes in a thread, while earlier ones are being done."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from segment.core.cluster.scene_job import Done, SceneJob
from segment.core.errors import InputError, explain

R = TypeVar("R")

_AHEAD = 1000  # scenes planned in advance; each takes some ten kilobytes


class Planning(Generic[R]):
    """A thread that plans scenes in their order."""

    def __init__(self, plans: Sequence[Callable[[], SceneJob[R]]]):
        """Starts to plan.

        Args:
            plans: Functions that each plan a scene, and raise InputError if it cannot be used.
        """
        self._blocks = self._planned = self._given_up = 0
        self._settled: deque[Done[R]] = deque()
        self._count, self._plans = len(plans), iter(plans)
        self._pool = ThreadPoolExecutor(1)
        self._ahead: deque[Future[SceneJob[R] | None]] = deque()
        for _ in range(_AHEAD):
            self._go_on()

    @property
    def blocks(self) -> int:
        """Number of blocks of the scenes planned so far, without those that were given up since."""
        return self._blocks - self._given_up

    @property
    def is_over(self) -> bool:
        """Whether all scenes are planned."""
        return self._planned == self._count

    @property
    def expected_blocks(self) -> int:
        """Expected number of blocks of all scenes.

        Scenes that are not planned yet are taken to be like the others.
        """
        return (
            self.blocks
            if self.is_over
            else -(-self.blocks * self._count // max(self._planned, 1)) + 1
        )

    def take(self) -> Iterator[SceneJob[R] | None]:
        """Takes the scenes that are to be done.

        Yields:
            Scene jobs in their order; None while the next one is not planned yet.
        """
        while self._ahead:
            if not self._ahead[0].done():
                yield None
                continue
            self._go_on()
            scene_job = self._ahead.popleft().result()
            if scene_job:
                yield scene_job

    def settled(self) -> Iterator[Done[R]]:
        """Takes the scenes that need not be done, or cannot be done.

        Yields:
            Their outcomes, as soon as they are planned.
        """
        while self._settled:
            yield self._settled.popleft()

    def give_up(self, scene_job: SceneJob[R]) -> None:
        """Removes the blocks of a scene that could not be begun from the count.

        Args:
            scene_job: Scene job of the scene.
        """
        self._given_up += len(scene_job.blocks)

    def stop(self) -> bool:
        """Plans no further scene.

        Returns:
            Whether a scene is still being planned.
        """
        under_way = [future for future in self._ahead if not future.cancel() and not future.done()]
        return bool(under_way)

    def close(self) -> None:
        """Ends the thread, and waits for the scene that is being planned."""
        self._pool.shutdown(cancel_futures=True)

    def _go_on(self) -> None:
        if plan := next(self._plans, None):
            self._ahead.append(self._pool.submit(self._plan, plan))

    def _plan(self, plan: Callable[[], SceneJob[R]]) -> SceneJob[R] | None:
        try:
            scene_job = plan()
            if scene_job.found is None:
                self._blocks += len(scene_job.blocks)
                return scene_job
            self._settled.append(Done(scene_job.found, []))
        except (InputError, OSError) as error:
            self._settled.append(Done(None, [explain(error)]))
        finally:
            self._planned += 1
        return None
