"""Search spaces: what a file may say, and how values become points."""

from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from classify.config import Config
from classify.tuning import SPACE as CLASSIFY_SPACE
from segment.config import Config as SegmentConfig
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.tuning.search_space import Parameter, distributions, dump_space, load_space
from segment.core.tuning.unit_cube import as_point, as_values, encode, snap
from segment.tuning import SPACE as SEGMENT_SPACE


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "space, config, count", [(CLASSIFY_SPACE, Config(), 10), (SEGMENT_SPACE, SegmentConfig(), 9)]
)
def test_the_default_spaces_read_back(space, config, count, tmp_path):
    found = distributions(space, config)
    assert sum(not distribution.single() for distribution in found.values()) == count
    assert load_space(write(tmp_path / "space.yaml", dump_space(space))) == dict(space)


def test_numbers_are_whole_where_the_setting_takes_no_others():
    space = {
        "training.batch_size": Parameter(low=8, high=64, log=True),
        "model.dropout": Parameter(low=0, high=0.5),
        "augment.rotation": Parameter(low=0, high=90),
        "model.head": Parameter(choices=["linear", "mlp"]),
    }
    assert distributions(space, Config()) == {
        "training.batch_size": IntDistribution(8, 64, log=True),
        "model.dropout": FloatDistribution(0, 0.5),
        "augment.rotation": FloatDistribution(0, 90),
        "model.head": CategoricalDistribution(["linear", "mlp"]),
    }


@pytest.mark.parametrize("ends", [(0, 100), (100, 200), (100, 1100), (0, 1)])
def test_any_range_of_a_setting_with_fractions_has_them(ends):
    assert distributions({"loss.gamma": Parameter(low=ends[0], high=ends[1])}, SegmentConfig()) == {
        "loss.gamma": FloatDistribution(*ends)
    }


def test_fractions_that_need_other_values_of_the_space_stay_fractions():
    defaults = load_settings(Config, overrides=["training.epochs=2", "training.warmup_epochs=0"])
    space = {
        "training.epochs": Parameter(low=20, high=40),
        "training.warmup_epochs": Parameter(low=1, high=10),
    }
    assert distributions(space, defaults)["training.warmup_epochs"] == FloatDistribution(1, 10)


def test_values_that_only_fit_together_are_taken():
    sizes = Parameter(choices=[64, 128])
    assert len(distributions({"data.resize": sizes, "data.size": sizes}, Config())) == 2
    with pytest.raises(InputError, match="size must fit into resize"):
        distributions({"data.resize": sizes}, Config())


@pytest.mark.parametrize(
    "text, problem",
    [
        ("- a", "no settings by name, but list"),
        ("", "no settings by name, but NoneType"),
        ("a: [", "not a YAML file that can be read"),
        ("training.epochs: 3", "training.epochs: "),
        ("training.epochs: {low: 3}", "low and high, or choices"),
        ("training.epochs: {low: 3, high: 3}", "low must be below high"),
        ("training.epochs: {low: 0, high: 3, log: true}", "low above 0"),
        ("training.epochs: {choices: []}", "at least 1"),
        ("training.epochs: {choices: [1], low: 1}", "low and high, or choices"),
        ("training.epochs: {low: 1, high: 3, step: 1}", "low, high and log, or choices, not step"),
        ("training.weight_decay: {low: 0.001, high: .inf}", "less than or equal"),
        ("training.weight_decay: {low: 0.001, high: 1.0e+308}", "less than or equal"),
        ("loss: {gamma: {low: 0, high: 4}}", "low, high and log, or choices, not gamma"),
        ("training.weight_decay: {low: .nan, high: 1}", "greater than or equal"),
    ],
)
def test_a_file_that_is_no_search_space_is_refused(tmp_path, text, problem):
    with pytest.raises(InputError, match=problem):
        load_space(write(tmp_path / "space.yaml", text))


@pytest.mark.heavy
@pytest.mark.parametrize(
    "key, parameter, problem",
    [
        ("training.rate", Parameter(low=1, high=2), "Unknown setting 'training.rate'"),
        ("model.dropout", Parameter(low=0, high=1.5), "model.dropout"),
        ("training.batch_size", Parameter(low=0.5, high=9), "training.batch_size"),
        ("model.head", Parameter(choices=["linear", "round"]), "round"),
        ("training.epochs.more", Parameter(low=1, high=2), "a value, not a group"),
        (
            "data.preprocess.denoise",
            Parameter(low=0, high=5),
            "denoise.*Received .*name the choices",
        ),
        ("training.seed", Parameter(low=0, high=5), "seeds are not tuned"),
        ("data.val_fraction", Parameter(low=0.05, high=0.5), "val_fraction: decides what trials"),
        ("data.test_fraction", Parameter(choices=[0.1, 0.2]), "test_fraction: decides what trials"),
    ],
)
def test_settings_and_values_that_there_are_not_are_refused(key, parameter, problem):
    with pytest.raises(InputError, match=problem) as error:
        distributions({key: parameter}, Config())
    assert "--set" not in str(error.value)  # a search space is a file of its own


def test_values_come_back_from_their_points_and_choices_lie_equally_far_apart():
    space = {
        "rate": FloatDistribution(1e-4, 1e-1, log=True),
        "units": IntDistribution(1, 9, log=True),
        "size": CategoricalDistribution(["s", "m", "l"]),
    }
    for values in (
        {"rate": 1e-4, "units": 1, "size": "s"},
        {"rate": 0.0123, "units": 7, "size": "l"},
    ):
        assert as_values(as_point(values, space), space) == pytest.approx(values)
    corners = snap(np.random.default_rng(0).random((200, 3)), space)
    assert {as_values(corner, space)["units"] for corner in corners} == set(range(1, 10))
    sizes = encode(np.array([[0.5, 0.5, p] for p in (0.1, 0.5, 0.9)]), space)
    assert [
        np.linalg.norm(sizes[i] - sizes[j]) for i, j in ((0, 1), (0, 2), (1, 2))
    ] == pytest.approx([1, 1, 1])


def test_defaults_that_suit_no_network_are_taken_where_the_space_has_others():
    def check(config: SegmentConfig) -> None:
        if config.data.tile % 48:
            raise InputError(f"data.tile: {config.data.tile}, but pspnet needs a multiple of 48.")

    tiles = {"data.tile": Parameter(choices=[240, 288])}
    assert list(distributions(tiles, SegmentConfig(), check)) == ["data.tile"]
    with pytest.raises(InputError, match="^data.tile: 256"):
        distributions({"loss.gamma": Parameter(choices=[1, 2])}, SegmentConfig(), check)
