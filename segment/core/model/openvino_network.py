"""Networks of OpenVINO, made from Keras networks, in fp16 or int8."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from segment.core.model.conversion import import_openvino, make_convertible, quiet_converters
from segment.core.progress import Progress

if TYPE_CHECKING:
    import keras
    import openvino
    from numpy.typing import NDArray

_TOLERATED_DIFFERENCE = 0.01
"""Largest mean difference of probabilities; rounding to fp16 causes a hundredth of it."""


def convert_to_openvino(network: "keras.Model") -> "openvino.Model":
    """Converts a Keras network to OpenVINO, not yet to fp16.

    Args:
        network: Network from pixels to probabilities.

    Returns:
        A network with the input "pixels", (?, rows, columns, bands) in the dtype of the Keras
        network, and the output "probabilities", float32 with the classes last. Rows and columns
        that are undefined in Keras stay undefined; `reshape` sets them.
    """
    with quiet_converters():
        import tensorflow as tf

        lean = make_convertible(network)
        pixels = tf.TensorSpec(network.input_shape, network.inputs[0].dtype, name="pixels")
        function = tf.function(
            lambda pixels: lean(pixels, training=False), input_signature=[pixels]
        ).get_concrete_function()
        # Without naming the output, every tensor that nothing reads would become an output too.
        converted = import_openvino().convert_model(function, output=[function.outputs[0].name])
    converted.input().get_tensor().set_names({"pixels"})
    converted.output().get_tensor().set_names({"probabilities"})
    return converted


def quantise(
    model: "openvino.Model", batches: "keras.utils.PyDataset", progress: Progress
) -> "openvino.Model":
    """Quantises a floating-point OpenVINO network to int8, without labels and without training.

    Weights are quantised symmetrically and per channel, activations asymmetrically, and biases
    correct the shift that rounding causes, as in Nagel et al. (2021), "A white paper on neural
    network quantization". The first convolution stays in floating point: it takes little time, and
    rounding the pixels themselves costs a tenth of a point of Jaccard.

    Args:
        model: Network in floating point.
        batches: Batches on which the ranges of the activations are measured.
        progress: Where the number of batches read so far is reported.

    Returns:
        A network with int8 weights and activations.
    """
    count = len(batches)

    def load(index: int) -> "NDArray[Any]":
        progress.advance("calibrating", index + 1, count)
        pixels: NDArray[Any] = batches[index][0]
        return pixels

    with quiet_converters():
        import nncf

        first = [
            op.get_friendly_name()
            for op in model.get_ordered_ops()
            if op.get_type_name() == "Convolution"
        ][:1]
        return nncf.quantize(
            model,
            nncf.Dataset(range(count), load),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=count,
            ignored_scope=nncf.IgnoredScope(names=first),
        )


def save_openvino(model: "openvino.Model", file: Path) -> None:
    """Writes an OpenVINO network as FILE.xml and FILE.bin.

    Weights that are not int8 become fp16.

    Args:
        model: Network to write.
        file: Path of the `.xml` file.

    Raises:
        OSError: If writing fails.
    """
    try:
        import_openvino().save_model(model, file)
    except RuntimeError as error:  # always "iostream error", whatever the reason
        raise OSError(str(error)) from error


def require_same_answers(network: "keras.Model", file: Path, pixels: "NDArray[Any]") -> None:
    """Checks that an OpenVINO file in fp16 computes the same as the network it was made from.

    Converters have bugs, which this detects.

    Args:
        network: Keras network.
        file: The `.xml` file that was made from it.
        pixels: Batch to compare the two on, (batch, rows, columns, bands) in the network's dtype.

    Raises:
        RuntimeError: If the outputs differ by a mean of 0.01 or more.
    """
    import numpy as np

    core = import_openvino().Core()
    model = core.read_model(file)
    model.reshape(pixels.shape)
    answer = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pixels)[0]
    difference = float(np.abs(answer - network.predict_on_batch(pixels)).mean())
    if not difference < _TOLERATED_DIFFERENCE:
        raise RuntimeError(f"OpenVINO and Keras differ by {difference:.3f} on average")
