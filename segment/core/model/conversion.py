"""Conversion of networks to OpenVINO in fp16 or int8, and to ONNX.

Nothing in this module depends on the task of a network.
"""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segment.core.errors import InputError

if TYPE_CHECKING:
    import keras
    import openvino
    from numpy.typing import NDArray


_OPSET = 15
"""Opset of ONNX, which ONNX Runtime of 2021 already reads: QGIS plugins ship old versions."""

_TOLERATED_DIFFERENCE = 0.01
"""Largest mean difference of probabilities; rounding to fp16 causes a hundredth of it."""


def import_openvino() -> Any:
    """Imports the package openvino with its usage reports switched off.

    Import it through this function only. Otherwise its import, and the use of its tools and of
    NNCF, would be reported to Intel, under an identifier that is stored in the home folder, unless
    the user has declined beforehand.

    Returns:
        The module `openvino`.
    """
    with contextlib.suppress(ImportError):
        from openvino_telemetry.utils import opt_in_checker

        opt_in_checker.OptInChecker.check = lambda *_, **__: (
            opt_in_checker.ConsentCheckResult.DECLINED
        )
    import openvino

    return openvino


def require_converter(*packages: str, extra: str = "") -> None:
    """Checks that networks can be converted: the backend of Keras and the packages.

    Converters take TensorFlow graphs.

    Args:
        *packages: Names of the modules to import.
        extra: Extra of aerial-segment that installs the packages, for the error.

    Raises:
        InputError: If Keras runs on another backend, or a package is missing.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "Networks are exported with Keras on TensorFlow. Received the backend"
            f" {keras.backend.backend()}. Set KERAS_BACKEND=tensorflow for this command; models of"
            " every backend load there."
        )
    for name in packages:
        if importlib.util.find_spec(name) is None:
            raise InputError(
                f"This export needs the package {name}. Received none. Run: pip install"
                f" 'aerial-segment[{extra}]'"
            )


def convert_to_openvino(network: "keras.Model") -> "openvino.Model":
    """Converts a Keras network to OpenVINO, not yet to fp16.

    Args:
        network: Network from pixels to probabilities.

    Returns:
        A network with the input "pixels", (?, rows, columns, bands) in the dtype of the Keras
        network, and the output "probabilities", float32 with the classes last. Rows and columns
        that are undefined in Keras stay undefined; `reshape` sets them.
    """
    with _quietly():
        import tensorflow as tf

        lean = _convertible(network)
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
    model: "openvino.Model",
    batch: Callable[[int], "NDArray[Any]"],
    count: int,
    progress: Callable[[int, int], None] | None = None,
) -> "openvino.Model":
    """Quantises a floating-point OpenVINO network to int8, without labels and without training.

    Weights are quantised symmetrically and per channel, activations asymmetrically, and biases
    correct the shift that rounding causes, as in Nagel et al. (2021), "A white paper on neural
    network quantization". The first convolution stays in floating point: it takes little time, and
    rounding the pixels themselves costs a tenth of a point of Jaccard.

    Args:
        model: Network in floating point.
        batch: Returns an input by its index, 0 to `count` - 1. The ranges of the activations are
            measured on these inputs.
        count: Number of inputs to measure on.
        progress: Called with the number of inputs read so far, and with `count`.

    Returns:
        A network with int8 weights and activations.
    """

    def load(index: int) -> "NDArray[Any]":
        if progress:
            progress(index + 1, count)
        return batch(index)

    with _quietly():
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
        raise RuntimeError(f"OpenVINO answers otherwise than Keras, by {difference:.3f} on average")


def save_onnx(
    network: "keras.Model", file: Path, tile: int, scale: float, metadata: Mapping[str, str]
) -> None:
    """Writes a Keras network as ONNX, for programs that put the bands first and scale the pixels.

    The input "pixels" is (batch, bands, tile, tile) float32, of pixels divided by `scale`. Where
    the network takes integers, they are converted back to the same whole numbers. The output
    "probabilities" is (batch, classes, tile, tile) float32. A single class gets a second one that
    is 0 everywhere, because those programs threshold a single output.

    Args:
        network: Network of one probability per class and pixel.
        file: File to write.
        tile: Edge of a tile in pixels.
        scale: What the pixels are divided by before they enter the ONNX network.
        metadata: Metadata properties of the file.
    """
    with _quietly():
        import onnx
        import tensorflow as tf
        import tf2onnx
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        lean, dtype = _convertible(network), tf.as_dtype(network.inputs[0].dtype)

        def answer(pixels: Any) -> Any:
            values = tf.transpose(pixels, (0, 2, 3, 1)) * tf.cast(scale, tf.float32)
            values = tf.cast(tf.round(values) if dtype.is_integer else values, dtype)
            probabilities = tf.transpose(lean(values, training=False), (0, 3, 1, 2))
            return (
                probabilities
                if network.output_shape[-1] > 1
                else tf.pad(probabilities, ((0, 0), (0, 1), (0, 0), (0, 0)))
            )

        pixels = tf.TensorSpec(
            (None, network.input_shape[-1], tile, tile), tf.float32, name="pixels"
        )
        function = tf.function(answer, input_signature=[pixels]).get_concrete_function()
        # tf2onnx.convert.from_function would turn constants of a Normalization layer into inputs.
        frozen = convert_variables_to_constants_v2(function)
        (source,), (target,) = frozen.inputs, frozen.outputs
        model, _ = tf2onnx.convert.from_graph_def(
            frozen.graph.as_graph_def(),
            name=network.name,
            input_names=[source.name],
            output_names=[target.name],
            opset=_OPSET,
            tensors_to_rename={source.name: "pixels", target.name: "probabilities"},
        )
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, file)


def _convertible(network: "keras.Model") -> "keras.Model":
    """Rebuilds the network, with the same weights, from operations that convert well.

    Nearest-neighbour upsampling: Keras repeats rows and columns, which converters turn into chains
    of tiles and reshapes. These are slow, and quantisation cannot pass through them, so that the
    convolutions behind them stay in floating point.
    Bilinear upsampling: Keras interpolates only where the size is known when the network is traced.
    RGB to BGR: OpenVINO 2026.4 moves this into the weights of the first convolution and, if there
    is upsampling too, loses it when the network is saved.
    """
    import keras

    def call(layer: Any, x: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation in _RESIZE:
            return keras.layers.Lambda(
                partial(_RESIZE[layer.interpolation], factors=layer.size), name=layer.name
            )(x)
        if type(layer).__name__ == "Take" and list(arguments[0]) == [
            2,
            1,
            0,
            *range(3, x.shape[-1]),
        ]:
            return keras.layers.Lambda(_swap_red_and_blue)(x)
        return layer(x, *arguments, **options)

    return keras.models.clone_model(
        network, clone_function=lambda layer: layer, call_function=call, recursive=True
    )


def _repeat(x: Any, factors: tuple[int, int]) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ResizeNearestNeighbor(images=x, size=_enlarged(x, factors))


def _interpolate(x: Any, factors: tuple[int, int]) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ResizeBilinear(images=x, size=_enlarged(x, factors), half_pixel_centers=True)


_RESIZE = {"nearest": _repeat, "bilinear": _interpolate}


def _enlarged(x: Any, factors: tuple[int, int]) -> list[Any]:
    """Multiplies rows and columns by `factors`; unknown ones are computed when the network runs."""
    import tensorflow as tf

    return [(x.shape[axis] or tf.shape(x)[axis]) * factor for axis, factor in enumerate(factors, 1)]


def _swap_red_and_blue(x: Any) -> Any:
    import tensorflow as tf

    return tf.concat((x[..., 2::-1], x[..., 3:]), axis=-1)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keeps converters from printing, and from reporting their use."""
    import_openvino()  # before NNCF imports it
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
