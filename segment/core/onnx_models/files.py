"""The files of an ONNX model: the network, weights that it keeps outside, and its description."""

import hashlib
import json
import mmap
import re
from pathlib import Path, PurePosixPath

from segment.core.errors import InputError, is_utf8, printable, quoted
from segment.core.model.folder import (
    INFO_FILE,
    MODEL_FILE,
    ONNX_FILE,
    check_files,
    load_model_info,
)
from segment.core.model.weight_files import checksum

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
