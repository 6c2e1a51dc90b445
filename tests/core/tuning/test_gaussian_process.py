"""The sampler on an objective whose best settings are known."""

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from segment.core.tuning.gaussian_process import GaussianProcessSampler
from segment.core.tuning.trials import PROBLEM
from tests.core.tuning.objective import SPACE, best_found, score

pytestmark = pytest.mark.heavy


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.slow
def test_it_finds_better_settings_than_random_search_with_as_many_trials():
    bayesian = [best_found(GaussianProcessSampler(SPACE, seed=seed), seed) for seed in range(3)]
    random = [best_found(RandomSampler(seed), seed) for seed in range(3)]
    assert all(ours > other for ours, other in zip(bayesian, random, strict=True)), (
        bayesian,
        random,
    )
    assert np.mean(bayesian) > 0.9


def test_settings_that_make_trials_fail_are_left_alone():
    """A batch of 64 takes too much memory, though larger ones were better and better."""
    space = {"batch": IntDistribution(8, 100), "dropout": FloatDistribution(0, 0.9)}
    study = optuna.create_study(direction="maximize", sampler=GaussianProcessSampler(space, seed=0))
    for _ in range(30):
        trial = study.ask(space)
        if trial.params["batch"] > 64:
            trial.set_user_attr(PROBLEM, "memory")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, trial.params["batch"] / 100 - trial.params["dropout"] / 10)
    assert sum(trial.state.name == "FAIL" for trial in study.trials[15:]) < 8
    assert study.best_value > 0.55


def test_settings_are_not_tried_twice():
    space = {"batch": CategoricalDistribution([8, 16, 32, 64]), "units": IntDistribution(1, 6)}
    study = optuna.create_study(
        direction="maximize", sampler=GaussianProcessSampler(space, startup=4, seed=0)
    )
    for _ in range(20):
        trial = study.ask(space)
        study.tell(trial, trial.params["units"] / 6)
    later = [tuple(trial.params.values()) for trial in study.trials[6:]]
    assert len(set(later)) == len(later)


def test_the_same_seed_and_trials_propose_the_same_and_running_trials_are_avoided():
    def ended(seed: int) -> optuna.Study:
        study = optuna.create_study(
            direction="maximize", sampler=GaussianProcessSampler(SPACE, startup=6, seed=seed)
        )
        for _ in range(8):
            trial = study.ask(SPACE)
            study.tell(trial, score(trial.params))
        return study

    first, second = ended(3), ended(3)
    proposed, running = first.ask(SPACE).params, first.ask(SPACE).params
    assert second.ask(SPACE).params == proposed
    assert (
        running != proposed
        and math.dist(*([*map(float, (p["dropout"], p["idle"]))] for p in (proposed, running)))
        > 0.01
    )


def test_it_minimises_too_and_takes_trials_stopped_early_for_what_others_became():
    study = optuna.create_study(
        direction="minimize", sampler=GaussianProcessSampler(SPACE, startup=4, seed=0)
    )
    for number in range(16):
        trial = study.ask(SPACE)
        trial.report(5 - score(trial.params), 1)  # learning brings all down by four
        if number % 2:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, 1 - score(trial.params))
    early, late = study.trials[:4], study.trials[-4:]
    assert np.mean([score(t.params) for t in late]) > np.mean([score(t.params) for t in early])
