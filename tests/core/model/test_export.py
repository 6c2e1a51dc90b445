import pytest

from segment.core.model.export import MOST_CALIBRATED, divide


def test_what_the_model_learned_from_calibrates_and_what_is_new_is_scored():
    learned = [n % 3 > 0 for n in range(900)]
    calibrating, scored = divide(learned, seed=0)
    assert len(calibrating) == MOST_CALIBRATED and all(learned[i] for i in calibrating)
    assert scored == [i for i in range(900) if not learned[i]]
    assert (
        divide(learned, seed=0) == (calibrating, scored)
        and divide(learned, seed=1)[0] != calibrating
    )


@pytest.mark.parametrize("known", [True, False])
def test_half_do_either_where_all_or_none_are_known(known):
    calibrating, scored = divide([known] * 11, seed=0)
    assert (len(calibrating), sorted(calibrating + scored)) == (5, list(range(11)))
    assert len(divide([known] * 5000, seed=0)[0]) == MOST_CALIBRATED
