"""Training on several devices, two virtual ones of a process each: figures are those of one device."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from segment.config import Config
from segment.core.config import load_settings
from segment.core.errors import InputError


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def runs(request, tmp_path_factory) -> dict:
    """What `device_runs` prints, with one backend of Keras."""
    folder = tmp_path_factory.mktemp("devices")
    command = [sys.executable, "-m", "tests.core.device_runs", str(folder)]
    environment = {**os.environ, "KERAS_BACKEND": request.param}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def assert_same(run: dict, other: dict) -> None:
    for row, expected in zip(run["history"], other["history"], strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    for weight, expected in zip(run["weights"], other["weights"], strict=True):
        np.testing.assert_allclose(np.array(weight), np.array(expected), atol=1e-5)


def test_two_devices_learn_what_one_learns(runs):
    assert runs["two"]["devices"] == 2
    assert_same(runs["two"], runs["one"])
    losses = [row["loss"] for row in runs["two"]["history"]]
    assert losses[-1] < losses[0]


def test_a_run_goes_on_with_another_number_of_devices(runs):
    assert_same(runs["resumed"], runs["unbroken"])


def test_a_last_batch_that_cannot_be_shared_is_learned_from(runs):
    assert np.isfinite([row["loss"] for row in runs["uneven"]["history"]]).all()
    assert runs["uneven"]["weights"] != runs["two"]["weights"]


def test_a_network_that_draws_at_random_is_trained(runs):
    assert np.isfinite([row["loss"] for row in runs["dropout"]["history"]]).all()


def test_models_do_not_tell_that_several_devices_made_them(runs):
    assert runs["two"]["synchronized"] is False


def test_more_devices_than_there_are_are_refused(runs):
    assert "training.devices" in runs["three"]["error"]
    assert "found 2" in runs["three"]["error"]


def test_batches_that_devices_cannot_share_are_refused():
    with pytest.raises(InputError, match="batch_size must be a multiple of devices. Received 8 and 3 devices"):
        load_settings(Config, None, ["training.devices=3"])
