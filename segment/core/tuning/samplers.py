"""Samplers, which choose the settings of trials."""

from collections.abc import Callable, Mapping
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from segment.core.choices import Sampler
from segment.core.tuning.gaussian_process import GaussianProcessSampler


def build_sampler(
    kind: Sampler, distributions: Mapping[str, BaseDistribution], seed: int
) -> BaseSampler:
    """Builds a sampler of Optuna.

    Its choices depend on the seed, the number of the trial and the trials before it, and not on the
    process that asks.

    Args:
        kind: Method of the sampler.
        distributions: Settings to tune, and their values.
        seed: Seed of the random numbers, 0 or above.

    Returns:
        The sampler.
    """
    if kind == "gp":
        return GaussianProcessSampler(distributions, seed=seed)
    if kind == "tpe":
        return _SeededByTrial(
            lambda own: TPESampler(multivariate=True, constant_liar=True, seed=own), seed
        )
    return _SeededByTrial(RandomSampler, seed)


class _SeededByTrial(BaseSampler):
    """Sampler that is built again for each trial, with a seed for that trial.

    Two processes whose samplers have the same seed would draw the same settings.
    """

    def __init__(self, build: Callable[[int], BaseSampler], seed: int):
        self._build, self._seed = build, seed
        self._sampler = build(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._sampler = self._build(self._seed * 1_000_003 % 2**31 + trial.number)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        self._sampler.after_trial(study, trial, state, values)
