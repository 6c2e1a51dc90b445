"""Whether a network gives probabilities or logits, decided from what it computes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segment.core.errors import InputError
from segment.core.model.conversion import import_openvino
from segment.core.onnx_models.description import Activation

_TOLERANCE = 0.01
"""Rounding to 16 bits moves a sum of probabilities by less."""

_PASSED_ON = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Convert", "Interpolate", "Result")
_UNBOUNDED = (
    "Convolution",
    "GroupConvolution",
    "ConvolutionBackpropData",
    "MatMul",
    "Add",
    "Subtract",
)


@dataclass(frozen=True)
class Probe:
    """What a network computes of two tiles, noise and a ramp from black to white.

    Attributes:
        lowest: Smallest value of the output.
        highest: Largest value.
        sums_to_one: Whether the channels of each pixel add up to 1.
        ends_in: Type of the last operation of the network that changes values.
    """

    lowest: float
    highest: float
    sums_to_one: bool
    ends_in: str

    @property
    def is_share(self) -> bool:
        """Whether all values are from 0 to 1, and not just because these tiles gave no others."""
        within = self.lowest >= -_TOLERANCE and self.highest <= 1 + _TOLERANCE
        return within and self.ends_in not in _UNBOUNDED


def probe(network: Any, tile: int, values: tuple[float, float], file: Path) -> Probe:
    """Computes two tiles, which are the same each time.

    Args:
        network: Network with the output (1, rows, columns, channels).
        tile: Edge of the tiles.
        values: Smallest and largest value of pixels.
        file: The ONNX file, for errors.

    Returns:
        What was computed.

    Raises:
        InputError: If the network gives no finite value.
        RuntimeError: If OpenVINO cannot compute it.
    """
    shape = network.input().partial_shape
    bands, dtype = shape[3].get_length(), network.input().get_element_type().to_dtype()
    noise = np.random.default_rng(0).uniform(*values, (1, tile, tile, bands))
    ramp = np.broadcast_to(np.linspace(*values, tile)[None, None, :, None], noise.shape)
    core, exact = import_openvino().Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(network, "CPU", exact)
    outputs = np.concatenate([compiled(one.astype(dtype))[0] for one in (noise, ramp)])
    finite = outputs[np.isfinite(outputs).all(axis=-1)]
    if not len(finite):
        raise InputError(f"{file}: computes NaN of any pixels. Export it again.")
    return Probe(
        float(finite.min()),
        float(finite.max()),
        bool(np.abs(finite.sum(axis=-1) - 1).max() < _TOLERANCE),
        _last_operation(network),
    )


def choose_activation(
    channels: int, found: Probe, stated: Activation | None, file: Path
) -> tuple[Activation, str]:
    """Chooses what makes the channels of an output probabilities.

    Args:
        channels: Number of channels.
        found: What the network computes.
        stated: What is stated.
        file: The ONNX file, for errors and notes.

    Returns:
        The activation, and a note on what was assumed; empty where nothing was.

    Raises:
        InputError: If what is stated does not fit.
    """
    span = f"{found.lowest:.3g} to {found.highest:.3g}"
    if stated == "softmax" and channels == 1:
        raise InputError(
            f"{file}: activation softmax is stated, but the output has one channel. Write"
            f" activation: sigmoid into {file.stem}.yaml."
        )
    if stated == "none" and not (found.lowest >= -_TOLERANCE and found.highest <= 1 + _TOLERANCE):
        raise InputError(
            f"{file}: activation none is stated, but the output is {span}, not 0 to 1. Write"
            f" activation: {'sigmoid' if channels == 1 else 'softmax'} into {file.stem}.yaml."
        )
    if stated is not None:
        return stated, ""
    cure = f"If that is wrong, write activation into {file.stem}.yaml."
    if channels == 1:
        if found.is_share and found.ends_in == "Sigmoid":
            return "none", ""
        if found.is_share:
            return "none", f"Its output ({span}) is taken for probabilities. {cure}"
        return "sigmoid", f"Its output is taken for logits, of which sigmoid is taken. {cure}"
    if found.is_share and found.sums_to_one:
        return "none", ""
    if found.is_share:
        return "none", (
            f"Its outputs ({span}) do not add up to 1, as with several labels per pixel: each pixel"
            f" gets the class with the highest. {cure}"
        )
    return "softmax", f"Its outputs are taken for logits, of which softmax is taken. {cure}"


def _last_operation(network: Any) -> str:
    """The type of the last operation that changes values."""
    node = network.get_results()[0]
    while node.get_type_name() in _PASSED_ON:
        node = node.input(0).get_source_output().get_node()
    return str(node.get_type_name())
