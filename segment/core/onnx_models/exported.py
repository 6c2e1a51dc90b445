"""The folder FILE_openvino: an ONNX model in int8, and what it was made of."""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from segment.core.config import Settings
from segment.core.errors import InputError, brief
from segment.core.model.conversion import import_openvino
from segment.core.model.info import ModelInfo, OpenVinoInfo
from segment.core.model.weight_files import checksum
from segment.core.onnx_models.files import export_folder
from segment.core.yaml_text import read_yaml

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
