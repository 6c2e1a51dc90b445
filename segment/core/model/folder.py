"""Model folders: a network and all that is needed to use it."""

import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from segment.core.errors import DAMAGE, InputError, quoted
from segment.core.model.info import ModelInfo
from segment.core.model.weight_files import checksum, read_keras_model, save_keras_model
from segment.core.outputs import staged, staged_files
from segment.core.pixels.novelty import NOVELTY_FILE as NOVELTY_FILE
from segment.core.progress import Progress
from segment.core.yaml_text import read_yaml

if TYPE_CHECKING:
    import keras

MODEL_FILE, INFO_FILE, OPENVINO_FOLDER, ONNX_FILE = (
    "model.keras",
    "model.yaml",
    "openvino",
    "model.onnx",
)
OPENVINO_FILES = (f"{OPENVINO_FOLDER}/model.xml", f"{OPENVINO_FOLDER}/model.bin")
RECORD_FILE = "tiles.npz"
"""See `segment.core.model.record`."""


def openvino_file(folder: Path) -> Path:
    """Returns the path of a model folder's OpenVINO network.

    Args:
        folder: Model folder.

    Returns:
        Path of the `.xml` file, which exists only if the model was exported.
    """
    return folder / OPENVINO_FOLDER / "model.xml"


def save_model_folder(folder: Path, model: "keras.Model", info: ModelInfo) -> None:
    """Writes `model.keras` and `model.yaml` into an existing folder.

    Both are written or none: if the process is killed between them, `finish_moving` of their names
    completes the folder. Exports of an earlier model are removed.

    Args:
        folder: Model folder.
        model: Network to save.
        info: Description of the model. Versions and checksums are filled in, and `openvino` is
            cleared.
    """
    versions = {
        name: version(name) for name in ("aerial-segment", "keras", "segmentation-models", "numpy")
    }
    with staged_files(folder, (MODEL_FILE, INFO_FILE), overwrite=True) as stage:
        checksums = {MODEL_FILE: save_keras_model(stage.new / MODEL_FILE, model)}
        new = {"versions": versions, "openvino": None, "checksums": checksums}
        save_model_info(stage.new, info.model_copy(update=new))
    remove_exports(folder)


def remove_exports(folder: Path) -> None:
    """Removes the exports of an earlier model.

    Args:
        folder: Model folder.
    """
    shutil.rmtree(folder / OPENVINO_FOLDER, ignore_errors=True)
    (folder / ONNX_FILE).unlink(missing_ok=True)


def save_model_info(folder: Path, info: ModelInfo) -> None:
    """Writes `model.yaml`, completely or not at all, and replaces an existing one.

    Args:
        folder: Model folder.
        info: Description of the model.
    """
    with staged(folder / INFO_FILE, overwrite=True) as partial:
        partial.write_text(yaml.safe_dump(info.model_dump(mode="json"), sort_keys=False))


def load_model_info(folder: Path) -> ModelInfo:
    """Reads `model.yaml` of a model folder.

    Args:
        folder: Model folder.

    Returns:
        Description of the model.

    Raises:
        InputError: If the folder is no model folder, or its `model.yaml` is damaged.
    """
    if folder.suffix.lower() == ".onnx":
        raise InputError(
            f"{folder}: ONNX files are taken by segment-predict, segment-evaluate and"
            " segment-export. Give a model folder here."
        )
    if not folder.exists():
        raise InputError(
            f"{folder}: no such model folder. Check the path; the bundled model is used where"
            " --model is left out."
        )
    missing = [name for name in (MODEL_FILE, INFO_FILE) if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder}: not a model folder, it holds no {' and no '.join(missing)}. Give the folder"
            " that training wrote."
        )
    try:
        info = ModelInfo.model_validate(read_yaml(folder / INFO_FILE))
        if info.versions:  # the last entry of the file
            return info
        raise ValueError("no versions, the file was cut off")
    except (yaml.YAMLError, ValueError) as error:
        problem = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            place, problem = ".".join(map(str, first["loc"])), first["msg"]
            problem = problem.removeprefix("Value error, ")
            if place:  # else the problem names it, of what does not fit together
                problem = f"{place}: {problem}, {quoted(first['input'])}"
        raise InputError(
            f"{folder / INFO_FILE}: not as training wrote it: {problem}. Restore the file."
        ) from error


def check_files(
    folder: Path, info: ModelInfo, names: Sequence[str], progress: Progress | None = None
) -> None:
    """Compares files of a model folder with the checksums in its `model.yaml`.

    Args:
        folder: Model folder.
        info: Content of its `model.yaml`.
        names: Paths of the files relative to the folder.
        progress: Prints a note on files without a checksum.

    Raises:
        InputError: If a file is missing, or is not the one that was written.
    """
    for name in names:
        file, wanted = folder / name, info.checksums.get(name)
        again = {ONNX_FILE: " --format onnx"} | dict.fromkeys(OPENVINO_FILES, "")
        cure = (
            f"Export it again: {info.task}-export {folder}{again[name]} --overwrite"
            if name in again
            else "Restore the file."
        )
        if not file.is_file():
            raise InputError(f"{file}: is missing, but listed in {INFO_FILE}. {cure}")
        if wanted and (found := checksum(file)) != wanted:
            raise InputError(
                f"{file}: is damaged, or of another model: its SHA-256 begins with {found[:16]},"
                f" in {INFO_FILE} with {wanted[:16]}. {cure}"
            )
    unchecked = [name for name in names if name not in info.checksums]
    if unchecked and progress:
        progress.say(
            f"note: {folder / INFO_FILE} has no checksum of {', '.join(unchecked)}: damage would"
            " not be noticed. An export of the model adds them."
        )


def with_network(given: Any, task: str, keys: Sequence[str]) -> Any:
    """Adds the network to settings whose weights come from a model folder.

    Args:
        given: Settings of the model to train, before they are validated.
        task: Task of the model.
        keys: Names of the settings that make up the name of a model, in their order.

    Returns:
        The settings, with those of the network where `weights` is the folder of a model of this
        task. What is given has priority.

    Raises:
        InputError: If the description of the model cannot be read.
    """
    weights = given.get("weights") if isinstance(given, dict) else None
    if not isinstance(weights, str) or not Path(weights, INFO_FILE).is_file():
        return given
    info = load_model_info(Path(weights))
    parts = info.name.split("/")
    fits = info.task == task and len(parts) == len(keys)
    return dict(zip(keys, parts, strict=True)) | given if fits else given


def weights_source(weights: str, bundled: Path, backbone: str) -> str:
    """Returns where the weights that settings name are read from.

    Args:
        weights: What the settings name; "bundled" for those of the bundled model.
        bundled: Model folder of the bundled model.
        backbone: Backbone that the settings ask for.

    Returns:
        Path of the bundled `model.keras`, or else `weights`.

    Raises:
        InputError: If the bundled model has another backbone, or its file is missing or damaged.
    """
    if weights != "bundled":
        return weights
    info = load_model_info(bundled)
    check_files(bundled, info, [MODEL_FILE])
    if backbone not in info.name.split("/"):
        raise InputError(
            f"model.weights: the bundled model is {info.name}, model.backbone is {backbone}. Leave"
            " model.backbone out."
        )
    return str(bundled / MODEL_FILE)


def load_keras_model(folder: Path, progress: Progress | None = None) -> "keras.Model":
    """Loads `model.keras` of a model folder, in safe mode.

    Args:
        folder: Model folder.
        progress: Prints a note if the file has no checksum.

    Returns:
        The network, not compiled.

    Raises:
        InputError: If the file cannot be read, or is not the one that was written.
    """
    check_files(folder, load_model_info(folder), [MODEL_FILE], progress)
    try:
        return read_keras_model(folder / MODEL_FILE)
    except DAMAGE as error:
        problem = str(error).split("\n")[0][:200]
        raise InputError(
            f"{folder / MODEL_FILE}: cannot be read as a Keras 3 model: {problem}. Restore the"
            " file."
        ) from error
