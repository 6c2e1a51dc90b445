"""What a study trains, and how it searches."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from segment.core.choices import Sampler
from segment.core.config import MACHINERY, Settings, flatten
from segment.core.errors import InputError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_UNTOUCHED = 1 / 3  # share of the default epochs before a trial may be stopped
_MOST_READ = 2**29  # bytes of files whose content is compared
_LONGEST_NAME = 100  # characters of a study's name, which is part of the names of working files


def no_files(data: Sequence[Path]) -> list[Path | str]:
    """Finds no files; the default of `Task.find_files`.

    Args:
        data: Data folders.

    Returns:
        An empty list.
    """
    return []


def no_check(settings: Settings) -> None:
    """Checks nothing; the default of `Task.check`.

    Args:
        settings: Settings of a training.
    """


@dataclass(frozen=True)
class Task:
    """What a study trains.

    Attributes:
        module: Module that has the command `train`.
        data: Data folders.
        defaults: Settings that trials change.
        scores: Scores that may be maximised: the key in report.json by the column in history.csv.
            The first one that the history has is maximised.
        files: Files of the data folders that are used; texts describe what is read of others.
        val_seed: Setting that draws another validation part but the same test part.
        find_files: Finds the used files of data folders, on other machines, too.
        check: Refuses settings whose network cannot be built, with an InputError.
    """

    module: str
    data: Sequence[Path]
    defaults: Settings
    scores: Mapping[str, str]
    files: Sequence[Path | str] = ()
    val_seed: str = "data.val_seed"
    find_files: Callable[[Sequence[Path]], Sequence[Path | str]] = no_files
    check: Callable[[Any], None] = no_check

    @property
    def seed(self) -> int:
        """Seed of the trainings of trials."""
        return int(training_of(self.defaults)["seed"])

    @property
    def split_seed(self) -> int:
        """Seed of the split into parts, which is the same for all trainings of a study."""
        own: int | None = self.defaults.model_dump()["data"]["split_seed"]
        return self.seed if own is None else own

    @property
    def patience(self) -> int:
        """Epochs that a trial has before it may be stopped."""
        return math.ceil(int(training_of(self.defaults)["epochs"]) * _UNTOUCHED)

    def describe(self) -> dict[str, Any]:
        """Describes what all trials of a study have in common.

        Returns:
            Plain values by name: the data, their files, and the settings on which the result of a
            training depends.
        """
        settings = flatten(self.defaults.model_dump(mode="json"))
        return {
            "data": [folder.resolve().name for folder in self.data],
            "files": self.describe_files(),
            **{key: value for key, value in settings.items() if key not in MACHINERY},
        }

    def describe_files(self) -> str:
        """Describes the files in use.

        Returns:
            Their number and a digest: of their names, which do not depend on where the data folders
            are, of their sizes, and of what the smallest ones hold, 512 MB in all.
        """
        digest, read = sha256(), 0
        order = sorted((_size(f), self._name(f), i) for i, f in enumerate(self.files))
        for size, name, number in order:
            digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))
            read += max(size, 0)
            if size > 0 and read <= _MOST_READ:
                with open(self.files[number], "rb") as opened:
                    digest.update(file_digest(opened, sha256).digest())
        return f"{len(self.files)} ({digest.hexdigest()[:8]})"

    def _name(self, file: Path | str) -> str:
        if isinstance(file, str):
            return file
        places = [(f if f.is_dir() else f.parent).absolute() for f in self.data]
        whole = file.absolute()
        below = (whole.relative_to(place) for place in places if place in whole.parents)
        return next(below, Path(file.name)).as_posix()


def _size(file: Path | str) -> int:
    """Returns the size of a file in bytes; -1 for a text or a file that is missing."""
    return file.stat().st_size if isinstance(file, Path) and file.is_file() else -1


def training_of(settings: Settings) -> dict[str, Any]:
    """Returns the part `training` of settings of any kind.

    Args:
        settings: Settings of a training command.

    Returns:
        Values by key.
    """
    found: dict[str, Any] = settings.model_dump()["training"]
    return found


@dataclass(frozen=True)
class Search:
    """How a study searches.

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
                raise InputError(f"--{name} is {received!r}. Choose {rule}.")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all processes have in common that train for one command.

    Attributes:
        task: What trials train.
        search: How the study searches.
        distributions: Settings to tune, and their values.
        deadline: Time, in seconds since 1970, after which no trial is begun.
        command: Name of the command, which its trials keep.
        reruns: Number of reruns that the study had when the command began. Earlier ones that failed
            are tried again.
    """

    task: Task
    # the URL of its database may contain a password, and Dask logs the arguments of tasks
    search: Search = field(repr=False)
    distributions: Mapping[str, "BaseDistribution"]
    deadline: float
    command: str
    reruns: int
