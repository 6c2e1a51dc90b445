"""Networks in other forms: OpenVINO in fp16 or int8, and ONNX. Nothing here knows what a network is for."""

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
"""Of ONNX: what ONNX Runtime of 2021 reads already, for QGIS plugins bring old ones along."""

_TOLERATED_DIFFERENCE = 0.01
"""Of probabilities; rounding to fp16 makes a hundredth of it."""


def import_openvino() -> Any:
    """The package openvino. Import it by this alone: its import, and what its tools and NNCF do, would be reported to
    Intel, under an identifier that is left in the home folder, unless that was declined beforehand."""
    with contextlib.suppress(ImportError):
        from openvino_telemetry.utils import opt_in_checker

        opt_in_checker.OptInChecker.check = lambda *_, **__: opt_in_checker.ConsentCheckResult.DECLINED
    import openvino

    return openvino


def require_converter(*packages: str, extra: str = "") -> None:
    """Raises InputError when Keras does not run on TensorFlow, whose graphs are converted, or a package is missing.

    packages: names to import; extra: of this package, which installs them.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"Networks are exported with Keras on TensorFlow. Received the backend {keras.backend.backend()}. "
            "Set KERAS_BACKEND=tensorflow for this command; models of every backend load there."
        )
    for name in packages:
        if importlib.util.find_spec(name) is None:
            raise InputError(f"This export needs the package {name}. Received none. Run: pip install 'aerial-segment[{extra}]'")


def convert_to_openvino(network: "keras.Model") -> "openvino.Model":
    """A Keras network as an OpenVINO one, not yet in fp16.

    Its input "pixels" is (?, rows, columns, bands) in the network's dtype, its output "probabilities" float32 with the
    classes last. Rows and columns are as open as in Keras; `reshape` sets them.
    """
    with _quietly():
        import tensorflow as tf

        lean = _convertible(network)
        pixels = tf.TensorSpec(network.input_shape, network.inputs[0].dtype, name="pixels")
        function = tf.function(lambda pixels: lean(pixels, training=False), input_signature=[pixels]).get_concrete_function()
        # without naming it, what nothing reads would become outputs too
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
    """An OpenVINO network with int8 weights and activations, from one in floating point; no labels, no training.

    batch: the n-th of `count` inputs to measure the ranges of activations by. progress: told of those done and in all.

    Weights are symmetric and per channel, activations asymmetric, and biases make up for what rounding shifts, as in
    Nagel et al. (2021), "A white paper on neural network quantization". The first convolution stays as it is: it takes
    little time, and what is lost of the pixels themselves costs a tenth of a point of Jaccard.
    """

    def load(index: int) -> "NDArray[Any]":
        if progress:
            progress(index + 1, count)
        return batch(index)

    with _quietly():
        import nncf

        first = [op.get_friendly_name() for op in model.get_ordered_ops() if op.get_type_name() == "Convolution"][:1]
        return nncf.quantize(
            model,
            nncf.Dataset(range(count), load),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=count,
            ignored_scope=nncf.IgnoredScope(names=first),
        )


def save_openvino(model: "openvino.Model", file: Path) -> None:
    """Writes FILE.xml and FILE.bin; weights that are not int8 become fp16. Raises OSError when that fails."""
    try:
        import_openvino().save_model(model, file)
    except RuntimeError as error:  # "iostream error", whatever the reason
        raise OSError(str(error)) from error


def require_same_answers(network: "keras.Model", file: Path, pixels: "NDArray[Any]") -> None:
    """Raises RuntimeError when an OpenVINO file in fp16 has lost what the network does: converters have their faults.

    pixels: a batch to compare the two on, in the network's dtype.
    """
    import numpy as np

    core = import_openvino().Core()
    model = core.read_model(file)
    model.reshape(pixels.shape)
    answer = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pixels)[0]
    difference = float(np.abs(answer - network.predict_on_batch(pixels)).mean())
    if not difference < _TOLERATED_DIFFERENCE:
        raise RuntimeError(f"OpenVINO answers otherwise than Keras, by {difference:.3f} on average")


def save_onnx(network: "keras.Model", file: Path, tile: int, scale: float, metadata: Mapping[str, str]) -> None:
    """Writes a Keras network as readers of images feed it: with the bands first, and scaled.

    Its input "pixels" is (batch, bands, tile, tile) float32, of pixels divided by `scale`; they come back as the same
    whole numbers where the network takes integers. Its output "probabilities" is (batch, classes, tile, tile) float32.
    A single class gets a second one that is 0 everywhere: readers threshold a lone output.
    """
    with _quietly():
        import onnx
        import tensorflow as tf
        import tf2onnx
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        lean, dtype = _convertible(network), tf.as_dtype(network.inputs[0].dtype)

        def answer(pixels: Any) -> Any:
            values = tf.transpose(pixels, (0, 2, 3, 1)) * tf.cast(scale, tf.float32)
            values = tf.cast(tf.round(values) if dtype.is_integer else values, dtype)
            probabilities = tf.transpose(lean(values, training=False), (0, 3, 1, 2))
            return probabilities if network.output_shape[-1] > 1 else tf.pad(probabilities, ((0, 0), (0, 1), (0, 0), (0, 0)))

        pixels = tf.TensorSpec((None, network.input_shape[-1], tile, tile), tf.float32, name="pixels")
        function = tf.function(answer, input_signature=[pixels]).get_concrete_function()
        # tf2onnx.convert.from_function would take the constants of a Normalization layer for inputs
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
    """The network, with the same weights, in operations that converters do justice to.

    Upsampling: for nearest neighbours Keras repeats rows and columns, of which converters make chains of tiles and
    reshapes. These take time, and quantisation does not see through them, so that convolutions behind stay in floating
    point. Between neighbours it interpolates only where the size is known when the network is traced.
    Bands from RGB to BGR: OpenVINO 2026.4 moves that into the weights of the first convolution and, where there is
    upsampling too, loses it when the network is saved.
    """
    import keras

    def call(layer: Any, x: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation in _RESIZE:
            return keras.layers.Lambda(partial(_RESIZE[layer.interpolation], factors=layer.size), name=layer.name)(x)
        if type(layer).__name__ == "Take" and list(arguments[0]) == [2, 1, 0, *range(3, x.shape[-1])]:
            return keras.layers.Lambda(_swap_red_and_blue)(x)
        return layer(x, *arguments, **options)

    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call, recursive=True)


def _repeat(x: Any, factors: tuple[int, int]) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ResizeNearestNeighbor(images=x, size=_enlarged(x, factors))


def _interpolate(x: Any, factors: tuple[int, int]) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ResizeBilinear(images=x, size=_enlarged(x, factors), half_pixel_centers=True)


_RESIZE = {"nearest": _repeat, "bilinear": _interpolate}


def _enlarged(x: Any, factors: tuple[int, int]) -> list[Any]:
    """Rows and columns times `factors`: numbers where they are known, else found when the network runs."""
    import tensorflow as tf

    return [(x.shape[axis] or tf.shape(x)[axis]) * factor for axis, factor in enumerate(factors, 1)]


def _swap_red_and_blue(x: Any) -> Any:
    import tensorflow as tf

    return tf.concat((x[..., 2::-1], x[..., 3:]), axis=-1)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keeps converters from printing, and from reporting their use."""
    import_openvino()  # before NNCF does
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
