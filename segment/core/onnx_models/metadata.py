"""Metadata of ONNX files, as Deepness, a plugin of QGIS, and geodeep define them.

https://qgis-plugin-deepness.readthedocs.io/en/latest/creators/creators_add_metadata_to_model.html
"""

import ast
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segment.core.errors import InputError, quoted
from segment.core.onnx_models.description import Description

_BYTE = (0, 255)
"""Deepness feeds (pixels / 255 - mean) / std."""


def read_metadata(
    texts: Mapping[str, str], stated: Description, file: Path
) -> tuple[dict[str, Any], list[str]]:
    """Reads metadata of Deepness and geodeep.

    Args:
        texts: Values by their keys.
        stated: What the YAML file beside the ONNX file states: such metadata are not read.
        file: The ONNX file, for errors.

    Returns:
        Values by the attributes of `Description`, and notes on what is not used.

    Raises:
        InputError: If the network does something else than `Segmentor`, or a value is not valid.
    """
    found = {key: _value(text) for key, text in texts.items() if key in _KNOWN}
    kind = str(found.get("model_type", "Segmentor"))
    if kind.casefold() != "segmentor":
        raise InputError(
            f"{file}: model_type is {quoted(kind, 40)}, but maps need a Segmentor, which gives each"
            " pixel a class. Give another model."
        )
    # a mean of pixels divided by 255 is small, but for those of another data type
    of_other_types = {} if found.get("dtype", "uint8") == "uint8" else {"range": _BYTE}
    given: dict[str, Any] = {}
    for key, value in found.items():
        if key not in _ATTRIBUTES:
            continue
        attribute, convert = _ATTRIBUTES[key]
        by_hand = stated.normalises if attribute in ("mean", "std") else False
        if by_hand or getattr(stated, attribute) is not None:
            continue
        try:
            given[attribute] = convert(value)
            Description.model_validate({attribute: given[attribute]} | of_other_types)
        except (ValidationError, ValueError, TypeError, ArithmeticError) as error:
            raise InputError(
                f"{file}: its metadata {key} is {quoted(value, 80)}, which cannot be read. State"
                f" {attribute} in {file.stem}.yaml beside it."
            ) from error
    notes = []
    if found and not stated.normalises:
        given["range"] = _BYTE
        if "mean" not in given and "std" not in given:
            notes.append("Pixels are divided by 255, as Deepness does where no mean is stated.")
    if left_out := [key for key in ("tiles_overlap", "seg_small_segment") if found.get(key)]:
        notes.append(f"Its metadata has what is not used: {', '.join(left_out)}.")
    return given, notes


def _names(value: Any) -> list[str]:
    """Names in order, from {"0": name, "1": name} or a list."""
    if isinstance(value, dict):
        numbers = sorted((int(key), str(name)) for key, name in value.items())
        if [number for number, _ in numbers] != list(range(len(numbers))):
            raise ValueError("numbers with gaps")
        return [name for _, name in numbers]
    if not isinstance(value, list):
        raise TypeError("not a list")
    return [str(name) for name in value]


def _metres(centimetres: Any) -> float:
    return float(centimetres) / 100


def _numbers(value: Any) -> list[float]:
    return [float(one) for one in value] if isinstance(value, list | tuple) else [float(value)]


def _threshold(value: Any) -> float | None:
    """The threshold; None for 0 and 1, which leave the decision to the probabilities."""
    return float(value) if 0 < float(value) < 1 else None


def _same(value: Any) -> Any:
    return value


def _value(text: str) -> Any:
    """The value of a metadata entry: JSON, a Python literal, or else the text itself."""
    if len(text) > 100_000:
        raise InputError(f"ONNX metadata of {len(text):,} characters. Give another file.")
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
    return text


_ATTRIBUTES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "names": ("classes", _names),
    "class_names": ("classes", _names),
    "resolution": ("gsd", _metres),
    "tiles_size": ("tile", int),
    "tile_size": ("tile", int),
    "standardization_mean": ("mean", _numbers),
    "standardization_std": ("std", _numbers),
    "seg_thresh": ("threshold", _threshold),
    # written by segment-export
    "dtype": ("dtype", _same),
    "preprocess": ("preprocess", _same),
}
_KNOWN = {*_ATTRIBUTES, "model_type", "tiles_overlap", "seg_small_segment"}
