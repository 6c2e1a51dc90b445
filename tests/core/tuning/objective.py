"""An objective whose best settings are known, to compare samplers on."""

import math
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler

SPACE = {
    "rate": FloatDistribution(1e-5, 1e-1, log=True),
    "units": IntDistribution(16, 1024, log=True),
    "dropout": FloatDistribution(0, 0.9),
    "rotation": FloatDistribution(0, 180),
    "batch": CategoricalDistribution([8, 16, 32, 64]),
    "idle": FloatDistribution(0, 1),
}


def score(values: dict[str, Any]) -> float:
    """At most 1, without noise; a rate ten times too large costs a quarter."""
    rate, units = math.log10(values["rate"]) + 3, math.log2(values["units"]) - 7
    lost = (
        0.25 * rate**2
        + 0.02 * units**2
        + (values["dropout"] - 0.3) ** 2
        + (values["rotation"] / 180 - 0.2) ** 2
    )
    return 1 - lost - 0.05 * [16, 8, 32, 64].index(values["batch"])


def best_found(sampler: BaseSampler, seed: int, trials: int = 30) -> float:
    """The score, without noise, of the trial that scored best with noise."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    noise = np.random.default_rng(seed)
    for _ in range(trials):
        trial = study.ask(SPACE)
        study.tell(trial, score(trial.params) + noise.normal(0, 0.02))
    return score(study.best_params)
