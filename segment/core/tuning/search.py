"""Search options of a study."""

import math
import re
from dataclasses import dataclass
from typing import get_args

from segment.core.choices import Sampler
from segment.core.errors import InputError

_LONGEST_NAME = 100  # characters of a study's name, which is part of the names of working files


@dataclass(frozen=True)
class Search:
    """How a study searches.

    If several processes work on a study, each finishes the trial that it has begun, even if there
    are more than `trials` then.

    Attributes:
        trials: Number of trials of the study in total, whichever processes run them and when.
        hours: Hours after which no trial is begun; confirmations still are. None for no limit.
        memory_mb: Main memory in MB. A trial whose process takes more fails. None for no limit.
        repeats: Trainings of a trial, each with its own seed and, if validation is drawn, its own
            split. Their mean is the score, which depends less on chance.
        confirmations: Number of seeds with which the best and the default settings are trained
            once more.
        sampler: Method that chooses the settings of trials.
        storage: URL of a database, which other processes may use, too. By default a SQLite file in
            the output folder.
        name: Name of the study. A study of that name in the database is continued.
        seed: Seed of the sampler.

    Raises:
        InputError: If a value is out of range.
    """

    trials: int = 40
    hours: float | None = None
    memory_mb: float | None = None
    repeats: int = 1
    confirmations: int = 3
    sampler: Sampler = "gp"
    storage: str | None = None
    name: str = "tuning"
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values."""
        rules: tuple[tuple[str, bool, object, str], ...] = (
            ("trials", self.trials >= 1, self.trials, "1 or more"),
            ("hours", self.hours is None or 0 < self.hours < math.inf, self.hours, "above 0"),
            (
                "memory",
                self.memory_mb is None or 0 < self.memory_mb < math.inf,
                self.memory_mb,
                "megabytes, above 0",
            ),
            ("repeats", self.repeats >= 1, self.repeats, "1 or more"),
            ("confirm", self.confirmations >= 0, self.confirmations, "0 or more"),
            (
                "sampler",
                self.sampler in get_args(Sampler),
                self.sampler,
                f"one of {', '.join(get_args(Sampler))}",
            ),
            ("seed", 0 <= self.seed < 2**32, self.seed, "from 0 to 4294967295"),
            (
                "study",
                bool(re.fullmatch(r"\w[\w .-]*", self.name)) and len(self.name) <= _LONGEST_NAME,
                self.name,
                f"letters, digits, blanks, dots and dashes, {_LONGEST_NAME} at most",
            ),
        )
        for name, holds, received, rule in rules:
            if not holds:
                raise InputError(f"--{name}: {rule}. Received {received!r}. Choose another.")
