"""Training on several devices, two virtual ones of a process each: figures are those of
one device.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.training.devices import take_devices
from segment.core.training.shared_batches import SharedBatches

pytestmark = pytest.mark.heavy


def start(folder: Path, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.core.training.device_runs", str(folder)]
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen) -> dict:
    """What `device_runs` printed."""
    printed, complaints = process.communicate(timeout=300)
    assert process.returncode == 0, complaints
    return json.loads(printed)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(
    scope="module",
    params=[pytest.param(backend, marks=pytest.mark.slow) for backend in ("tensorflow", "jax")],
)
def runs(request, tmp_path_factory) -> dict:
    """What came of trainings, with one backend of Keras."""
    return outcome(start(tmp_path_factory.mktemp("devices"), KERAS_BACKEND=request.param)) | {
        "backend": request.param
    }


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
    assert np.isfinite([row["loss"] for row in runs["random"]["history"]]).all()


def test_models_do_not_tell_that_several_devices_made_them(runs):
    assert runs["two"]["synchronized"] is False


def test_devices_that_are_not_there_and_batches_that_cannot_be_shared_are_refused(runs):
    assert "training.devices: 3, but there are 2 (" in runs["refused: too many"]
    assert (
        "training.batch_size: 9 is not a multiple of the 2 devices of all machines."
        in runs["refused: uneven"]
    )


def test_two_machines_learn_what_one_learns(runs, tmp_path):
    if runs["backend"] != "jax":
        pytest.skip("several machines train with JAX")
    port = free_port()
    machines = [
        start(
            tmp_path,
            KERAS_BACKEND="jax",
            KERAS_DISTRIBUTION_JOB_ADDRESSES=f"127.0.0.1:{port}",
            KERAS_DISTRIBUTION_NUM_PROCESSES="2",
            KERAS_DISTRIBUTION_PROCESS_ID=f"{number}",
            JAX_CPU_COLLECTIVES_IMPLEMENTATION="gloo",
        )
        for number in range(2)
    ]
    found = [outcome(machine)["machines"] for machine in machines]
    for machine in found:
        assert machine["devices"] == 2
        assert_same(machine, runs["one"])


def test_each_machine_sees_its_part_of_all_that_a_batch_holds():
    class Pairs(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
            return {"pixels": np.arange(10).reshape(5, 2), "label": np.arange(5)}, np.arange(5) * 10

    (inputs, truth), (others, _) = (SharedBatches(Pairs(), 4, number, 2)[0] for number in range(2))
    assert (inputs["label"].tolist(), others["label"].tolist()) == ([0, 1, 2, 3], [4, 0, 1, 2])
    assert (inputs["pixels"].tolist(), truth.tolist()) == (
        [[0, 1], [2, 3], [4, 5], [6, 7]],
        [0, 10, 20, 30],
    )


@pytest.mark.parametrize("given", ["two", "0", "-1"])
def test_a_number_of_machines_that_is_none_is_refused(monkeypatch, given):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", given)
    with pytest.raises(InputError, match="a number of machines"):
        take_devices(TrainingSettings())


def test_several_machines_take_jax(monkeypatch):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    with pytest.raises(InputError, match="KERAS_BACKEND=jax"):
        take_devices(TrainingSettings())
