"""Samplers compared on an objective whose best settings are known, without any training."""

import warnings
from typing import get_args

import numpy as np
import optuna

from segment.core.choices import Sampler
from segment.core.tuning.samplers import build_sampler
from tests.benchmarks.measure import report_figure
from tests.core.tuning.objective import SPACE, best_found

SEEDS = 10
TRIALS = (30, 40)


def samplers() -> None:
    """Prints the mean score that the best of some trials reaches; 1 is the best possible."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    for trials in TRIALS:
        for kind in get_args(Sampler):
            scores = [
                best_found(build_sampler(kind, SPACE, seed), seed, trials) for seed in range(SEEDS)
            ]
            report_figure(
                f"score of the best of {trials} trials, sampler {kind}, {SEEDS} seeds",
                float(np.mean(scores)),
                standard_error=round(float(np.std(scores, ddof=1)) / SEEDS**0.5, 4),
                lowest=round(min(scores), 3),
            )
