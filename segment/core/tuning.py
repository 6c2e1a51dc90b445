"""Tuning: trials of settings chosen by an optimiser, the best of them as a configuration, and what it is worth."""

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from optuna.trial import FrozenTrial, TrialState

from segment.core.choices import Sampler
from segment.core.config import Settings, change_settings, dump_settings, flatten
from segment.core.confirmation import DEFAULTS, Confirmation, confirm, final_score
from segment.core.errors import InputError
from segment.core.output import alone, clear_folder, is_unfinished, staged
from segment.core.progress import Progress, Silent
from segment.core.report import PAGE_FILE, REPORT_FILE
from segment.core.search_space import Space, distributions, dump_space
from segment.core.study import ended_trials, fail_dead_trials, open_study, outcome_of, reachable, run_study, score_of
from segment.core.trials import Task, best_score, check_memory_limit, run_trial
from segment.core.tuning_page import describe_study, tuning_page
from segment.core.unit_cube import as_point

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution

DATABASE, DEFAULTS_FILE, BEST_FILE, SPACE_FILE, TRIALS_FOLDER = "study.db", "defaults.yaml", "best.yaml", "space.yaml", "trials"
_OURS = (DATABASE, DEFAULTS_FILE, BEST_FILE, SPACE_FILE, REPORT_FILE, PAGE_FILE, TRIALS_FOLDER)
_POLL = 2.0  # seconds
_UNTOUCHED = 1 / 3  # of the epochs that the defaults have, before a trial may be stopped
_LONGEST_NAME = 100  # of a study; working files are named after it
_FREE = (
    "training.workers",
    "training.devices",
    "training.tensorboard",
    "data.cache_mb",
)  # settings that trials of one study may differ in


@dataclass(frozen=True)
class Tuning:
    """What came of a study. trial: the best, and its score on validation and values by "part.key"; confirmation: what they
    are worth with other seeds, None where that was not asked for or failed; config: a YAML file with the best settings."""

    config: Path
    trials: int
    trial: int
    score: float
    values: dict[str, Any]
    confirmation: Confirmation | None

    def __str__(self) -> str:
        values = "\n".join(
            f"  {key}: {value:.4g}" if isinstance(value, float) else f"  {key}: {value}" for key, value in self.values.items()
        )
        lines = [f"best of {self.trials} trials: number {self.trial}, validation {self.score:.3f}", values]
        return "\n".join([*lines, *([str(self.confirmation)] if self.confirmation else []), f"settings: {self.config}"])


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


def tune(task: Task, output: Path, space: Space, search: Search, progress: Progress | None = None) -> Tuning:
    """Searches `space` for the settings with the best validation score, and writes them, and a report, to `output`.

    Raises InputError for settings that do not exist, a study of something else, an `output` that holds other things, and
    when no trial ends well.
    """
    wanted, progress = distributions(space, task.defaults), progress or Silent()
    check_memory_limit(search.memory_mb)
    _make_folder(output, search, task)
    with alone(output / TRIALS_FOLDER, "a folder is tuned into by one process."):
        storage = search.storage or f"sqlite:///{output.resolve() / DATABASE}"
        with reachable(storage):
            return _tune(task, output, space, wanted, search, storage, progress)


def _tune(
    task: Task,
    output: Path,
    space: Space,
    wanted: Mapping[str, "BaseDistribution"],
    search: Search,
    storage: str,
    progress: Progress,
) -> Tuning:
    patience = math.ceil(_training(task.defaults)["epochs"] * _UNTOUCHED)
    belongs = {"repeats": search.repeats, **_belongs(task, space)}
    study = open_study(storage, search.name, wanted, belongs, search.sampler, search.seed, patience)
    if not study.get_trials(deepcopy=False) and (defaults := _within(wanted, task.defaults)):
        study.enqueue_trial(defaults)
    clear_folder(output / TRIALS_FOLDER)  # what a killed one left
    _write(output / DEFAULTS_FILE, dump_settings(task.defaults))
    _write(output / SPACE_FILE, dump_space(space))
    trainer = _Trainer(study, task, output, search.repeats, search.memory_mb, progress)
    run_study(study, wanted, trainer.attempt, trials=search.trials, hours=search.hours, tell=trainer.tell)
    if fail_dead_trials(study):
        progress.say("waiting for the trials of other processes")
    while fail_dead_trials(study):
        time.sleep(_POLL)
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        ended = ended_trials(study)
        last = f" The last: {outcome_of(ended[-1])}." if ended else ""
        raise InputError(
            f"{output}: a trial must end well to be the best. Received none that did.{last} Allow more --trials or --hours."
        )
    best = study.best_trial
    trainer.write_best(best)
    confirmed = None
    if search.confirmations:
        runs, first = (
            open_study(storage, f"{search.name}/confirmation", {}, {}),
            _training(task.defaults)["seed"] + search.repeats,
        )
        confirmed = confirm(runs, best.number, range(first, first + search.confirmations), trainer.repeat, progress.say)
    figures = describe_study(study, best, confirmed)
    _write(output / REPORT_FILE, json.dumps(figures, indent=2))
    tuning_page(study, best, task.defaults, confirmed).write(output / PAGE_FILE)
    return Tuning(output / BEST_FILE, len(figures["trials"]), best.number, float(best.value or 0), dict(best.params), confirmed)


@dataclass(frozen=True)
class _Trainer:
    """Trains for a study."""

    study: "Study"
    task: Task
    output: Path
    repeats: int
    memory_mb: float | None
    progress: Progress

    def attempt(self, trial: "Trial", values: Mapping[str, Any]) -> float:
        """The validation score of a trial's values, the mean of all repeats.

        Raises TrialPruned when those of earlier trials were better by then, in the first of their repeats.
        """
        from optuna import TrialPruned

        def watch(epoch: int, score: float) -> None:
            trial.report(score, epoch)
            if epoch < self._epochs(values) and trial.should_prune():
                raise TrialPruned

        scores = [self._run(f"{trial.number}", values, watch, self._best_score)]
        for repeat in range(1, self.repeats):
            seeds = {"training.seed": self._seed + repeat, "data.split_seed": self._split_seed}
            seeds[self.task.val_seed] = self._split_seed + repeat
            scores.append(self._run(f"{trial.number}-{repeat}", {**values, **seeds}, _look_on, self._best_score))
        mean: float = sum(scores) / len(scores)
        return mean

    def repeat(self, number: int, seed: int) -> tuple[str, float]:
        """The final score of the values of trial `number`, or the DEFAULTS, with another seed, and the part that was scored.

        The split is that of the study: no image of the test has chosen the settings.
        """
        values = {} if number == DEFAULTS else self.study.get_trials(deepcopy=False)[number].params
        seeds = {"training.seed": seed, "data.split_seed": self._split_seed}
        name = f"{'defaults' if number == DEFAULTS else number}-seed{seed}"
        found: tuple[str, float] = self._run(name, {**values, **seeds}, _look_on, lambda folder: final_score(folder, self.task))
        return found

    def tell(self, trial: "FrozenTrial") -> None:
        """Says what came of a trial, and writes its settings where they are the best so far."""
        if trial.state == TrialState.COMPLETE and self.study.best_trial.number == trial.number:
            self.write_best(trial)
        self.progress.say(_describe(trial))

    def write_best(self, trial: "FrozenTrial") -> None:
        _write(self.output / BEST_FILE, dump_settings(change_settings(self.task.defaults, trial.params)))

    def _best_score(self, folder: Path) -> float:
        return best_score(folder, self.task)

    @property
    def _seed(self) -> int:
        return int(_training(self.task.defaults)["seed"])

    @property
    def _split_seed(self) -> int:
        own: int | None = self.task.defaults.model_dump()["data"]["split_seed"]
        return self._seed if own is None else own

    def _epochs(self, values: Mapping[str, Any]) -> int:
        return int(_training(change_settings(self.task.defaults, values))["epochs"])

    def _run(self, name: str, values: Mapping[str, Any], watch: Callable[[int, float], None], keep: Callable[[Path], Any]) -> Any:
        epochs, told = self._epochs(values), f"trial {name}"

        def show(epoch: int, score: float) -> None:
            self.progress.advance(told, epoch, epochs, f"{score:.3f}")
            watch(epoch, score)

        folder = self.output / TRIALS_FOLDER / f"{self.study.study_name}-{name}"
        try:
            return run_trial(self.task, values, folder, on_epoch=show, memory_mb=self.memory_mb, keep=keep)
        finally:
            self.progress.advance(told, epochs, epochs)


def _make_folder(output: Path, search: Search, task: Task) -> None:
    """Raises InputError where it cannot be one, holds something else, or lies where a database's URL cannot lead."""
    place = output.resolve()
    if search.storage is None and (found := [sign for sign in "?{}%#" if sign in str(place)]):
        raise InputError(f"{output}: the path of a study has none of ? {{ }} % #. Received {found[0]}. Choose another --output.")
    if inside := [folder for folder in task.data if folder.resolve() in (place, *place.parents)]:
        raise InputError(f"{output}: must lie apart from the data. Received a place in {inside[0]}. Choose another --output.")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: the output is a folder. Received a file. Choose another place.")
    held = {entry.name for entry in output.iterdir()} if output.exists() else set()
    strange = [name for name in held if name not in _OURS and not name.startswith(DATABASE) and not is_unfinished(name)]
    work = output / TRIALS_FOLDER
    if work.is_symlink() or (work.is_dir() and any(work.iterdir()) and not held & {DATABASE, DEFAULTS_FILE}):
        strange.append(TRIALS_FOLDER)  # that of somebody else
    if strange:
        raise InputError(f"{output}: holds a tuning and nothing else. Received {min(strange)} in it. Choose another place.")
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: must be a folder to write to. Received: {error.strerror}. Choose another place.") from error


def _belongs(task: Task, space: Space) -> dict[str, Any]:
    """What all trials of a study have in common."""
    settings = {k: v for k, v in flatten(task.defaults.model_dump(mode="json")).items() if k not in _FREE}
    tuned = {f"search space, {key}": parameter.model_dump(exclude_defaults=True) for key, parameter in space.items()}
    return {"data": [folder.resolve().name for folder in task.data], "files": _digest_files(task), **settings, **tuned}


def _digest_files(task: Task) -> str:
    """How many there are and a digest of their names, wherever their folders lie."""
    names = sorted(
        next((file.relative_to(folder) for folder in task.data if folder in file.parents), file).as_posix() for file in task.files
    )
    return f"{len(names)} ({sha256(chr(10).join(names).encode(errors='surrogateescape')).hexdigest()[:8]})"


def _within(wanted: Mapping[str, "BaseDistribution"], defaults: Settings) -> dict[str, Any] | None:
    """The defaults of what is tuned, to be tried first; None where they lie outside what is searched."""
    known = flatten(defaults.model_dump(mode="json"))
    values = {key: known.get(key) for key in wanted}
    try:
        point = as_point(values, wanted)
    except (TypeError, ValueError):
        return None
    return values if ((point >= 0) & (point <= 1)).all() else None


def _look_on(epoch: int, score: float) -> None:
    """Does nothing."""


def _training(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = settings.model_dump()["training"]
    return found


def _write(path: Path, text: str) -> None:
    with staged(path, overwrite=True) as partial:
        partial.write_text(text, encoding="utf-8")


def _describe(trial: "FrozenTrial") -> str:
    score = score_of(trial)
    what = [*([] if score is None else [f"{score:.3f}"]), *filter(None, [outcome_of(trial)])]
    return f"trial {trial.number}: {', '.join(what)}"
