"""What is to be done of scenes, found out while others are being done."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from segment.core.cluster.scene_job import Done, Undertaking
from segment.core.errors import InputError, explain

R = TypeVar("R")

_AHEAD = 1000  # scenes; each takes some ten kilobytes


class Planning(Generic[R]):
    """A thread that plans scenes in their order."""

    def __init__(self, plans: Sequence[Callable[[], Undertaking[R]]]):
        """plans: each looks at a scene; raises InputError when it is of no use."""
        self._blocks = self._planned = self._given_up = 0
        self._settled: deque[Done[R]] = deque()
        self._count, self._plans = len(plans), iter(plans)
        self._pool = ThreadPoolExecutor(1)
        self._ahead: deque[Future[Undertaking[R] | None]] = deque()
        for _ in range(_AHEAD):
            self._go_on()

    @property
    def blocks(self) -> int:
        """Of the scenes that were planned, but for those that were given up since."""
        return self._blocks - self._given_up

    @property
    def is_over(self) -> bool:
        """Whether all scenes were planned."""
        return self._planned == self._count

    @property
    def expected_blocks(self) -> int:
        """Those of all scenes, as far as it is known; the others are taken for like those that were planned."""
        return self.blocks if self.is_over else -(-self.blocks * self._count // max(self._planned, 1)) + 1

    def take(self) -> Iterator[Undertaking[R] | None]:
        """What is to be done, scene after scene; None where the next was not planned yet."""
        while self._ahead:
            if not self._ahead[0].done():
                yield None
                continue
            self._go_on()
            undertaking = self._ahead.popleft().result()
            if undertaking:
                yield undertaking

    def settled(self) -> Iterator[Done[R]]:
        """Scenes that need not be done, or cannot, as soon as they were planned."""
        while self._settled:
            yield self._settled.popleft()

    def give_up(self, undertaking: Undertaking[R]) -> None:
        """Counts the blocks of a scene no more, which could not be begun."""
        self._given_up += len(undertaking.blocks)

    def stop(self) -> bool:
        """Plans no further scene; whether one is being planned."""
        under_way = [future for future in self._ahead if not future.cancel() and not future.done()]
        return bool(under_way)

    def close(self) -> None:
        """Ends it; waits for the scene that is being planned."""
        self._pool.shutdown(cancel_futures=True)

    def _go_on(self) -> None:
        if plan := next(self._plans, None):
            self._ahead.append(self._pool.submit(self._plan, plan))

    def _plan(self, plan: Callable[[], Undertaking[R]]) -> Undertaking[R] | None:
        try:
            undertaking = plan()
            if undertaking.found is None:
                self._blocks += len(undertaking.blocks)
                return undertaking
            self._settled.append(Done(undertaking.found, []))
        except (InputError, OSError) as error:
            self._settled.append(Done(None, [explain(error)]))
        finally:
            self._planned += 1
        return None
