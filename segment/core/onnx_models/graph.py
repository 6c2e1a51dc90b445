"""The graph of an ONNX file: read by OpenVINO, with the axes of its input and outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segment.core.errors import InputError, counted
from segment.core.model.conversion import import_openvino
from segment.core.onnx_models.description import Description

_NUMBERS = ("u8", "u16", "i16", "i32", "f16", "bf16", "f32", "f64")
_MOST_CLASSES = 255  # maps hold 8 bits, and nodata is one of the values
_LARGEST_REDUCTION = 8  # times along each axis, by which an output may be smaller than its tile


@dataclass(frozen=True)
class InputAxes:
    """Axes of the pixels that a network takes.

    Attributes:
        bands: Number of bands.
        channels_first: Whether bands are the second axis, not the last.
        tile: Edge of the tiles; None where the network takes several sizes.
        element: Data type in the terms of OpenVINO, such as "f32".
    """

    bands: int
    channels_first: bool
    tile: int | None
    element: str


@dataclass(frozen=True)
class OutputAxes:
    """Axes of the output that holds the classes.

    Attributes:
        index: Position of the output among those of the network.
        name: Its name.
        channels: Number of its channels; None for a map of class numbers.
        channel_axis: Axis of the channels; None where there is none.
        reduction: Times by which its edge is smaller than that of the tile.
        others: Names of other outputs, which are not used.
    """

    index: int
    name: str
    channels: int | None
    channel_axis: int | None
    reduction: int
    others: tuple[str, ...]


def read_graph(file: Path) -> Any:
    """Reads an ONNX file.

    Args:
        file: The ONNX file.

    Returns:
        The network, `openvino.Model`, with one input.

    Raises:
        InputError: If it is no ONNX file, is damaged, has operations that OpenVINO does not know,
            or has no or several inputs.
    """
    import_openvino()
    from openvino.frontend import FrontEndManager

    try:
        frontend = FrontEndManager().load_by_framework("onnx")
        network = frontend.convert(frontend.load(str(file)))
    except Exception as error:
        raise InputError(f"{file}: {_explain(str(error))}") from error
    names = [_name_of(one, index) for index, one in enumerate(network.inputs)]
    if not names:
        raise InputError(f"{file}: not an ONNX file, or cut off. Export it again.")
    if len(names) > 1:
        raise InputError(
            f"{file}: the network has {counted(len(names), 'input')} ({', '.join(names)[:100]}), a"
            " scene is one. Export it with the image as its only input."
        )
    return network


def metadata_of(network: Any) -> dict[str, str]:
    """Returns the metadata properties of an ONNX file.

    Args:
        network: The network that was read from it.

    Returns:
        Texts by their keys.
    """
    if not network.has_rt_info("framework"):
        return {}
    found = network.get_rt_info()["framework"]
    entries = getattr(found, "value", found)
    return {str(key): str(getattr(value, "value", value)) for key, value in entries.items()}


def find_input_axes(network: Any, stated: Description, file: Path) -> InputAxes:
    """Finds which axis of the input holds the bands, and whether the tile size is fixed.

    Args:
        network: The network.
        stated: What is stated of the model.
        file: The ONNX file, for errors.

    Returns:
        The axes.

    Raises:
        InputError: If the input is not an image of numbers, does not show which axis the bands
            are, or is not what is stated.
    """
    pixels, element = network.input(), network.input().get_element_type().get_type_name()
    if element not in _NUMBERS:
        raise InputError(f"{file}: input of type {element}, which no pixels are. Export float32.")
    shape = pixels.partial_shape
    if shape.rank.is_dynamic or len(shape) != 4:
        raise InputError(
            f"{file}: the input has the shape {shape}, but a batch of images has four axes."
            " Export it for single images."
        )
    _, *sizes = (axis.get_length() if axis.is_static else None for axis in shape)
    first = _has_channels_first(sizes, stated)
    known = {"channels_first": True, "channels_last": False}.get(stated.layout or "", first)
    if known is None:
        raise InputError(
            f"{file}: the input has the shape {shape}, which does not show which axis the bands"
            f" are. Write layout: channels_first (or channels_last) and bands into"
            f" {file.stem}.yaml."
        )
    bands, height, width = sizes if known else (sizes[2], *sizes[:2])
    count = bands or stated.bands
    if count is None or (stated.bands or count) != count:
        raise InputError(
            f"{file}: the input has the shape {shape}, but stated are {stated.bands or 'no'} bands."
            f" Correct bands in {file.stem}.yaml."
        )
    if height != width:
        raise InputError(
            f"{file}: the network takes tiles of {height or 'any number of'} rows and"
            f" {width or 'any number of'} columns. Export it for square tiles."
        )
    if height and stated.tile not in (None, height):
        raise InputError(
            f"{file}: stated are tiles of {stated.tile} pixels, but the network takes {height}"
            f" only. Correct tile in {file.stem}.yaml."
        )
    return InputAxes(count, known, height, element)


def find_output_axes(
    network: Any, tile: int, stated: Description, classes: int | None, file: Path
) -> OutputAxes:
    """Finds the output that holds the classes of all pixels, and which axis they are.

    Args:
        network: The network for tiles of a fixed size.
        tile: Edge of these tiles.
        stated: What is stated of the model.
        classes: Number of classes, None where it is not stated.
        file: The ONNX file, for errors.

    Returns:
        The axes. Of several outputs that fit, the one with as many channels as there are classes,
        or else the first.

    Raises:
        InputError: If there is no such output.
    """
    names = [_name_of(output, index) for index, output in enumerate(network.outputs)]
    if stated.output is not None and stated.output not in names:
        raise InputError(
            f"{file}: no output is called {stated.output!r}. Write one of {', '.join(names)[:200]}"
            f" as output into {file.stem}.yaml."
        )
    found = []
    for index, (name, output) in enumerate(zip(names, network.outputs, strict=True)):
        axes = _classes_of(output, tile) if stated.output in (None, name) else None
        if axes:
            others = tuple(other for other in names if other != name)
            found.append(OutputAxes(index, name, *axes, others))
    if not found:
        shapes = ", ".join(str(output.partial_shape) for output in network.outputs)[:200]
        raise InputError(
            f"{file}: for tiles of {tile} pixels the output has the shape {shapes}, which gives no"
            " class to each pixel. Give a model of semantic segmentation."
        )
    best = min(found, key=lambda axes: (axes.reduction, (axes.channels or classes) != classes))
    if (best.channels or 0) > _MOST_CLASSES:
        raise InputError(
            f"{file}: the output has {best.channels} channels, maps have at most {_MOST_CLASSES}"
            " classes. Give another model."
        )
    return best


def _has_channels_first(sizes: Sequence[int | None], stated: Description) -> bool | None:
    """Whether bands are the first of three sizes; None where these do not show it."""
    first, middle, last = sizes
    if stated.bands is not None and (first == stated.bands) != (last == stated.bands):
        return first == stated.bands
    if (first is None) != (last is None):
        return first is not None
    if first is None or first == last:
        return None
    return True if middle == last else False if first == middle else first < (last or 0)


def _classes_of(output: Any, tile: int) -> tuple[int | None, int | None, int] | None:
    """Channels, channel axis and reduction of an output; None where it holds no map."""
    shape = output.partial_shape
    if shape.is_dynamic or len(shape) not in (3, 4):
        return None
    sizes = [axis.get_length() for axis in shape]
    is_whole = not output.get_element_type().is_real()
    for axis in (1, 3) if len(sizes) == 4 else (None,):
        edges = [size for index, size in enumerate(sizes) if index not in (0, axis)]
        reduction, rest = divmod(tile, max(edges[0], 1))
        channels = 1 if axis is None else sizes[axis]
        fits = edges[0] == edges[1] and not rest and 1 <= reduction <= _LARGEST_REDUCTION
        if not fits or (is_whole and (channels != 1 or reduction != 1)) or not channels:
            continue
        return None if is_whole else channels, axis, reduction
    return None


def _name_of(port: Any, index: int) -> str:
    return min(port.get_names(), default=f"output {index + 1}")


def _explain(problem: str) -> str:
    """Explains in one sentence, with its cure, why OpenVINO does not read a file."""
    text = " ".join(problem.split())
    if "parse" in text:
        return "not an ONNX file, or cut off. Export it again."
    if "No conversion rule" in text:
        unknown = text.rpartition("operations:")[2].strip()[:100]
        return (
            f"OpenVINO does not know its operations {unknown}. Export it with operations of ONNX"
            " alone."
        )
    if "externally stored data" in text:
        unknown = text.rpartition("in file")[2].strip()[:100]
        return f"its weights {unknown} cannot be read. Copy that file into the same folder."
    return f"OpenVINO cannot read it: {text[:200]}. Export it again, with another opset."
