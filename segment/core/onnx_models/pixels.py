"""What is added around the graph of an ONNX file: normalisation before, probabilities after."""

from typing import Any

import numpy as np

from segment.core.onnx_models.description import Activation, Description
from segment.core.onnx_models.graph import InputAxes, OutputAxes

_SHAPED = ("Squeeze", "Unsqueeze", "Reshape", "Convert")
"""Operations that an argmax may be followed by."""

_ELEMENTS = {"uint8": "u8", "uint16": "u16", "int16": "i16", "float32": "f32"}


def with_normalisation(network: Any, axes: InputAxes, stated: Description, dtype: str) -> Any:
    """Puts the normalisation of pixels before a network.

    Args:
        network: The network as the ONNX file has it; it is changed.
        axes: Axes of its input.
        stated: What is stated of the normalisation.
        dtype: Data type of the pixels of scenes.

    Returns:
        The network, which takes (1, rows, columns, bands) in that data type.
    """
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(network)
    pixels = steps.input()
    pixels.tensor().set_element_type(getattr(Type, _ELEMENTS[dtype])).set_layout(Layout("NHWC"))
    pixels.model().set_layout(Layout("NCHW" if axes.channels_first else "NHWC"))
    if axes.element.startswith(("f", "bf")):
        low, high = stated.range or (0.0, 1.0)
        shift, factor = (
            values * axes.bands if len(values) == 1 else values
            for values in (stated.mean or [0.0], stated.std or [1.0])
        )
        pixels.preprocess().convert_element_type(Type.f32)
        pixels.preprocess().mean([low + mean * (high - low) for mean in shift])
        pixels.preprocess().scale([std * (high - low) for std in factor])
    pixels.preprocess().convert_element_type(getattr(Type, axes.element))
    return steps.build()


def without_argmax(network: Any) -> tuple[Any, bool]:
    """Leaves out an argmax at the end of a network, so that overlapping tiles can be blended.

    Args:
        network: A network.

    Returns:
        The network with what the argmax was taken of as its output, and whether there was one.
    """
    import openvino

    found, outputs = False, []
    for output in network.outputs:
        source = output.get_node().input(0).get_source_output()
        names = set(output.get_names())
        scores = source
        while scores.get_node().get_type_name() in _SHAPED and scores.get_node().get_input_size():
            scores = scores.get_node().input(0).get_source_output()
        node = scores.get_node()
        if node.get_type_name() == "TopK" and scores.get_index() == 1 and _is_argmax(node):
            source, found = node.input(0).get_source_output(), True
            source.get_tensor().set_names(names)
        outputs.append(source)
    return (openvino.Model(outputs, network.get_parameters()), True) if found else (network, False)


def _is_argmax(node: Any) -> bool:
    """Whether a TopK gives the largest of the channels of an image."""
    attributes, shape = node.get_attributes(), node.input(0).get_partial_shape()
    largest = attributes.get("mode") == "max" and node.output(1).get_partial_shape()
    axis = attributes.get("axis", 0)
    if not largest or len(shape) != 4 or axis not in (1, 3):
        return False
    return bool(largest[axis].is_static and largest[axis].get_length() == 1)


def with_output(network: Any, axes: OutputAxes) -> Any:
    """Keeps the one output that holds the classes, with its channels last.

    Args:
        network: A network.
        axes: The output and its axes.

    Returns:
        The network, with the output (1, rows, columns, channels) in float32, or class numbers
        (1, rows, columns) in int64.
    """
    import openvino
    from openvino import opset13 as ops

    source = network.get_results()[axes.index].input(0).get_source_output()
    if axes.channels is None:
        value = source
        if axes.channel_axis is not None:
            value = ops.squeeze(value, ops.constant([axes.channel_axis], np.int64))
        value = ops.convert(value, "i64")
    else:
        value = ops.convert(source, "f32")
        if axes.channel_axis is None:
            value = ops.unsqueeze(value, ops.constant([3], np.int64))
        elif axes.channel_axis == 1:
            value = ops.transpose(value, ops.constant([0, 2, 3, 1], np.int64))
    return openvino.Model([value], network.get_parameters())


def with_probabilities(
    network: Any, axes: OutputAxes, activation: Activation, classes: int, threshold: float
) -> Any:
    """Puts after a network what makes its output the probabilities of classes.

    One channel is the probability of the second of two classes. Channels that do not add up to 1
    are divided by their sum. Of class numbers, the class has the probability 1.

    Args:
        network: What `with_output` returned.
        axes: The output and its axes.
        activation: What is applied to the channels.
        classes: Number of classes.
        threshold: For one channel, the probability from which a pixel is of the class: it is
            mapped to a half, and the others so that their odds keep their ratios.

    Returns:
        The network, with the output (1, rows, columns, classes) in float32.
    """
    import openvino
    from openvino import opset13 as ops

    def number(value: float) -> Any:
        return ops.constant(value, np.float32)

    value = network.get_results()[0].input(0).get_source_output()
    if axes.channels is None:
        depth = ops.constant(classes, np.int64)
        value = ops.one_hot(value, depth, number(1), number(0), 3)
        return openvino.Model([value], network.get_parameters())
    if axes.reduction > 1:
        scales = ops.constant([axes.reduction] * 2, np.float32)
        value = ops.interpolate(
            value, scales, "linear", "scales", axes=ops.constant([1, 2], np.int64)
        )
    if activation == "softmax":
        value = ops.softmax(value, 3)
    elif activation == "sigmoid":
        value = ops.sigmoid(value)
    if axes.channels == 1:
        yes = ops.multiply(value, number(1 - threshold))
        no = ops.multiply(ops.subtract(number(1), value), number(threshold))
        value = ops.concat([no, yes], 3)
    if activation != "softmax":
        total = ops.reduce_sum(value, ops.constant([3], np.int64), keep_dims=True)
        value = ops.divide(value, ops.maximum(total, number(1e-6)))
    return openvino.Model([value], network.get_parameters())
