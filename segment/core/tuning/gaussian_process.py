"""Bayesian optimisation with a Gaussian process, as a sampler of Optuna.

Optuna's own sampler needs PyTorch, a gigabyte. This one needs scikit-learn, which is installed
anyway.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from segment.core.tuning.trials import PROBLEM
from segment.core.tuning.unit_cube import Distributions, Points, as_point, as_values, encode, snap

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

_CANDIDATES, _ROUNDS, _WIDTH = 2048, 3, 0.1
_LEADERS, _NEIGHBOURS = 5, 100


class GaussianProcessSampler(BaseSampler):
    """Sampler that maximises the expected improvement over a Gaussian process.

    Expected improvement: Jones, Schonlau and Welch (1998), "Efficient global optimization of
    expensive black-box functions". The process has a Matern 5/2 kernel with a length scale for each
    column, and noise that is learned.

    The first trials fill the space evenly (Sobol sequence). Running trials count with the score
    that the process expects of them (Ginsbourger et al. 2010, "Kriging is well-suited to
    parallelize optimization"), so that several processes do not try the same settings. A trial that
    was stopped early counts as the finished trial with the closest score at the same epoch. A
    failed trial counts with the worst score; otherwise similar settings would be tried again and
    again.

    The same seed and trials give the same proposals.

    Args:
        distributions: Settings to tune, and their values.
        startup: Number of ended trials before the process takes over.
        seed: Seed of the random numbers, 0 or above.
    """

    def __init__(self, distributions: Distributions, startup: int = 10, seed: int = 0):
        self._distributions, self._startup, self._seed = dict(distributions), startup, seed
        self._random = RandomSampler(seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns the settings that `sample_relative` chooses: all that are tuned.

        Args:
            study: Study of the trial.
            trial: Trial that needs settings.

        Returns:
            Distributions by name of the setting.
        """
        return self._distributions

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Chooses a setting at random; called by Optuna for settings outside the search space.

        Args:
            study: Study of the trial.
            trial: Trial that needs the setting.
            param_name: Name of the setting.
            param_distribution: Values of the setting.

        Returns:
            The value.
        """
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Chooses all settings of a trial together.

        Args:
            study: Study of the trial.
            trial: Trial that needs settings.
            search_space: Distributions by name of the setting.

        Returns:
            Values by name of the setting.
        """
        trials = study.get_trials(deepcopy=False)
        others = [
            other
            for other in trials
            if other.number != trial.number and other.params.keys() == search_space.keys()
        ]
        complete = [other for other in others if other.state == TrialState.COMPLETE]
        sign = 1.0 if study.direction.name == "MAXIMIZE" else -1.0
        worst = min((sign * float(other.value or 0) for other in complete), default=None)
        ended = [
            (other, score)
            for other in others
            if (score := _score(other, complete, sign, worst)) is not None
        ]
        if len(ended) < self._startup or len({score for _, score in ended}) < 2:
            return as_values(self._spread(trial.number, len(search_space)), search_space)
        x = np.stack([as_point(other.params, search_space) for other, _ in ended])
        y = np.array([score for _, score in ended])
        running = [
            as_point(other.params, search_space)
            for other in others
            if other.state == TrialState.RUNNING
        ]
        random = np.random.default_rng([self._seed, trial.number])
        return as_values(_propose(x, y, running, search_space, random), search_space)

    def _spread(self, number: int, sides: int) -> Points:
        from scipy.stats.qmc import Sobol

        point: Points = Sobol(sides, rng=self._seed).random_base2((number + 1).bit_length())[number]
        return point


def _score(
    trial: FrozenTrial, complete: Sequence[FrozenTrial], sign: float, worst: float | None
) -> float | None:
    """Returns the score that a trial counts with, the larger the better; None if it has none."""
    if trial.state == TrialState.COMPLETE:
        return sign * float(trial.value or 0)
    if trial.state == TrialState.FAIL:
        # trials without a problem were only stopped
        return worst if PROBLEM in trial.user_attrs else None
    last = max(trial.intermediate_values, default=None)
    comparable = [other for other in complete if last in other.intermediate_values]
    if trial.state != TrialState.PRUNED or last is None or not comparable:
        return None
    reached = trial.intermediate_values[last]
    alike = min(comparable, key=lambda other: abs(other.intermediate_values[last] - reached))
    return sign * float(alike.value or 0)


def _propose(
    x: Points,
    y: NDArray[np.float64],
    running: list[Points],
    distributions: Distributions,
    random: np.random.Generator,
) -> Points:
    """Returns the point (settings,) with the largest expected improvement.

    It is searched among random points, and near the best of these and of `x`.
    """
    model = _fit(encode(x, distributions), y, random)
    if running:
        expected = model.predict(encode(np.stack(running), distributions))
        x, y = np.concatenate([x, running]), np.concatenate([y, expected])
        model = _fit(encode(x, distributions), y, random)
    candidates = snap(random.random((_CANDIDATES, x.shape[1])), distributions)
    for step in range(_ROUNDS):
        gains = _improvement(model, encode(candidates, distributions))
        leaders = np.concatenate(
            [candidates[np.argsort(-gains)[:_LEADERS]], x[np.argsort(-y)[:_LEADERS]]]
        )
        near = np.repeat(leaders, _NEIGHBOURS, axis=0)
        moved = near + random.normal(0, _WIDTH / 3**step, near.shape) * (
            random.random(near.shape) < 0.5
        )
        candidates = np.concatenate([candidates, snap(np.clip(moved, 0, 1), distributions)])
    gains = _improvement(model, encode(candidates, distributions))
    gains[_are_among(candidates, x)] = -1  # the same settings and seed would give the same score
    best: Points = candidates[gains.argmax()]
    return best


def _are_among(points: Points, others: Points) -> NDArray[np.bool_]:
    known = {other.tobytes() for other in others.round(9)}
    return np.array([point.tobytes() in known for point in points.round(9)])


def _fit(
    x: NDArray[np.float64], y: NDArray[np.float64], random: np.random.Generator
) -> "GaussianProcessRegressor":
    """Fits the process with its noise, and returns it without the noise of single scores."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel(1.0, (0.05, 20)) * Matern(
        [0.5] * x.shape[1], (0.05, 10), nu=2.5
    ) + WhiteKernel(0.05, (1e-5, 1))
    seed = int(random.integers(2**31))
    noisy = GaussianProcessRegressor(
        kernel, normalize_y=True, n_restarts_optimizer=1, random_state=seed
    )
    with warnings.catch_warnings():
        # about length scales at their bounds: settings that do not matter
        warnings.simplefilter("ignore", ConvergenceWarning)
        noisy.fit(x, y)
    signal, noise = noisy.kernel_.k1, noisy.kernel_.k2.noise_level
    model = GaussianProcessRegressor(signal, alpha=noise, optimizer=None, normalize_y=True)
    model.fit(x, y)
    return model


def _improvement(model: "GaussianProcessRegressor", x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the expected improvement at encoded points (points, columns), shape (points,).

    It is measured from the best prediction of the process for the points tried so far, because
    single scores are noisy.
    """
    from scipy.stats import norm

    mean, deviation = model.predict(x, return_std=True)
    deviation = np.maximum(deviation, 1e-9)
    z = (mean - model.predict(model.X_train_).max()) / deviation
    gain: NDArray[np.float64] = deviation * (z * norm.cdf(z) + norm.pdf(z))
    return gain
