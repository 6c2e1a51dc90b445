"""Precision of a training: that of the settings, or the faster one, which is measured."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.model.backend import count_machines, has_gpu, load_keras
from segment.core.outputs import staged
from segment.core.training.run_folder import PRECISION_FILE

FLOAT32, MIXED = "float32", "mixed_bfloat16"
_CLEARLY = 1.25  # times as fast; below it, noise could decide
_ROUNDS = 5


@dataclass(frozen=True)
class Precision:
    """Precision that a network is trained in.

    Attributes:
        policy: Name of a Keras dtype policy.
        reason: Why it was chosen.
        seconds: Measured seconds of a convolution by dtype policy; empty where none was measured.
    """

    policy: str = FLOAT32
    reason: str = "as set"
    seconds: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        """Returns the precision and the reason."""
        name = "mixed (bfloat16)" if self.policy == MIXED else self.policy
        return f"{name}, {self.reason}"

    def save(self, folder: Path) -> None:
        """Writes the precision into a run folder.

        Args:
            folder: Run folder.
        """
        with staged(folder / PRECISION_FILE, overwrite=True) as partial:
            kept = asdict(self) | {"seconds": dict(self.seconds)}
            partial.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def load_precision(folder: Path) -> Precision | None:
    """Reads the precision of a run.

    Args:
        folder: Run folder.

    Returns:
        The precision; None where the run has no such file.

    Raises:
        InputError: If the file is broken.
    """
    path = folder / PRECISION_FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["policy"] not in (FLOAT32, MIXED):
            raise ValueError(f"{kept['policy']!r} is no precision")
        return Precision(kept["policy"], str(kept["reason"]), tuple(kept["seconds"].items()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path}: the precision of the run cannot be read ({' '.join(str(error).split())})."
            " Restore the file, or train again with --overwrite."
        ) from error


def choose_precision(settings: TrainingSettings, resumed: Path | None = None) -> Precision:
    """Chooses the precision of a training.

    With `auto` it is mixed on a GPU, and on a processor where bfloat16 is clearly faster, which is
    measured. A run that is resumed keeps the precision that it began with.

    Args:
        settings: Settings of the training.
        resumed: Run folder, if a run is resumed.

    Returns:
        The precision.

    Raises:
        InputError: As `load_precision`.
    """
    if settings.precision != "auto":
        return Precision(MIXED if settings.precision == "mixed" else FLOAT32)
    if resumed and (begun := load_precision(resumed)):
        return begun
    if has_gpu():
        return Precision(MIXED, "as there is a GPU")
    if resumed:
        return Precision(FLOAT32, "as the run began")  # by a version that measured nothing
    if count_machines() > 1:
        return Precision(FLOAT32, "as several machines could measure different times")
    seconds = measure()
    times = seconds[FLOAT32] / seconds[MIXED]
    reason = f"as bfloat16 is {times:.2g} times as fast as float32 on this processor"
    return Precision(MIXED if times >= _CLEARLY else FLOAT32, reason, tuple(seconds.items()))


@cache
def measure() -> dict[str, float]:
    """Measures a small convolution in float32 and in bfloat16, in turns, once in a process.

    Returns:
        Shortest seconds by dtype policy. They are seconds of the processor, not of the clock, and
        the shortest ones, so that they hardly depend on what else the machine does.
    """
    runs = {policy: _convolution(policy) for policy in (FLOAT32, MIXED)}
    found: dict[str, list[float]] = {policy: [] for policy in runs}
    for _ in range(_ROUNDS):
        for policy, run in runs.items():
            started = time.process_time()
            run()
            found[policy].append(time.process_time() - started)
    return {policy: min(seconds) for policy, seconds in found.items()}


def _convolution(policy: str) -> Callable[[], object]:
    """Returns a function that computes a convolution, which is compiled already."""
    keras = load_keras()
    # draws no random numbers: the same seed makes the same model, measured or not
    layer = keras.layers.Conv2D(
        64, 3, padding="same", kernel_initializer="ones", dtype=policy, name="measured"
    )
    layer.build((8, 64, 64, 64))
    compute, pixels = _compiled(layer), keras.ops.ones((8, 64, 64, 64))

    def run() -> object:
        return keras.ops.convert_to_numpy(compute(pixels))

    run()
    return run


def _compiled(layer: Any) -> Callable[[Any], Any]:
    """Returns a layer as the backend computes it in a training on a processor."""
    backend = load_keras().backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        compiled: Callable[[Any], Any] = tf.function(layer)
    elif backend == "jax":
        import jax

        compiled = jax.jit(layer)
    else:
        compiled = layer
    return compiled
