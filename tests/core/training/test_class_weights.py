import numpy as np
import pytest

from segment.core.errors import InputError
from segment.core.training.class_weights import resolve_class_weights

NAMES = ["a", "b", "c"]


def test_class_weights():
    counts = np.array([10, 30, 0])
    assert resolve_class_weights("none", NAMES, counts) == [1, 1, 1]
    assert resolve_class_weights("balanced", NAMES, counts) == pytest.approx([2.0, 2 / 3, 1.0])
    assert resolve_class_weights({"b": 3}, NAMES, counts) == [1, 3, 1]


def test_balanced_weights_have_mean_1_over_what_is_counted():
    weights, counts = resolve_class_weights("balanced", NAMES, [5, 20, 75]), np.array([5, 20, 75])
    assert np.average(weights, weights=counts) == pytest.approx(1)
    assert (weights * counts).tolist() == pytest.approx([100 / 3] * 3)


@pytest.mark.heavy
def test_weights_of_unknown_classes_are_refused():
    with pytest.raises(
        InputError, match="loss.class_weights: there is no class 'd'. Name one of a, b, c"
    ):
        resolve_class_weights({"d": 3}, NAMES, [1, 1, 1])
