"""Limits of unsure answers, chosen on validation."""

import numpy as np
import pytest

from classify.training.unsure import KEPT, choose_limits

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("count", [20, 137, 2000])
def test_limits_keep_as_many_right_answers_as_they_should(count: int) -> None:
    random = np.random.default_rng(count)
    probability, distance = random.beta(5, 1, count), random.gamma(4, 1, count)
    threshold, limit = choose_limits(probability, distance)
    kept = (probability >= threshold) & (distance <= limit)
    assert KEPT <= kept.mean() <= max(KEPT + 0.02, 1 - 2 / count)
    # either turns some away
    if count > 100:
        assert (probability < threshold).any() and (distance > limit).any()


def test_equal_answers_are_all_kept() -> None:
    threshold, limit = choose_limits(np.full(30, 0.7), np.full(30, 2.0))
    assert threshold <= 0.7 and limit == 2.0
