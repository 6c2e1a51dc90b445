"""Bodies of requests as they arrive: not too slowly, within the quota, and not too many from one address."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException

from segment.app.uploads.messages import log_refusal
from segment.app.uploads.quota import Reservation
from segment.core.errors import InputError

Receive = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Limits:
    """How bodies may arrive. stall: seconds without a byte. slowest: bytes a second on average, once `grace` seconds are over.

    at_once: bodies that arrive from one address at a time. drain: seconds for which a refused body is still read, for most
    clients listen to an answer only when they have sent all.
    """

    stall: float = 30.0
    grace: float = 60.0
    slowest: int = 4096
    at_once: int = 64
    drain: float = 5.0

    def patience(self, elapsed: float, received: int) -> float:
        """Seconds that the next bytes of a body may take, of which so many have been received since `elapsed` seconds."""
        return min(self.stall, self.grace + received / self.slowest - elapsed)


@dataclass
class Arrivals:
    """Bodies that arrive at the moment, by the address that they come from."""

    limits: Limits = Limits()
    _open: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Counts a body while it arrives. Raises InputError when as many as may come already do."""
        if self._open[address] >= self.limits.at_once:
            raise InputError(
                f"{self.limits.at_once} requests of one address are received at once. Received more. Try again later."
            )
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]


class Body:
    """The body of one request. reservation: what an upload holds of the quota, as much as has arrived."""

    def __init__(self, receive: Receive, limits: Limits, reservation: Reservation | None = None):
        self._receive, self._limits, self._reservation = receive, limits, reservation
        self._received, self._whole = 0, False
        self._began = asyncio.get_running_loop().time()

    async def receive(self) -> Any:
        """What the server receives next. Raises HTTPException, which is answered: 408 when it is too slow, 413 without room."""
        if self._whole:  # who asks now waits for the client to leave
            return await self._receive()
        elapsed = asyncio.get_running_loop().time() - self._began
        try:
            async with asyncio.timeout(self._limits.patience(elapsed, self._received)):
                message = await self._receive()
        except TimeoutError as error:
            sentence = f"Body arrived too slowly, {self._received:,} bytes so far. Send it again."
            log_refusal("body", sentence)
            raise HTTPException(408, sentence) from error
        size = len(message.get("body", b""))
        self._received += size
        self._whole = not message.get("more_body")
        if self._reservation is not None:
            try:
                self._reservation.grow(size, last=self._whole)
            except InputError as error:
                log_refusal("body", str(error))
                await self.drain()
                raise HTTPException(413, str(error)) from error
        return message

    async def drain(self) -> None:
        """Reads on for a while, and forgets what comes."""
        try:
            async with asyncio.timeout(self._limits.drain):
                while not self._whole:
                    self._whole = not (await self._receive()).get("more_body")
        except TimeoutError:
            pass
