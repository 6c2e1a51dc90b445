"""Which precision is chosen, by what, and that a run keeps it."""

import json

import pytest

import classify
import segment
from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.training import precision
from segment.core.training.precision import PRECISION_FILE, Precision, choose_precision

pytestmark = pytest.mark.heavy

MEASURE = precision.measure


@pytest.fixture(autouse=True)
def _processor(monkeypatch):
    monkeypatch.setattr(precision, "has_gpu", lambda: False)


def measured(monkeypatch, float32: float, bfloat16: float) -> None:
    times = {"float32": float32, "mixed_bfloat16": bfloat16}
    monkeypatch.setattr(precision, "measure", lambda: times)


def refuse() -> None:
    pytest.fail("measured although the precision is known")


@pytest.mark.parametrize(
    "float32, bfloat16, policy",
    [(2.0, 1.0, "mixed_bfloat16"), (1.2, 1.0, "float32"), (1.0, 3.0, "float32")],
)
def test_bfloat16_is_used_where_it_is_clearly_faster(monkeypatch, float32, bfloat16, policy):
    measured(monkeypatch, float32, bfloat16)
    chosen = choose_precision(TrainingSettings())
    assert chosen.policy == policy
    assert f"bfloat16 is {float32 / bfloat16:.2g} times as fast as float32" in str(chosen)


def test_nothing_is_measured_where_the_precision_is_known(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "measure", refuse)
    assert choose_precision(TrainingSettings(precision="float32")).policy == "float32"
    assert choose_precision(TrainingSettings(precision="mixed")).policy == "mixed_bfloat16"
    # a run of a version that measured nothing
    assert choose_precision(TrainingSettings(), tmp_path).policy == "float32"
    monkeypatch.setattr(precision, "count_machines", lambda: 2)
    assert "several machines" in str(choose_precision(TrainingSettings()))
    monkeypatch.setattr(precision, "has_gpu", lambda: True)
    assert choose_precision(TrainingSettings()).policy == "mixed_bfloat16"


def test_a_resumed_run_keeps_what_it_began_with(monkeypatch, tmp_path):
    measured(monkeypatch, 2.0, 1.0)
    begun = choose_precision(TrainingSettings())
    begun.save(tmp_path)
    kept = json.loads((tmp_path / PRECISION_FILE).read_text())
    assert kept["seconds"] == {"float32": 2.0, "mixed_bfloat16": 1.0}
    measured(monkeypatch, 1.0, 1.0)
    assert choose_precision(TrainingSettings(), tmp_path) == begun


@pytest.mark.parametrize("train", [segment.train, classify.train])
def test_nothing_is_measured_before_the_data_are_found(monkeypatch, tmp_path, train):
    monkeypatch.setattr(precision, "measure", refuse)
    with pytest.raises(InputError, match="nowhere"):
        train(tmp_path / "nowhere", tmp_path / "run")


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"policy": "int8"}', '{"policy": []}'])
def test_a_broken_file_is_refused(tmp_path, text):
    (tmp_path / PRECISION_FILE).write_text(text)
    with pytest.raises(InputError, match="precision of the run cannot be read"):
        choose_precision(TrainingSettings(), tmp_path)


@pytest.mark.heavy
def test_measuring_leaves_random_numbers_alone():
    import keras

    drawn = []
    for measuring in (False, True):
        keras.utils.set_random_seed(0)
        if measuring:
            MEASURE.cache_clear()
            found = MEASURE()
            assert set(found) == {"float32", "mixed_bfloat16"} and min(found.values()) > 0
        drawn.append(keras.layers.Dense(2)(keras.ops.ones((1, 3))))
    assert keras.ops.all(drawn[0] == drawn[1])


def test_it_is_written_as_people_read_it():
    assert str(Precision("mixed_bfloat16", "as set")) == "mixed (bfloat16), as set"
