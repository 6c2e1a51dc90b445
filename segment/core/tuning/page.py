"""The report of a tuning: all trials, the importance of settings, and the gain of the best."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from segment.core.config import Settings, flatten
from segment.core.reports.page import Report
from segment.core.tuning.reruns import Reruns
from segment.core.tuning.storage import quiet_optuna
from segment.core.tuning.study import listed_trials, outcome_of, score_of
from segment.core.tuning.trials import PROBLEM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COMPARABLE = 4  # complete trials that plots and importances need to be meaningful
_SCORE, _ROW = "validation score", 3


def describe_study(study: Study, best: FrozenTrial, confirmed: Reruns | None) -> dict[str, Any]:
    """Describes a study as plain values for report.json.

    Args:
        study: Study to describe.
        best: Its best trial.
        confirmed: Scores of the best settings with other seeds; None if there are none.

    Returns:
        The best trial, its confirmation, the importance of the settings, and all trials.
    """
    return {
        "best": _describe_trial(best),
        "confirmation": (
            None
            if confirmed is None
            else {**vars(confirmed), "gain": confirmed.gain, "standard_error": confirmed.error}
        ),
        "importance": importance(study),
        "trials": [_describe_trial(trial) for trial in listed_trials(study)],
    }


def importance(study: Study) -> dict[str, float]:
    """Computes how much of the variance of the scores each setting explains.

    Method: fANOVA, Hutter, Hoos and Leyton-Brown (2014), "An efficient approach for assessing
    hyperparameter importance".

    Args:
        study: Study with the trials.

    Returns:
        Shares by name of the setting, the largest first, with a sum of 1; empty if too few trials
        are complete.
    """
    # with scikit-learn, seconds
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _COMPARABLE or len({trial.value for trial in complete}) < 2:
        return {}
    return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))


def tuning_page(
    study: Study, best: FrozenTrial, defaults: Settings, confirmed: Reruns | None
) -> Report:
    """Builds the report page of a study.

    Args:
        study: Study to report.
        best: Its best trial.
        defaults: Settings before tuning.
        confirmed: Scores of the best settings with other seeds; None if there are none.

    Returns:
        The page with all sections.
    """
    page = Report("What tuning found")
    _best(page, best, defaults, confirmed)
    settings = [key for key in importance(study) if not best.distributions[key].single()]
    if settings:
        _pictures(page, study, settings)
    _trials(page, study)
    return page


def _best(page: Report, best: FrozenTrial, defaults: Settings, confirmed: Reruns | None) -> None:
    before = flatten(defaults.model_dump(mode="json"))
    page.heading("Best settings")
    page.text(
        f"Trial {best.number} scored {best.value:.3f} on validation. It was chosen for that score,"
        " which therefore flatters it."
    )
    page.table(
        ("Setting", "Default", "Best"),
        [
            (key, round_value(before.get(key)), round_value(value))
            for key, value in best.params.items()
        ],
    )
    page.heading("Gain over the defaults")
    if confirmed is None:
        page.text(
            "Not measured: there are no other seeds with which both the best and the default"
            " settings were trained."
        )
        return
    page.text(
        f"Both were trained again with other seeds and scored on the {confirmed.part} part:"
        f" {confirmed}."
    )
    page.text(
        "The error is that of chance in training; all seeds are scored on the same part, which"
        " has a chance of its own."
    )
    if confirmed.part == "validation":
        page.text(
            "There is no test part: validation chose the settings and scores them, so expect less"
            " on new data."
        )
    rows = zip(confirmed.seeds, confirmed.defaults, confirmed.best, strict=True)
    page.table(
        ("Seed", "Default", "Best", "Gain"),
        [(f"{seed}", default, own, own - default) for seed, default, own in rows],
    )
    for problem in confirmed.problems:
        page.text(f"Left out: {problem}")


def _pictures(page: Report, study: Study, settings: list[str]) -> None:
    from optuna.importance import FanovaImportanceEvaluator
    from optuna.visualization import matplotlib as pictures  # with pyplot, half a second

    page.heading("History")
    with _drawn(
        lambda: pictures.plot_optimization_history(study, target_name=_SCORE), (9, 4)
    ) as figure:
        page.figure(figure, "Score of each trial that was not stopped early, and the best so far.")
    page.heading("Importance")
    evaluator = FanovaImportanceEvaluator(seed=0)
    with _drawn(
        lambda: pictures.plot_param_importances(study, evaluator=evaluator, target_name=_SCORE),
        (9, 4),
    ) as figure:
        page.figure(figure, "Share of the differences between scores that each setting explains.")
    page.heading("Slices")
    for first in range(0, len(settings), _ROW):
        some = settings[first : first + _ROW]
        with _drawn(
            partial(pictures.plot_slice, study, params=some, target_name=_SCORE), (11, 3.2)
        ) as figure:
            page.figure(figure, f"Scores against {', '.join(some)}; later trials are darker.")
    page.heading("Parallel coordinates")
    with _drawn(
        lambda: pictures.plot_parallel_coordinate(study, params=settings, target_name=_SCORE),
        (13, 5),
    ) as figure:
        lines = figure.axes[0]
        lines.set_xticks(
            lines.get_xticks(), [_SCORE, *map(_short, sorted(settings))], rotation=20, ha="right"
        )
        page.figure(figure, "A line for each trial through its settings; better ones are darker.")


@contextmanager
def _drawn(plot: Callable[[], Any], size: tuple[float, float]) -> Iterator["Figure"]:
    """Draws a plot of Optuna without its title, and closes it at the end.

    Optuna draws with pyplot, which keeps figures open until they are closed.
    """
    from matplotlib import pyplot
    from matplotlib.ticker import NullFormatter

    with quiet_optuna(), pyplot.rc_context({"figure.figsize": size}):
        axes = np.ravel(plot())
    figure: Figure = axes[0].get_figure()
    try:
        figure.set_size_inches(size)
        figure.suptitle("")
        for one in axes:
            one.set_title("", loc="left")
            one.set_title("")
            one.set_xlabel(_short(one.get_xlabel()))
        for one in figure.axes:
            one.xaxis.set_minor_formatter(NullFormatter())
            one.yaxis.set_minor_formatter(NullFormatter())
        yield figure
    finally:
        pyplot.close(figure)


def _trials(page: Report, study: Study) -> None:
    trials = listed_trials(study)
    settings = list(dict.fromkeys(key for trial in trials for key in trial.params))
    page.heading("Trials")
    page.table(
        ("Trial", "Score", "", *map(_short, settings)),
        [
            (
                f"{t.number}",
                score_of(t),
                outcome_of(t),
                *(round_value(t.params.get(key)) for key in settings),
            )
            for t in trials
        ],
    )


def _short(setting: str) -> str:
    return setting.rpartition(".")[2].replace("_", " ")


def _describe_trial(trial: FrozenTrial) -> dict[str, Any]:
    duration = None if trial.duration is None else trial.duration.total_seconds()
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "score": score_of(trial),
        "values": trial.params,
        "epochs": len(trial.intermediate_values),
        "seconds": duration,
        "problem": trial.user_attrs.get(PROBLEM),
    }


def round_value(value: Any) -> str:
    """Formats the value of a setting for a table.

    Args:
        value: Value of the setting; None if it has none.

    Returns:
        The value, with three significant digits if it is a float; a dash for None.
    """
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
