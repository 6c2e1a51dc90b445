"""An ONNX file as a model: its description, and its network from pixels to probabilities."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from segment.core.common_settings import PreprocessSettings
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.onnx_models.activation import choose_activation, probe
from segment.core.onnx_models.class_names import choose_classes, choose_threshold
from segment.core.onnx_models.description import Description
from segment.core.onnx_models.files import description_file, source_checksums
from segment.core.onnx_models.graph import (
    InputAxes,
    find_input_axes,
    find_output_axes,
    metadata_of,
    read_graph,
)
from segment.core.onnx_models.metadata import read_metadata
from segment.core.onnx_models.pixels import (
    with_normalisation,
    with_output,
    with_probabilities,
    without_argmax,
)

_FREE_TILE = 256
"""Edge in pixels of the tiles on which a network of free size is tried, and scored."""

_ENOUGH = 512
"""Edge in pixels of tiles from which on the usual overlap leaves no seams, see docs/tiles.md."""

_MULTIPLE = 32
"""Encoders reduce images by this factor at most, with few exceptions."""

_ELEMENT_TYPES = {"u8": "uint8", "u16": "uint16", "i16": "int16"}

_UNKNOWN_TRAINING = (
    "An ONNX file does not hold what its model was trained on, so scenes unlike its training images"
    " are not recognised."
)


@dataclass(frozen=True)
class OpenedModel:
    """An ONNX file that was read and checked.

    Attributes:
        info: Description of the model, as model folders have one.
        network: OpenVINO network of (1, rows, columns, bands) in the dtype of `info`, with the
            output (1, rows, columns, classes) in float32; `reshape` sets rows and columns.
        gives_labels: Whether the network itself gives class numbers, without probabilities.
    """

    info: ModelInfo
    network: Any
    gives_labels: bool


def open_onnx(file: Path) -> OpenedModel:
    """Reads an ONNX file, and what is stated of it.

    What the YAML file beside it states comes before the metadata in it. The result is kept as long
    as the files are the same.

    Args:
        file: The ONNX file.

    Returns:
        The model.

    Raises:
        InputError: If the file cannot be used as a model of land cover, or something that the graph
            does not show is stated nowhere.
    """
    return _open(file.absolute(), tuple(source_checksums(file).items()))


@lru_cache(maxsize=2)
def _open(file: Path, checksums: tuple[tuple[str, str], ...]) -> OpenedModel:
    try:
        return _read(file, dict(checksums))
    except (RuntimeError, MemoryError) as error:  # of OpenVINO, at any step
        problem = " ".join(str(error).split())[-200:]
        raise InputError(
            f"{file}: OpenVINO cannot use it: {problem}. Export it again, with another opset."
        ) from error


def _read(file: Path, checksums: dict[str, str]) -> OpenedModel:
    graph = read_graph(file)
    own = load_settings(Description, description_file(file))
    metadata, notes = read_metadata(metadata_of(graph), own, file)
    stated = own.completed(metadata)
    axes = find_input_axes(graph, stated.model_copy(update={"tile": own.tile}), file)
    if axes.tile and stated.tile not in (None, axes.tile):
        notes.append(f"Its metadata state tiles of {stated.tile} pixels, it takes {axes.tile}.")
    _check_normalisation(axes, stated, file)
    dtype = stated.dtype or _ELEMENT_TYPES.get(axes.element) or _assumed_type(stated, notes)
    network, had_argmax = without_argmax(with_normalisation(graph, axes, stated, dtype))
    if had_argmax:
        notes.append("The argmax at its end is left out, so that overlapping tiles can be blended.")
    tile = axes.tile or stated.tile or _FREE_TILE
    sized = _resized(network, tile, axes.bands, file)
    found = find_output_axes(sized, tile, stated, len(stated.classes or ()) or None, file)
    if found.others and stated.output is None:
        notes.append(
            f"Of its outputs, {found.name} is used, not {', '.join(found.others)[:100]}. If that is"
            f" wrong, write output: NAME into {file.stem}.yaml."
        )
    if found.reduction > 1:
        notes.append(
            f"Its output is {found.reduction} times smaller than its tiles along each axis, and is"
            " enlarged."
        )
    classes = choose_classes(found, stated, notes, file)
    network = with_output(network, found)
    values = _values(dtype, stated)
    activation = stated.activation or "none"
    if found.channels is None:
        notes.append(
            "It gives classes without probabilities: where tiles overlap, they vote, and the"
            " confidence is the share of their votes."
        )
    else:
        probed = probe(with_output(sized, found), tile, values, file)
        activation, note = choose_activation(found.channels, probed, stated.activation, file)
        notes += [note] if note else []
    threshold = choose_threshold(found, stated, notes)
    learned = len([one for one in classes if not one.ignore])
    network = with_probabilities(network, found, activation, learned, threshold)
    is_fixed = bool(axes.tile or stated.tile)
    if is_fixed and tile < _ENOUGH:
        notes.append(
            f"Its tiles have {tile} pixels: with --overlap 0.5, seams between them are less likely."
        )
    _check_scenes(axes, stated, dtype, file)
    gsd = stated.gsd if isinstance(stated.gsd, tuple | None) else (stated.gsd, stated.gsd)
    info = ModelInfo(
        task="segment",
        name=stated.name or file.name,
        classes=classes,
        bands=axes.bands,
        dtype=dtype,
        range=values,
        scale=stated.scale,
        band_names=stated.band_names or [],
        tile=tile,
        multiple=stated.multiple or (1 if is_fixed else _MULTIPLE),
        fixed_tile=is_fixed,
        ground_sampling_distance=gsd and (stated.resample_to or float(np.sqrt(gsd[0] * gsd[1]))),
        ground_sampling_range=gsd,
        notes=[_UNKNOWN_TRAINING, *notes],
        checksums=checksums,
        versions={"openvino": version("openvino")},
        preprocess=stated.preprocess or PreprocessSettings(),
    )
    return OpenedModel(info, network, found.channels is None)


def _check_normalisation(axes: InputAxes, stated: Description, file: Path) -> None:
    """Refuses normalisation that is not stated, or that does not fit the input."""
    name = f"{file.stem}.yaml"
    if not axes.element.startswith(("f", "bf")):
        if stated.mean or stated.std:
            raise InputError(
                f"{file}: mean and std are stated, but the network takes whole numbers"
                f" ({axes.element}). Leave them out of {name}."
            )
        return
    if not stated.normalises:
        raise InputError(
            f"{file}: how its pixels are normalised is stated neither in its metadata nor beside"
            f" it. Write range: [0, 255] into {name} for pixels divided by 255 ([0, 1] for pixels"
            " as they are), and mean and std where there are some."
        )
    for key in ("mean", "std"):
        values = getattr(stated, key)
        if values and len(values) not in (1, axes.bands):
            raise InputError(
                f"{file}: {key} has {len(values)} values, but the network has {axes.bands} bands."
                f" Correct {key} in {name}."
            )


def _check_scenes(axes: InputAxes, stated: Description, dtype: str, file: Path) -> None:
    """Refuses what is stated of scenes and does not fit the network, or nothing else stated."""
    if stated.resample_to is not None and stated.gsd is None:
        raise InputError(
            f"{file}: resample_to is stated without gsd. Write gsd: [SMALLEST, LARGEST] into"
            f" {file.stem}.yaml, or gsd alone."
        )
    counts = {"band_names": len(stated.band_names or ())}
    counts["scale"] = len(stated.scale.low) if stated.scale else 0
    for key, count in counts.items():
        if count not in (0, axes.bands):
            raise InputError(
                f"{file}: {key} is for {count} bands, but the network has {axes.bands}. Correct"
                f" {key} in {file.stem}.yaml."
            )
    if stated.scale and dtype != "uint8":
        raise InputError(
            f"{file}: scale brings pixels to uint8, but the network takes {dtype}. Leave scale out"
            f" of {file.stem}.yaml."
        )


def _assumed_type(stated: Description, notes: list[str]) -> str:
    """The data type of pixels that are normalised; 0 to 255 is that of 8 bits."""
    of_range: dict[tuple[float, float] | None, str] = {(0, 255): "uint8", (0, 65_535): "uint16"}
    if stated.range in of_range:
        return of_range[stated.range]
    notes.append("Its pixels are taken for uint8, as no dtype is stated.")
    return "uint8"


def _resized(network: Any, tile: int, bands: int, file: Path) -> Any:
    """A copy of a network for one tile of a size."""
    copy = network.clone()
    try:
        copy.reshape([1, tile, tile, bands])
    except RuntimeError as error:
        problem = " ".join(str(error).split())[-150:]
        raise InputError(
            f"{file}: the network cannot take one tile of {tile} pixels: {problem}. Export it for a"
            f" batch of one, or state tile in {file.stem}.yaml."
        ) from error
    return copy


def _values(dtype: str, stated: Description) -> tuple[float, float]:
    """Smallest and largest value of pixels."""
    if dtype == "float32":
        return stated.range or (0.0, 1.0)
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)
