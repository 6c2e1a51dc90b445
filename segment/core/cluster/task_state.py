"""How often a piece of a job is tried."""

from dataclasses import dataclass
from typing import Any

MOST_FAILURES = 3
"""Failures of a piece after which it is given up."""
MOST_LOSSES = 8
"""Workers that may be lost at a piece before it is given up: they die of other causes than the piece, too, but one that takes
more memory than any of them has would otherwise end them all."""


@dataclass
class Attempt:
    """A piece of a job, e.g. a block of a map, and what became of it so far.

    failures: times that it failed, by itself. losses: times that its worker was lost or turned out to be of no use.
    problem: of the last failure or loss, in a sentence.
    """

    job: Any
    piece: Any
    failures: int = 0
    losses: int = 0
    problem: str = ""

    def fail(self, problem: str) -> None:
        self.failures, self.problem = self.failures + 1, problem

    def lose(self, workers: int, problem: str) -> None:
        self.losses, self.problem = self.losses + workers, problem

    @property
    def is_hopeless(self) -> bool:
        return self.failures >= MOST_FAILURES or self.losses >= MOST_LOSSES

    @property
    def number(self) -> int:
        """Which attempt this is, from 0."""
        return self.failures + self.losses
