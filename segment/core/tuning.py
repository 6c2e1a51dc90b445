"""Tuning: trials of settings chosen by an optimiser, the best of them as a configuration, and what it is worth."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from segment.core.choices import Sampler
from segment.core.config import Settings, change_settings, dump_settings, flatten
from segment.core.confirmation import DEFAULTS, Confirmation, confirm, final_score
from segment.core.errors import InputError
from segment.core.output import staged
from segment.core.progress import Progress, Silent
from segment.core.report import PAGE_FILE, REPORT_FILE
from segment.core.search_space import Space, distributions, dump_space
from segment.core.study import PROBLEM, open_study, run_study
from segment.core.trials import Task, best_score, run_trial
from segment.core.tuning_page import describe_study, tuning_page

if TYPE_CHECKING:
    from optuna import Study, Trial

DATABASE, DEFAULTS_FILE, BEST_FILE, SPACE_FILE, TRIALS_FOLDER = "study.db", "defaults.yaml", "best.yaml", "space.yaml", "trials"
_OURS = (DATABASE, DEFAULTS_FILE, BEST_FILE, SPACE_FILE, REPORT_FILE, PAGE_FILE, TRIALS_FOLDER)
_UNTOUCHED = 1 / 3  # share of a trial's epochs before it may be stopped
_FREE = ("training.workers", "training.tensorboard", "data.cache_mb")  # settings that trials of one study may differ in


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

    trials: of the study altogether, whichever process runs them and when; hours: after so many none begins; memory_mb: a
    trial that takes more fails. confirmations: seeds with which the best and the default settings are trained once more.
    storage: URL of a database that other processes may use, too; SQLite in the output folder by default. A study of that
    `name` in it goes on. seed: of the sampler; trials train with the seed of their settings.
    """

    trials: int = 40
    hours: float | None = None
    memory_mb: float | None = None
    confirmations: int = 3
    sampler: Sampler = "gp"
    storage: str | None = None
    name: str = "tuning"
    seed: int = 0


def tune(task: Task, output: Path, space: Space, search: Search, progress: Progress | None = None) -> Tuning:
    """Searches `space` for the settings with the best validation score, and writes them, and a report, to `output`.

    Raises InputError for settings that do not exist, a study of something else, an `output` that holds other things, and
    when no trial ends well.
    """
    wanted = distributions(space, task.defaults)
    _begin(output, task, space)
    storage = search.storage or f"sqlite:///{output.resolve() / DATABASE}"
    patience = math.ceil(_training(task.defaults)["epochs"] * _UNTOUCHED)
    study = open_study(storage, search.name, wanted, _belongs(task, space), search.sampler, search.seed, patience)
    trainer = _Trainer(study, task, output, search.memory_mb, progress or Silent())
    run_study(study, wanted, trainer.attempt, trials=search.trials, hours=search.hours, tell=trainer.tell)
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise InputError(f"{output}: a trial must end to be the best. Received none that did. Allow more --trials or --hours.")
    best = study.best_trial
    trainer.write_best()
    confirmed = None
    if search.confirmations:
        runs, first = open_study(storage, f"{search.name} confirmation", {}, {}), _training(task.defaults)["seed"] + 1
        confirmed = confirm(runs, best.number, range(first, first + search.confirmations), trainer.repeat, trainer.progress.say)
    figures = describe_study(study, confirmed)
    _write(output / REPORT_FILE, json.dumps(figures, indent=2))
    tuning_page(study, task.defaults, confirmed).write(output / PAGE_FILE)
    return Tuning(output / BEST_FILE, len(figures["trials"]), best.number, float(best.value or 0), dict(best.params), confirmed)


@dataclass(frozen=True)
class _Trainer:
    """Trains for a study."""

    study: "Study"
    task: Task
    output: Path
    memory_mb: float | None
    progress: Progress

    def attempt(self, trial: "Trial", values: Mapping[str, Any]) -> float:
        """The validation score of a trial's values. Raises TrialPruned when those of earlier trials were better by then."""
        from optuna import TrialPruned

        def watch(epoch: int, score: float) -> None:
            trial.report(score, epoch)
            if epoch < _training(self.task.defaults)["epochs"] and trial.should_prune():
                raise TrialPruned

        score: float = self._run(f"{trial.number}", values, watch, lambda folder: best_score(folder, self.task))
        return score

    def repeat(self, number: int, seed: int) -> tuple[str, float]:
        """The final score of the values of trial `number`, or the DEFAULTS, with another seed, and the part that was scored."""
        values = {} if number == DEFAULTS else self.study.get_trials(deepcopy=False)[number].params
        name = f"{'defaults' if number == DEFAULTS else number}-seed{seed}"
        found: tuple[str, float] = self._run(
            name, {**values, "training.seed": seed}, lambda epoch, score: None, lambda folder: final_score(folder, self.task)
        )
        return found

    def tell(self, trial: "FrozenTrial") -> None:
        """Says what came of a trial, and writes its settings where they are the best so far."""
        if trial.state == TrialState.COMPLETE and self.study.best_trial.number == trial.number:
            self.write_best()
        self.progress.say(_describe(trial))

    def write_best(self) -> None:
        _write(self.output / BEST_FILE, dump_settings(change_settings(self.task.defaults, self.study.best_trial.params)))

    def _run(self, name: str, values: Mapping[str, Any], watch: Callable[[int, float], None], keep: Callable[[Path], Any]) -> Any:
        epochs, told = _training(self.task.defaults)["epochs"], f"trial {name}"

        def show(epoch: int, score: float) -> None:
            self.progress.advance(told, epoch, epochs, f"{score:.3f}")
            watch(epoch, score)

        folder = self.output / TRIALS_FOLDER / f"{self.study.study_name}-{name}"
        try:
            return run_trial(self.task, values, folder, on_epoch=show, memory_mb=self.memory_mb, keep=keep)
        finally:
            self.progress.advance(told, epochs, epochs)


def _begin(output: Path, task: Task, space: Space) -> None:
    """Makes the folder. Raises InputError when it holds something else."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: the output is a folder. Received a file. Choose another place.")
    strange = [entry.name for entry in output.iterdir() if entry.name not in _OURS] if output.exists() else []
    if strange:
        raise InputError(f"{output}: holds a tuning and nothing else. Received {min(strange)} in it. Choose another place.")
    output.mkdir(parents=True, exist_ok=True)
    for name, text in ((DEFAULTS_FILE, dump_settings(task.defaults)), (SPACE_FILE, dump_space(space))):
        if not (output / name).exists():
            _write(output / name, text)


def _belongs(task: Task, space: Space) -> dict[str, Any]:
    """What all trials of a study have in common."""
    settings = {k: v for k, v in flatten(task.defaults.model_dump(mode="json")).items() if k not in _FREE}
    tuned = {f"search space, {key}": parameter.model_dump(exclude_defaults=True) for key, parameter in space.items()}
    return {"data": [folder.resolve().name for folder in task.data], **settings, **tuned}


def _training(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = settings.model_dump()["training"]
    return found


def _write(path: Path, text: str) -> None:
    with staged(path, overwrite=True) as partial:
        partial.write_text(text, encoding="utf-8")


def _describe(trial: "FrozenTrial") -> str:
    if trial.state.name == "COMPLETE":
        return f"trial {trial.number}: {trial.value:.3f}"
    if trial.state.name == "PRUNED":
        best = max(trial.intermediate_values.values())
        return f"trial {trial.number}: {best:.3f}, stopped after {len(trial.intermediate_values)} epochs"
    return f"trial {trial.number}: failed: {trial.user_attrs.get(PROBLEM, 'was stopped')}"
