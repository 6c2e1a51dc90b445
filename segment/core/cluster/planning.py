"""Planning of scenes in a thread, while earlier ones are being done."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from segment.core.cluster.scene_job import Done, SceneJob
from segment.core.errors import InputError, explain
from segment.core.maps.scene_outputs import SceneOutputs

R = TypeVar("R", bound=SceneOutputs)

_AHEAD = 1000  # scenes planned in advance; each takes some ten kilobytes


class Planning(Generic[R]):
    """A thread that plans scenes in their order.

    Attributes:
        blocks: Number of blocks of the scenes that were taken.
    """

    def __init__(self, plans: Sequence[Callable[[], SceneJob[R]]]):
        """Starts to plan.

        Args:
            plans: Functions that each plan a scene, and raise InputError if it cannot be used.
        """
        self.blocks = self._taken = 0
        self._count, self._plans = len(plans), iter(plans)
        self._pool = ThreadPoolExecutor(1)
        self._ahead: deque[Future[SceneJob[R]]] = deque()
        self._plan_ahead()

    @property
    def is_over(self) -> bool:
        """Whether all scenes were taken."""
        return self._taken == self._count

    @property
    def expected_blocks(self) -> int:
        """Expected number of blocks of all scenes, of which the others may be like those taken."""
        if self.is_over:
            return self.blocks
        return -(-self.blocks * self._count // max(self._taken, 1)) + 1

    def take(self) -> Iterator[SceneJob[R] | Done[R] | None]:
        """Takes the scenes in their order.

        Yields:
            The job of a scene, or its outcome if it need not or cannot be done; None while the next
            one is not planned yet.
        """
        while self._plan_ahead():
            if not self._ahead[0].done():
                yield None
                continue
            self._taken += 1
            try:
                scene_job = self._ahead.popleft().result()
            except (InputError, OSError) as error:
                yield Done(None, [explain(error)])
                continue
            if scene_job.found is None:
                self.blocks += len(scene_job.blocks)
                yield scene_job
            else:
                yield Done(scene_job.found, [])

    def close(self) -> None:
        """Plans no further scene, and waits for the one that is being planned."""
        self._pool.shutdown(cancel_futures=True)

    def _plan_ahead(self) -> bool:
        """Queues the next scenes; returns False if none are left."""
        while len(self._ahead) < _AHEAD and (plan := next(self._plans, None)):
            self._ahead.append(self._pool.submit(plan))
        return bool(self._ahead)
