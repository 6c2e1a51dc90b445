"""The loop that both packages train with: phases, early stopping, going on after a break."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import pytest

from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.training.checkpoints import load_history
from segment.core.training.history import HISTORY, Row
from segment.core.training.loop import fit
from segment.core.training.optimizers import Phase
from segment.core.training.session import Session, Training
from tests.fakes import StopAfter

pytestmark = pytest.mark.heavy


class Points(keras.utils.PyDataset):
    """Points of a plane, whose batches depend on the epoch."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.epoch = 0

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        points = np.random.default_rng([self.epoch, index]).normal(size=(4, 2)).astype(np.float32)
        return points, points.sum(axis=1, keepdims=True)

    def on_epoch_end(self) -> None:
        self.epoch += 1


def small_network() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Dense(4, name="first"),
        keras.layers.Dropout(0.5, seed=1),
        keras.layers.Dense(1, name="last"),
    ]
    return keras.Sequential([keras.Input((2,)), *layers])


def squares(truth, answers):
    return keras.ops.mean((truth - answers) ** 2)


@dataclass
class Attempt:
    """A network in training, and what happened to it."""

    folder: Path
    scores: list[float] = field(default_factory=lambda: [0.1 * n for n in range(20)])
    losses: list[float] = field(default_factory=lambda: [1.0] * 20)
    network: keras.Model = field(default_factory=small_network)
    phases_begun: list[int] = field(default_factory=list)
    best: list[int] = field(default_factory=list)
    first_layer: list[np.ndarray] = field(default_factory=list)

    def phase(self, number: int, epochs: int, rate: float) -> Phase:
        def freeze() -> None:
            self.phases_begun.append(number)
            self.network.get_layer("first").trainable = number == 2

        return Phase(epochs, rate, freeze)

    def validate(self) -> Row:
        self.first_layer.append(self.network.get_layer("first").get_weights()[0])
        return {
            "val_loss": self.losses[len(self.first_layer) - 1],
            "score": self.scores[len(self.first_layer) - 1],
        }

    def fit(
        self, first: int, second: int, *, resume: bool = False, stop: int = 0, **settings
    ) -> list[Row]:
        self.folder.mkdir(exist_ok=True)
        settings = TrainingSettings(
            **({"epochs": first + second, "schedule": "constant"} | settings)
        )
        return fit(
            Training(
                network=self.network,
                dataset=Points(),
                fingerprint="points",
                loss=squares,
                validate=self.validate,
                monitor="score",
                save_best=lambda row: self.best.append(int(row["epoch"])),
                phases=[self.phase(1, first, 0.5), self.phase(2, second, 0.01)],
            ),
            Session(
                folder=self.folder,
                config=settings,
                settings=settings,
                resume=resume,
                progress=StopAfter(stop),
            ),
        )


@pytest.mark.slow
def test_phases_follow_each_other_with_their_own_layers_and_rates(tmp_path):
    training = Attempt(tmp_path)
    start = training.network.get_layer("first").get_weights()[0]
    history = training.fit(2, 3)
    assert training.phases_begun == [1, 2]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert [row["learning_rate"] for row in history] == pytest.approx([0.5, 0.5, 0.01, 0.01, 0.01])
    np.testing.assert_array_equal(training.first_layer[1], start)
    assert (training.first_layer[2] != start).all()
    with (tmp_path / HISTORY).open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1.0", "2.0", "3.0", "4.0", "5.0"]


def test_of_epochs_that_score_alike_the_one_with_the_lowest_loss_is_kept(tmp_path):
    training = Attempt(
        tmp_path, scores=[0.5, 0.9, 0.9, 0.9, 0.8], losses=[0.9, 0.7, 0.6, 0.65, 0.5]
    )
    training.fit(2, 3)
    assert training.best == [1, 2, 3]


def test_each_phase_has_a_whole_schedule(tmp_path):
    rates = [row["learning_rate"] for row in Attempt(tmp_path).fit(2, 2, schedule="cosine")]
    assert rates == pytest.approx([0.25, 0, 0.005, 0], abs=1e-6)


@pytest.mark.parametrize("first, second, begun", [(0, 3, [2]), (3, 0, [1])])
def test_a_phase_without_epochs_is_passed_over(tmp_path, first, second, begun):
    training = Attempt(tmp_path)
    assert len(training.fit(first, second)) == 3
    assert training.phases_begun == begun


@pytest.mark.slow
@pytest.mark.parametrize("average", [0.0, 0.7])
@pytest.mark.parametrize("stops", [(1,), (2,), (4,), (1, 2, 3)])
def test_a_break_anywhere_changes_nothing(tmp_path, stops, average):
    whole = Attempt(tmp_path / "whole")
    history = whole.fit(2, 3, schedule="cosine", average=average)
    scores = iter(whole.scores)
    for count, stop in enumerate([*stops, 0]):
        broken = Attempt(tmp_path / "broken")
        broken.validate = lambda: {"val_loss": 1.0, "score": next(scores)}
        if stop:
            with pytest.raises(KeyboardInterrupt):
                broken.fit(2, 3, schedule="cosine", average=average, resume=count > 0, stop=stop)
    assert broken.fit(2, 3, schedule="cosine", average=average, resume=True) == history
    for a, b in zip(whole.network.get_weights(), broken.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_finished_training_goes_on_to_where_it_is(tmp_path):
    training = Attempt(tmp_path)
    history = training.fit(1, 2)
    again = Attempt(tmp_path)
    assert again.fit(1, 2, resume=True) == history and again.first_layer == []
    for a, b in zip(training.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_more_epochs_lengthen_the_last_phase(tmp_path):
    Attempt(tmp_path).fit(1, 1)
    longer = Attempt(tmp_path, scores=[0.5, 0.6])
    assert len(longer.fit(1, 3, resume=True)) == 4
    assert longer.phases_begun == [2] and len(longer.first_layer) == 2


def test_only_a_better_score_is_kept(tmp_path):
    training = Attempt(tmp_path, scores=[0.1, 0.3, 0.3, 0.2, 0.4])
    training.fit(2, 3)
    assert training.best == [1, 2, 5]


def test_the_first_phase_is_not_stopped_early(tmp_path):
    training = Attempt(tmp_path, scores=[0.9, *[0.1] * 19])
    assert len(training.fit(4, 0, early_stopping=1)) < 4  # the only one there is
    training = Attempt(tmp_path, scores=[0.9, *[0.1] * 19])
    # two more, which got no better than the first phase
    assert len(training.fit(4, 10, early_stopping=2)) == 6


def test_the_second_phase_has_its_patience_after_a_break_too(tmp_path):
    scores = [0.9, *[0.1] * 19]
    with pytest.raises(KeyboardInterrupt):
        Attempt(tmp_path, scores=scores).fit(4, 10, early_stopping=3, stop=5)
    resumed = Attempt(tmp_path, scores=scores[5:])
    assert len(resumed.fit(4, 10, early_stopping=3, resume=True)) == 7


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    Attempt(tmp_path).fit(1, 1)
    other = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(9, name="first"), keras.layers.Dense(1)]
    )
    with pytest.raises(InputError, match="same model"):
        Attempt(tmp_path, network=other).fit(1, 2, resume=True)


def test_what_is_not_finite_is_reported(tmp_path):
    training = Attempt(tmp_path, scores=[0.5, float("nan")])
    with pytest.raises(
        InputError,
        match=r"Training diverged: score is nan in epoch 2\. Lower training\.learning_rate",
    ):
        training.fit(1, 1)


def test_a_run_of_a_version_that_kept_less_of_the_data_is_resumed(tmp_path):
    np.savez(tmp_path / "last.npz", history=np.array('[{"epoch": 1}]'), data=np.array("abc"))
    for data in ("abc", "abcdef"):
        assert load_history(tmp_path / "last.npz", data) == [{"epoch": 1}]
    for data in ("abd", "ab", "xabc", ""):
        with pytest.raises(InputError, match="data and split"):
            load_history(tmp_path / "last.npz", data)
