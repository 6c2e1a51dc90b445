"""Reports on a study while it runs, whichever processes train for it."""

from pathlib import Path

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from segment.core.config import change_settings, dump_settings
from segment.core.progress import Progress
from segment.core.tuning.reruns import describe_rerun
from segment.core.tuning.search import Plan
from segment.core.tuning.storage import BEST_FILE, write_text
from segment.core.tuning.study import (
    ended_trials,
    listed_trials,
    outcome_of,
    require_success,
    score_of,
)
from segment.core.tuning.trainer import WORKER, epochs_of


class Monitor:
    """Reports the trials of a command and all reruns, and keeps the best settings up to date.

    Args:
        study: Study of the trials.
        runs: Study of the reruns.
        plan: What is trained.
        output: Folder for the best settings.
        progress: Where progress is reported.
    """

    def __init__(self, study: Study, runs: Study, plan: Plan, output: Path, progress: Progress):
        self.study, self.progress = study, progress
        self.runs, self._plan, self._output = runs, plan, output
        self._trials, self._reruns = set[int](), set(range(plan.reruns))  # which were reported

    def report(self, note: str = "") -> None:
        """Reports what has happened since the last call.

        Args:
            note: Text after the bar of the trials.

        Raises:
            InputError: If the first trials have all failed.
        """
        for trial in listed_trials(self.study):
            if trial.user_attrs.get(WORKER, [""])[0] == self._plan.command:
                self._report_trial(trial)
        for trial in self.runs.get_trials(deepcopy=False):
            if trial.state.is_finished() and trial.number not in self._reruns:
                self._reruns.add(trial.number)
                if line := describe_rerun(trial):
                    self.progress.say(line)
        ended, total = len(ended_trials(self.study)), self._plan.search.trials
        self.progress.advance("trials", min(ended, total), total, note)

    def write_best(self, trial: FrozenTrial) -> None:
        """Writes the settings of a trial as the best ones.

        Args:
            trial: The best trial.
        """
        settings = change_settings(self._plan.task.defaults, trial.params)
        write_text(self._output / BEST_FILE, dump_settings(settings))

    def __str__(self) -> str:
        """Returns how far the study has come."""
        ended, total = len(ended_trials(self.study)), self._plan.search.trials
        return f"{ended} of {total} trials have ended: the same command goes on from there."

    def _report_trial(self, trial: FrozenTrial) -> None:
        name, epoch = f"trial {trial.number}", max(trial.intermediate_values, default=0)
        if trial.state == TrialState.RUNNING and epoch:
            epochs = epochs_of(self._plan.task, trial.params)
            self.progress.advance(name, epoch, epochs, f"{trial.intermediate_values[epoch]:.3f}")
        elif trial.state.is_finished() and trial.number not in self._trials:
            self._trials.add(trial.number)
            if trial.state == TrialState.COMPLETE and self.study.best_trial.number == trial.number:
                self.write_best(trial)
            score = score_of(trial)
            parts = ["" if score is None else f"{score:.3f}", outcome_of(trial)]
            self.progress.say(f"{name}: {', '.join(filter(None, parts))}")
            self.progress.advance(name, 1, 1)
            require_success(self.study)
