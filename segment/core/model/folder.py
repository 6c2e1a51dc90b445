"""Model folders: a network and all that is needed to use it."""

import shutil
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import yaml
from pydantic import ValidationError

from segment.core.errors import InputError, quoted
from segment.core.model.info import ModelInfo
from segment.core.model.weight_files import checksum, require_finite, require_small_zip
from segment.core.outputs import staged
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
NOVELTY_FILE = "novelty.npz"
"""See `segment.mapping.novelty`."""


RULE = "a model folder is written by one process."


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

    Each file is written completely or not at all. Exports of an earlier model are removed.

    Args:
        folder: Model folder.
        model: Network to save.
        info: Description of the model. Versions and checksums are filled in, and `openvino` is
            cleared.
    """
    versions = {
        name: version(name) for name in ("aerial-segment", "keras", "segmentation-models", "numpy")
    }
    checksums = {MODEL_FILE: save_keras_model(folder / MODEL_FILE, model)}
    save_model_info(
        folder,
        info.model_copy(update={"versions": versions, "openvino": None, "checksums": checksums}),
    )
    remove_exports(folder)


def remove_exports(folder: Path) -> None:
    """Removes the exports of an earlier model.

    Args:
        folder: Model folder.
    """
    shutil.rmtree(folder / OPENVINO_FOLDER, ignore_errors=True)
    (folder / ONNX_FILE).unlink(missing_ok=True)


def save_keras_model(file: Path, model: "keras.Model") -> str:
    """Writes a `.keras` file, completely or not at all, and replaces an existing one.

    Args:
        file: File to write.
        model: Network to save.

    Returns:
        SHA-256 of the file, 64 hexadecimal digits.
    """
    with staged(file, overwrite=True) as partial:
        whole = partial.with_name(f"{partial.name}.keras")  # Keras requires this suffix
        try:
            model.save(whole)
            whole.rename(partial)
        finally:
            whole.unlink(missing_ok=True)
        written = checksum(partial)
    return written


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
    if not (folder / INFO_FILE).is_file() or not (folder / MODEL_FILE).is_file():
        raise InputError(
            f"{folder}: a model folder holds {MODEL_FILE} and {INFO_FILE}. Received neither or one."
            " Give the folder that training wrote."
        )
    try:
        info = ModelInfo.model_validate(read_yaml(folder / INFO_FILE))
        if info.versions:  # the last entry of the file
            return info
        raise ValueError("no versions: it was cut off")
    except (yaml.YAMLError, ValueError) as error:
        problem = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            problem = (
                f"{place}: {first['msg'].removeprefix('Value error, ')}, {quoted(first['input'])}"
            )
        raise InputError(
            f"{folder / INFO_FILE}: must be as training wrote it. Received: {problem}. Restore it."
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
        cure = (
            f"Export it again: {info.task}-export {folder} --overwrite"
            if name in OPENVINO_FILES
            else "Restore it."
        )
        if not file.is_file():
            raise InputError(f"{file}: is missing, {INFO_FILE} says that the model has it. {cure}")
        if wanted and (found := checksum(file)) != wanted:
            raise InputError(
                f"{file}: is damaged, or of another model. Its SHA-256 begins with {found[:16]}, in"
                f" {INFO_FILE} with {wanted[:16]}. {cure}"
            )
    unchecked = [name for name in names if name not in info.checksums]
    if unchecked and progress:
        progress.say(
            f"note: {folder / INFO_FILE} has no checksum of {', '.join(unchecked)}: damage would"
            " not be noticed. An export of the model adds them."
        )


def bundled_weights(folder: Path, backbone: str) -> str:
    """Returns the file from which the weights of a bundled model are read.

    Args:
        folder: Model folder of the bundled model.
        backbone: Backbone that the settings ask for.

    Returns:
        Path of its `model.keras`.

    Raises:
        InputError: If the model has another backbone, or its file is missing or damaged.
    """
    info = load_model_info(folder)
    name = info.name
    check_files(folder, info, [MODEL_FILE])
    if backbone not in name.split("/"):
        raise InputError(
            f"model.weights: the bundled model is {name}. Received backbone {backbone}. Leave"
            " model.backbone out."
        )
    return str(folder / MODEL_FILE)


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
    # TypeError is raised for layers that Keras lacks.
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
        problem = str(error).split("\n")[0][:200]
        raise InputError(
            f"{folder / MODEL_FILE}: must be a whole Keras 3 model. Received: {problem}."
            " Restore it."
        ) from error


def read_keras_model(file: Path) -> "keras.Model":
    """Loads a `.keras` file, in safe mode.

    Args:
        file: File to read.

    Returns:
        The network, not compiled.

    Raises:
        OSError: If the file cannot be read, or is damaged.
        BadZipFile: If the file is no ZIP archive, or is damaged.
        ValueError: If the file unpacks to more than a network can hold, has weights that are not
            finite, or is damaged.
        TypeError: If the network has layers that Keras lacks, or the file is damaged.
        KeyError: If the file is damaged.
        EOFError: If the file is damaged.
    """
    import keras

    require_small_zip(file)
    with ZipFile(file) as archive:  # Keras would report a damaged file as "not found"
        if broken := archive.testzip():
            raise BadZipFile(f"{broken} is damaged")
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, EOFError):
        raise
    except Exception as error:  # each backend raises its own error when memory runs out
        raise ValueError(
            f"its network is too large, too deeply nested or damaged ({type(error).__name__})"
        ) from error
    require_finite((weight.path, keras.ops.convert_to_numpy(weight)) for weight in model.weights)
    return model


def see_inside(
    network: "keras.Model", choose: Callable[["keras.Model"], Any], pixels: Any = None
) -> "keras.Model":
    """Builds a network that ends at tensors of the model inside it, a backbone or a U-Net.

    The layers before the inner model stay.

    Args:
        network: Network as written by training.
        choose: Picks the tensors of the inner model, which it is called with.
        pixels: Keras input that replaces the network's own, for instance one of another dtype.

    Returns:
        A network from pixels to the chosen tensors, which shares its layers with `network`.
    """
    import keras

    inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    x = pixels = network.inputs[0] if pixels is None else pixels
    for layer in network.layers[1 : network.layers.index(inner)]:  # normalisation
        x = layer(x)
    return keras.Model(pixels, keras.Model(inner.inputs, choose(inner))(x))
