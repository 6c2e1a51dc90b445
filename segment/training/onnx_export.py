"""Export of a model to ONNX, for QGIS and other programs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segment.core.disk import writable
from segment.core.errors import InputError, counted
from segment.core.model.conversion import make_convertible, quiet_converters, require_converter
from segment.core.model.export import Export, warn_of_preprocessing
from segment.core.model.folder import ONNX_FILE, load_keras_model, save_model_info
from segment.core.model.info import ModelInfo
from segment.core.model.weight_files import checksum
from segment.core.onnx_models.metadata import OWN_KEY
from segment.core.outputs import refuse_existing, staged
from segment.core.progress import Progress
from segment.mapping.model_view import choose_tile

if TYPE_CHECKING:
    import keras

_OPSET = 15
"""Opset of ONNX, which ONNX Runtime of 2021 already reads: QGIS plugins ship old versions."""

_OVERLAP = 25
"""Overlap that ONNX files recommend to the programs that read them, percent of a tile's edge.

Of 512 px it is a multiple of 32, so that all tiles lie alike on the encoder's reduced grid.
"""


def export_onnx(
    folder: Path, info: ModelInfo, file: Path, overwrite: bool, progress: Progress
) -> Export:
    """Writes a model as an ONNX file.

    Args:
        folder: Model folder.
        info: Content of its `model.yaml`.
        file: File to write.
        overwrite: Whether an earlier file may be replaced.
        progress: Shows the steps, and prints warnings.

    Returns:
        The export.

    Raises:
        InputError: If the file exists, or does not end in .onnx, or a package is not installed.
    """
    if file.suffix != ".onnx":
        raise InputError(f"--output: {file} does not end in .onnx. Rename it.")
    refuse_existing(file, overwrite)
    require_converter("onnx", "tf2onnx", extra="onnx")
    network = load_keras_model(folder, progress)
    with staged(file, overwrite) as partial_file, writable(file):
        progress.advance("converting", 0, 1)
        save_onnx(network, partial_file, choose_tile(info), pixel_scale(info), onnx_metadata(info))
        progress.advance("converting", 1, 1)
        written = checksum(partial_file)
    if file.resolve() == (folder / ONNX_FILE).resolve():
        save_model_info(
            folder, info.model_copy(update={"checksums": info.checksums | {ONNX_FILE: written}})
        )
    if info.ground_sampling_distance is None:
        progress.say(
            "warning: the ground sampling distance of the training images is unknown: set the"
            " resolution where the file is used"
        )
    if info.bands != 3 or info.dtype not in ("uint8", "uint16"):
        progress.say(
            f"warning: geodeep maps RGB of uint8 or uint16, not {counted(info.bands, 'band')} of"
            f" {info.dtype}; Deepness does"
        )
    warn_of_preprocessing(info, progress)
    return Export(file)


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
    with quiet_converters():
        import onnx
        import tensorflow as tf
        import tf2onnx
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        lean, dtype = make_convertible(network), tf.as_dtype(network.inputs[0].dtype)

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


def pixel_scale(info: ModelInfo) -> float:
    """Returns the number by which pixels are divided before an ONNX file sees them.

    Args:
        info: Description of the model.

    Returns:
        The range of an integer dtype; 1 for floating point.
    """
    dtype = np.dtype(info.dtype)
    return float(np.iinfo(dtype).max) - float(np.iinfo(dtype).min) if dtype.kind in "iu" else 1.0


def onnx_metadata(info: ModelInfo) -> dict[str, str]:
    """Returns the metadata that Deepness, a plugin of QGIS, and geodeep read from an ONNX file.

    Deepness feeds (pixels / 255 - mean) / std, whatever the dtype. geodeep divides integers by
    their range and reads neither mean nor std. Thresholds of 0 make both take the most probable
    class, as maps do here. "dtype", "preprocess" and "scale", which neither knows, are the data
    type of the pixels and what is done to them before, if anything is: see `preprocess` and
    `BandScale`. `OWN_KEY` has what else maps of the model folder depend on, so that those of the
    file are the same.
    https://qgis-plugin-deepness.readthedocs.io/en/latest/creators/creators_add_metadata_to_model.html

    Args:
        info: Description of the model.

    Returns:
        JSON text by key.
    """
    names = (
        [*info.class_table.names, "nothing"]
        if len(info.class_table) == 1
        else info.class_table.names
    )
    values = {
        "model_type": "Segmentor",
        "class_names": {str(index): name for index, name in enumerate(names)},
        "tile_size": choose_tile(info),
        "tiles_size": choose_tile(info),
        "tiles_overlap": _OVERLAP,
        "standardization_mean": [0.0] * info.bands,
        "standardization_std": [pixel_scale(info) / 255] * info.bands,
        "seg_thresh": 0.0,
        "seg_small_segment": 0,
    }
    if info.ground_sampling_distance is not None:
        # centimetres per pixel
        values["resolution"] = round(100 * info.ground_sampling_distance, 2)
    if info.dtype != "uint8":
        values["dtype"] = info.dtype
    if not info.preprocess.is_off:
        values["preprocess"] = info.preprocess.model_dump()
    if info.scale:
        values["scale"] = info.scale.model_dump()
    values[OWN_KEY] = _own_metadata(info, len(names))
    return {key: json.dumps(value) for key, value in values.items()}


def _own_metadata(info: ModelInfo, outputs: int) -> dict[str, Any]:
    """What `Description` states and other programs do not read; `outputs` is their number."""
    stated = {
        # the second output of a single class has no entry in the table
        "classes": info.model_dump()["classes"] if outputs == len(info.class_table) else None,
        "band_names": info.band_names,
        "gsd": info.ground_sampling_range,
        "resample_to": info.ground_sampling_distance if info.ground_sampling_range else None,
    }
    return {key: value for key, value in stated.items() if value}
