"""Bodies of requests as they arrive.

They may not be too slow, exceed the quota, or be too many from one address.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException

from segment.app.uploads.quota import Reservation
from segment.app.uploads.visitors import log_refusal
from segment.core.errors import InputError

Receive = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Limits:
    """How bodies of requests may arrive.

    Attributes:
        stall: Longest time without a byte, in seconds.
        grace: Seconds after which `slowest` applies.
        slowest: Least average speed, in bytes per second.
        at_once: Bodies that may arrive from one address at a time.
        drain: Seconds for which a refused body is still read: most clients listen to an answer only
            when they have sent everything.
    """

    stall: float = 30.0
    grace: float = 60.0
    slowest: int = 4096
    at_once: int = 64
    drain: float = 5.0

    def patience(self, elapsed: float, received: int) -> float:
        """Returns how long the next bytes of a body may take.

        Args:
            elapsed: Seconds since the body began to arrive.
            received: Bytes that have arrived so far.

        Returns:
            Seconds, below zero for a body that is too slow already.
        """
        return min(self.stall, self.grace + received / self.slowest - elapsed)


@dataclass
class Arrivals:
    """Bodies that are arriving, counted by the address that they come from.

    Attributes:
        limits: How they may arrive.
    """

    limits: Limits = Limits()
    _open: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Counts a body while it arrives.

        Args:
            address: Address that it comes from.

        Yields:
            None, while the body is counted.

        Raises:
            InputError: If as many bodies as allowed are arriving from the address.
        """
        if self._open[address] >= self.limits.at_once:
            raise InputError(
                f"More than {self.limits.at_once} requests from one address at once. Try again"
                " later."
            )
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]


class Body:
    """The body of one request."""

    def __init__(self, receive: Receive, limits: Limits, reservation: Reservation | None = None):
        """Starts the clock of a body.

        Args:
            receive: Receives the next message, as an ASGI server provides it.
            limits: How the body may arrive.
            reservation: What an upload holds of the quota: as much as has arrived. None for
                requests that are no uploads.
        """
        self._receive, self._limits, self._reservation = receive, limits, reservation
        self._received, self._whole = 0, False
        self._began = asyncio.get_running_loop().time()

    async def receive(self) -> Any:
        """Receives the next message.

        Returns:
            The ASGI message.

        Raises:
            HTTPException: With status 408 if the body is too slow, 413 if there is no room for it.
                It becomes the answer to the client.
        """
        if self._whole:  # further calls wait for the client to disconnect
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
        """Reads on for a while, and discards what arrives."""
        try:
            async with asyncio.timeout(self._limits.drain):
                while not self._whole:
                    self._whole = not (await self._receive()).get("more_body")
        except TimeoutError:
            pass
