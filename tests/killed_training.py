"""Trainings in processes of their own, which are killed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segment.core.training.checkpoints import CHECKPOINT


def train_and_kill(package: str, data: Path, output: Path, settings: Sequence[str]) -> int:
    """Runs the training command of a package and kills it after its first checkpoint.

    Returns the number of epochs that the checkpoint holds.
    """
    command = [sys.executable, "-c", f"import {package}.cli; {package}.cli.train()", str(data)]
    chosen = [part for setting in settings for part in ("--set", setting)]
    process = subprocess.Popen(
        [*command, "--output", str(output), *chosen],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (output / CHECKPOINT).is_file() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    with np.load(output / CHECKPOINT) as state:
        return len(json.loads(str(state["history"])))
