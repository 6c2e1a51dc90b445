"""How a study searches."""

import math
import re
from dataclasses import dataclass
from typing import get_args

from segment.core.choices import Sampler
from segment.core.errors import InputError

_LONGEST_NAME = 100  # of a study; working files are named after it


@dataclass(frozen=True)
class Search:
    """How a study searches.

    trials: of the study altogether, whichever process runs them and when; hours: after so many none begins (confirmations
    still do); memory_mb: a trial whose process takes more main memory fails. repeats: trainings of a trial, each with a seed
    and, where validation is drawn, a split of its own; their mean counts, of which less is luck. confirmations: seeds with
    which the best and the default settings are trained once more. storage: URL of a database that other processes may use,
    too; SQLite in the output folder by default. A study of that `name` in it goes on. seed: of the sampler. Of several
    processes each ends the trial that it has begun, also beyond `trials`.

    Raises InputError for values out of range.
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
        rules: tuple[tuple[str, bool, object, str], ...] = (
            ("trials", self.trials >= 1, self.trials, "1 or more"),
            ("hours", self.hours is None or 0 < self.hours < math.inf, self.hours, "above 0"),
            ("memory", self.memory_mb is None or 0 < self.memory_mb < math.inf, self.memory_mb, "megabytes, above 0"),
            ("repeats", self.repeats >= 1, self.repeats, "1 or more"),
            ("confirm", self.confirmations >= 0, self.confirmations, "0 or more"),
            ("sampler", self.sampler in get_args(Sampler), self.sampler, f"one of {', '.join(get_args(Sampler))}"),
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
