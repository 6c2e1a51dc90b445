"""The files of an ONNX model: network, weights outside of it, description, and export to int8."""

import hashlib
import json
import mmap
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from segment.core.config import Settings
from segment.core.errors import InputError, brief, is_utf8, printable, quoted
from segment.core.model.conversion import import_openvino
from segment.core.model.folder import (
    INFO_FILE,
    MODEL_FILE,
    ONNX_FILE,
    check_files,
    load_model_info,
)
from segment.core.model.info import ModelInfo, OpenVinoInfo
from segment.core.model.weight_files import checksum
from segment.core.yaml_text import read_yaml

ONNX = ".onnx"
_LOCATION = re.compile(rb"\x6a.{1,2}\x0a\x08location\x12", re.DOTALL)
"""How the place of weights outside the file begins in protobuf: field 13 of a tensor, and a key."""


def is_onnx(path: Path | str) -> bool:
    """Checks whether a path is that of an ONNX file, by its ending.

    Args:
        path: Model folder or ONNX file.

    Returns:
        Whether it ends in .onnx.
    """
    return Path(path).suffix.lower() == ONNX


def description_file(file: Path) -> Path | None:
    """Finds the description beside an ONNX file.

    Args:
        file: The ONNX file.

    Returns:
        FILE.yaml or FILE.yml; None where there is neither. The `model.yaml` of a model folder
        describes that model, and not the ONNX file that was exported from it.
    """
    beside = [file.with_suffix(end) for end in (".yaml", ".yml")]
    return next(
        (found for found in beside if found.is_file() and not _is_model_info(found)),
        None,
    )


def _is_model_info(path: Path) -> bool:
    return path.name == INFO_FILE and (path.parent / MODEL_FILE).is_file()


def export_folder(file: Path) -> Path:
    """Returns the folder for the OpenVINO export of an ONNX file.

    Args:
        file: The ONNX file.

    Returns:
        FILE_openvino, which exists only if the file was exported.
    """
    return file.with_name(f"{file.stem}_openvino")


def source_checksums(file: Path) -> dict[str, str]:
    """Computes the digests of all files that an ONNX model consists of.

    Args:
        file: The ONNX file.

    Returns:
        SHA-256 by file name: of the file, of weights outside it, and of its description.

    Raises:
        InputError: If the file does not exist, its path is not UTF-8, a file of weights is missing
            or in another folder, or it is the export of a model folder that lists another checksum.
    """
    if not is_utf8(file):
        raise InputError(f"{printable(file)}: path is not UTF-8. Rename the file.")
    if not file.is_file():
        problem = "is a folder, not an ONNX file" if file.is_dir() else "there is no such file"
        raise InputError(f"{file}: {problem}. Give the path of an ONNX file.")
    if file.name == ONNX_FILE and _is_model_info(file.with_name(INFO_FILE)):
        check_files(file.parent, load_model_info(file.parent), [ONNX_FILE])
    described = description_file(file)
    weights = [file.parent / name for name in outside_weights(file)]
    files = [file, *weights, *([described] if described else [])]
    return {str(found.relative_to(file.parent)): checksum(found) for found in files}


def outside_weights(file: Path) -> list[str]:
    """Lists the files in which an ONNX file keeps weights.

    Args:
        file: The ONNX file.

    Returns:
        Paths relative to its folder, in order.

    Raises:
        InputError: If one is missing or in another folder.
    """
    found = set()
    for place in _locations(file):
        name = place.decode(errors="replace")
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise InputError(
                f"{file}: keeps weights in {quoted(name)}, which is outside of its folder. Export"
                " it again with its weights beside it."
            )
        if not printable(name) == name or not (file.parent / name).is_file():
            raise InputError(
                f"{file}: its weights are in {quoted(name)}, which is not beside it. Copy that"
                " file into the same folder."
            )
        found.add(name)
    return sorted(found)


def digest(checksums: dict[str, str]) -> str:
    """Combines the digests of files.

    Args:
        checksums: SHA-256 by file name.

    Returns:
        SHA-256 of all of them.
    """
    return hashlib.sha256(json.dumps(checksums, sort_keys=True).encode()).hexdigest()


def _locations(file: Path) -> list[bytes]:
    """Returns the places of all weights outside the file."""
    if not file.stat().st_size:
        return []
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
        places = []
        for match in _LOCATION.finditer(text):
            length, shift, position = 0, 0, match.end()
            while position < len(text) and shift < 21:
                byte = text[position]
                length |= (byte & 127) << shift
                position, shift = position + 1, shift + 7
                if byte < 128:
                    break
            places.append(bytes(text[position : position + min(length, 4096)]))
    return places


EXPORT_FILE, NETWORK_FILES = "export.yaml", ("model.xml", "model.bin")

_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class OnnxExport(Settings):
    """Content of `export.yaml` in the folder of an export.

    Attributes:
        openvino: Precision, data and scores of the export.
        made_of: SHA-256 of the files of the ONNX model, by name.
        checksums: SHA-256 of the files in the folder, by name.
    """

    openvino: OpenVinoInfo
    made_of: dict[str, _Digest]
    checksums: dict[str, _Digest]


def load_export(file: Path, made_of: dict[str, str]) -> OnnxExport | None:
    """Reads and checks the export of an ONNX file.

    Args:
        file: The ONNX file.
        made_of: Digests of the files that the model consists of now.

    Returns:
        The export; None where there is none.

    Raises:
        InputError: If the export is damaged, or of another state of these files.
    """
    folder = export_folder(file)
    if not (folder / EXPORT_FILE).is_file():
        return None
    cure = f"Delete the folder, or export again: segment-export {file} --int8 TILES --overwrite"
    try:
        export = OnnxExport.model_validate(read_yaml(folder / EXPORT_FILE))
        found = {name: checksum(folder / name) for name in NETWORK_FILES}
    except (OSError, yaml.YAMLError, ValidationError, ValueError) as error:
        raise InputError(f"{folder}: is damaged or not complete. {cure}") from error
    if found != export.checksums:
        raise InputError(f"{folder}: a file is damaged or was exchanged. {cure}")
    if export.made_of != made_of:
        raise InputError(f"{folder}: was made when {file.name} or its description differed. {cure}")
    return export


def read_network(path: Path, info: ModelInfo) -> Any:
    """Reads the OpenVINO network of an export.

    Args:
        path: Its file, `model.xml`.
        info: Description of the model.

    Returns:
        The network.

    Raises:
        InputError: If it cannot be read, or has other bands or classes.
    """
    try:
        network = import_openvino().Core().read_model(path)
        pixels, output = network.input().partial_shape, network.output().partial_shape
        sizes = pixels[3].get_length(), output[3].get_length()
    except (RuntimeError, IndexError) as error:
        raise InputError(f"{path}: cannot be read: {brief(error)}. Delete its folder.") from error
    if sizes != (info.bands, info.class_count):
        raise InputError(
            f"{path}: has {sizes[0]} bands and {sizes[1]} classes, {info.name} {info.bands} and"
            f" {info.class_count}. Delete its folder."
        )
    return network
