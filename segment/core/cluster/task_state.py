"""State of a task: how often it was tried, and what went wrong."""

from dataclasses import dataclass
from typing import Any

MOST_FAILURES = 3
"""Failures of a task after which it is given up."""
MOST_LOSSES = 8
"""Losses of workers after which a task is given up.

Workers die of other causes than the task, too. But a task that takes more memory than any of them
has would otherwise end them all.
"""


@dataclass
class TaskState:
    """A task of a job, such as a block of a map, and its state.

    Attributes:
        job: Job of the task.
        piece: The task.
        failures: Times that the task itself failed.
        losses: Times that its worker was lost or turned out to be unfit.
        problem: The last failure or loss, in a sentence.
    """

    job: Any
    piece: Any
    failures: int = 0
    losses: int = 0
    problem: str = ""

    def fail(self, problem: str) -> None:
        """Records that the task itself failed.

        Args:
            problem: What went wrong, in a sentence.
        """
        self.failures, self.problem = self.failures + 1, problem

    def lose(self, workers: int, problem: str) -> None:
        """Records that workers were lost or unfit.

        Args:
            workers: Number of workers.
            problem: What went wrong, in a sentence.
        """
        self.losses, self.problem = self.losses + workers, problem

    @property
    def is_hopeless(self) -> bool:
        """Whether the task is to be given up."""
        return self.failures >= MOST_FAILURES or self.losses >= MOST_LOSSES

    @property
    def number(self) -> int:
        """Number of the try, from 0."""
        return self.failures + self.losses
