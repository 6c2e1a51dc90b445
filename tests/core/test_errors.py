"""Messages: numbers with nouns, and options that functions do not have."""

import numpy as np
import pytest

import classify
import segment
from segment.core.errors import InputError, counted

IMAGE = np.zeros((4, 4, 3), np.uint8)


def test_a_number_has_its_noun():
    assert [counted(n, "epoch") for n in (0, 1, 1200)] == ["0 epochs", "1 epoch", "1,200 epochs"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: segment.predict_array(IMAGE, aoi=(0, 0, 1, 1)), "unknown option 'aoi'. Its"),
        (lambda: segment.predict_array(IMAGE, overlop=0.5), "Did you mean overlap?"),
        (lambda: segment.predict_array(IMAGE, nodate=0), "Did you mean nodata?"),
        (lambda: segment.predict_window("a.tif", colour="red"), "predict_window: unknown option"),
        (lambda: segment.predict_window("a.tif", hight=3), "Did you mean height?"),
        (lambda: segment.predict_probabilities("a.tif", tiles=3), "Did you mean tile?"),
        pytest.param(
            lambda: segment.evaluate("tiles", parts="test"), "mean part?", marks=pytest.mark.heavy
        ),
        pytest.param(
            lambda: classify.evaluate("data", batchsize=3), "batch_size?", marks=pytest.mark.heavy
        ),
    ],
)
def test_options_that_a_function_does_not_have_are_named(call, words):
    with pytest.raises(InputError) as error:
        call()
    assert words in str(error.value)
    assert "runtime" in str(error.value), "all options are listed"
