"""Epochs of a fixed number of steps, and minutes that become steps."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.training.duration import Duration
from segment.core.training.loop import fit
from segment.core.training.optimizers import Phase
from segment.core.training.pace import Pace
from segment.core.training.run_folder import DURATION_FILE
from segment.core.training.session import Session, Training
from segment.core.training.shared_batches import FixedSteps
from tests.core.training.test_loop import Points, small_network, squares
from tests.fakes import StopAfter

pytestmark = pytest.mark.heavy


class Seconds:
    """A clock that a second passes on whenever it is read, or a number of them."""

    def __init__(self, each: float = 1.0):
        self.each, self.now = each, 0.0

    def __call__(self) -> float:
        self.now += self.each
        return self.now


def no_clock() -> float:
    raise AssertionError("a run that is resumed measures nothing")


def scores() -> dict[str, float]:
    return {"val_loss": 1.0, "score": 0.5}


def run(
    folder,
    network,
    *,
    phases=(2, 8),
    clock=no_clock,
    resume=False,
    stop=0,
    validate=scores,
    **settings,
):
    """Trains the small network in two phases; returns the history."""
    folder.mkdir(exist_ok=True)
    given = {"epochs": sum(phases), "schedule": "cosine", "warmup_epochs": 1.0, "clip_norm": 1.0}
    chosen = TrainingSettings(**(given | settings))

    def freeze(first: bool):
        return lambda: setattr(network.get_layer("first"), "trainable", first)

    return fit(
        Training(
            network=network,
            dataset=Points(),
            fingerprint="points",
            loss=squares,
            validate=validate,
            monitor="score",
            save_best=lambda row: None,
            phases=[Phase(phases[0], 0.05, freeze(False)), Phase(phases[1], 0.01, freeze(True))],
        ),
        Session(
            folder=folder, config=chosen, settings=chosen, resume=resume, progress=StopAfter(stop)
        ),
        clock,
    )


def same_weights(one: keras.Model, other: keras.Model) -> bool:
    return all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_epochs_of_a_fixed_number_of_steps_see_all_batches_in_turn(steps):
    plain = []
    for epoch in range(8):
        points = Points()
        points.epoch = epoch
        plain += [points[i][0] for i in range(len(points))]
    fixed, seen = FixedSteps(Points(), steps), []
    assert len(fixed) == steps
    for epoch in range(3):
        fixed.epoch = epoch
        order = list(range(steps))[::-1]  # threads may take them in any order
        seen += list(reversed([fixed[i][0] for i in order]))
    np.testing.assert_array_equal(seen, plain[: len(seen)])


def test_steps_per_epoch_are_those_of_the_schedule(tmp_path):
    network = small_network()
    history = run(tmp_path / "short", network, phases=(1, 2), steps_per_epoch=2)
    assert len(history) == 3
    rates = [row["learning_rate"] for row in history]
    # the rate after the last step of each phase is 0: the schedule ends with the steps
    assert rates[0] == pytest.approx(0, abs=1e-9) and rates[-1] == pytest.approx(0, abs=1e-9)
    assert rates[1] > 0.005


@pytest.mark.parametrize(
    "minutes, pace, phases, epochs, steps, lengths",
    [
        (10, Pace(1.0, 0.0), (10,), 10, 60, [10]),
        (10, Pace(1.0, 10.0), (10,), 10, 50, [10]),
        (10, Pace(1.0, 50.0), (10,), 3, 150, [3]),  # validation takes a quarter at most
        (10, Pace(10.0, 1.0), (10,), 2, 29, [2]),  # 20 steps an epoch at least
        (10, Pace(1.0, 50.0), (2, 8), 3, 150, [1, 2]),
        (10, Pace(1.0, 500.0), (5, 15), 2, 1, [1, 1]),  # each phase keeps an epoch
        (10, Pace(1.0, 50.0), (19, 1), 3, 150, [2, 1]),
        (1, Pace(100.0, 100.0), (5, 5), 2, 1, [1, 1]),  # a step at least
        (10, Pace(1.0, 0.0, spent=100.0), (10,), 10, 50, [10]),
        (10, Pace(0.0, 0.0), (10,), 10, 60_000_000_000, [10]),
    ],
)
def test_minutes_become_steps(minutes, pace, phases, epochs, steps, lengths):
    settings = TrainingSettings(epochs=sum(phases), minutes=minutes, warmup_epochs=0.5)
    found = Duration.of(settings, phases, pace)
    assert (found.epochs, found.phases) == (epochs, lengths)
    assert found.steps == pytest.approx(steps, rel=0.1)
    assert found.warmup_epochs == pytest.approx(0.5 * epochs / sum(phases))


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 2])
def test_minutes_are_kept_in_the_run_and_repeated_exactly(tmp_path, stop):
    whole = small_network()
    history = run(tmp_path / "whole", whole, minutes=3, clock=Seconds())
    kept = json.loads((tmp_path / "whole" / DURATION_FILE).read_text())
    assert 2 < kept["epochs"] < 10 and kept["steps"] >= 20 and len(history) == kept["epochs"]
    assert kept["warmup_epochs"] == kept["epochs"] / 10
    broken = small_network()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", broken, minutes=3, clock=Seconds(), stop=stop)
    resumed = small_network()
    assert run(tmp_path / "broken", resumed, minutes=3, resume=True) == history
    assert same_weights(whole, resumed)
    # measuring leaves no trace in the weights
    plain = small_network()
    set_out = {"steps_per_epoch": kept["steps"], "warmup_epochs": kept["warmup_epochs"]}
    assert run(tmp_path / "plain", plain, phases=tuple(kept["phases"]), **set_out) == history
    assert same_weights(whole, plain)


@pytest.mark.slow
def test_a_slower_machine_trains_fewer_steps(tmp_path):
    kept = []
    for seconds in (1.0, 3.0):
        folder = tmp_path / str(seconds)
        run(folder, small_network(), phases=(1, 1), minutes=2, clock=Seconds(seconds))
        kept.append(json.loads((folder / DURATION_FILE).read_text())["steps"])
    assert kept[1] < kept[0] / 2


@pytest.mark.parametrize("first, epochs, times", [(1, 10, 2), (80, 10, 2), (200, 2, 1)])
def test_compiling_is_no_part_of_the_time_of_a_validation(tmp_path, first, epochs, times):
    clock, calls = Seconds(4), list[float]()

    def validate() -> dict[str, float]:
        calls.append(clock.now)
        clock.now += first if len(calls) == 1 else 1
        return scores()

    run(tmp_path / "run", small_network(), minutes=30, clock=clock, validate=validate)
    kept = json.loads((tmp_path / "run" / DURATION_FILE).read_text())
    assert (len(calls) - kept["epochs"], kept["epochs"]) == (times, epochs)


def test_faults_of_a_resumed_run_are_refused(tmp_path):
    run(tmp_path / "run", small_network(), phases=(1, 1), minutes=1, clock=Seconds(2))
    with pytest.raises(InputError, match=r"training\.epochs: 3, but the run to resume has 2"):
        run(tmp_path / "run", small_network(), phases=(1, 2), minutes=1, resume=True)
    path = tmp_path / "run" / DURATION_FILE
    text = path.read_text()
    for broken in ("", "[]", "{}", text.replace('"steps": ', '"steps": -')):
        path.write_text(broken)
        with pytest.raises(InputError, match=r"duration\.json: the steps .* cannot be read"):
            run(tmp_path / "run", small_network(), phases=(1, 1), minutes=1, resume=True)
    path.unlink()
    with pytest.raises(InputError, match="No such file"):
        run(tmp_path / "run", small_network(), phases=(1, 1), minutes=1, resume=True)


def test_several_machines_do_not_measure(tmp_path):
    settings = TrainingSettings(minutes=1)
    session = Session(folder=tmp_path, config=settings, settings=settings)
    session = replace(session, devices=replace(session.devices, machines=2))
    training = Training(
        network=small_network(),
        dataset=Points(),
        fingerprint="points",
        loss=squares,
        validate=dict,
        monitor="score",
        save_best=lambda row: None,
    )
    with pytest.raises(InputError, match=r"minutes: 1, but 2 machines.*steps_per_epoch"):
        fit(training, session)
