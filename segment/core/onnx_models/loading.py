"""Models of both kinds by their path: model folders, and ONNX files of others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.hub.download import model_folder
from segment.core.model.folder import INFO_FILE, MODEL_FILE, OPENVINO_FILES, check_files
from segment.core.model.folder import load_model_info as load_folder_info
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model
from segment.core.model.runtime import choose_runtime as choose_for_folder
from segment.core.model.runtime import identify as identify_folder
from segment.core.model.runtime import load_model as load_folder
from segment.core.model.weight_files import checksum
from segment.core.onnx_models.files import is_onnx
from segment.core.onnx_models.onnx_model import OnnxModel, describe_onnx, identify_onnx
from segment.core.onnx_models.opened import open_onnx
from segment.core.progress import Progress

Engine = Literal["keras", "openvino"]
"""What computes a model."""


def load_model(
    model: Path | str,
    runtime: Runtime = "auto",
    *,
    features: bool = False,
    cores: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """Loads a model folder, or an ONNX file.

    Args:
        model: Model folder that training wrote, one of a hub (hf://OWNER/NAME, see
            `model_folder`), or an ONNX file of a network that gives each pixel a class. Its
            metadata (as Deepness and geodeep define them) or FILE.yaml beside it describe it.
        runtime: What computes. "auto" takes Keras where there is a GPU for it, otherwise OpenVINO
            if the model folder has it, else Keras. ONNX files are always computed by OpenVINO.
        features: Whether `predict` returns features in place of probabilities: the input of a
            classifier's head, (batch, features), or the input of a segmentation network's decoder,
            (batch, rows, columns, features). Of model folders only.
        cores: Number of CPU cores for OpenVINO, by default all that this process may use.
        progress: Prints a note on files without a checksum.

    Returns:
        The model, ready to use.

    Raises:
        InputError: If there is no model, it is damaged, it has no form for the runtime, or an ONNX
            file and its description do not show how it is used.
    """
    model = model_folder(model)
    if not is_onnx(model):
        return load_folder(model, runtime, features=features, cores=cores, progress=progress)
    choose_runtime(Path(model), runtime)
    if features:
        raise InputError(f"{model}: features are those of model folders, not of ONNX files.")
    return OnnxModel(Path(model), cores)


def load_model_info(model: Path | str, exported: bool = True) -> ModelInfo:
    """Describes a model.

    Args:
        model: Model folder or ONNX file.
        exported: Whether the export of an ONNX file, where there is one, is described too. Without
            it, a damaged export does not matter.

    Returns:
        Content of `model.yaml`, or the same of an ONNX file.

    Raises:
        InputError: As `load_model`.
    """
    model = model_folder(model)
    if not is_onnx(model):
        return load_folder_info(model)
    return describe_onnx(model) if exported else open_onnx(model).info


def choose_runtime(model: Path, runtime: Runtime) -> Engine:
    """Chooses what computes a model, see `segment.core.model.runtime.choose_runtime`.

    Args:
        model: Model folder or ONNX file.
        runtime: What the user asks for.

    Returns:
        "keras" or "openvino".

    Raises:
        InputError: If the model has no form for the runtime.
    """
    if not is_onnx(model):
        return choose_for_folder(model, runtime)
    if runtime not in ("auto", "openvino"):
        raise InputError(
            f"{model}: ONNX files are computed by openvino, not {runtime}. Leave --runtime out."
        )
    return "openvino"


def identify(model: Path, engine: Engine) -> tuple[str, str]:
    """Returns the identity and runtime of a model.

    Args:
        model: Model folder or ONNX file.
        engine: What would compute.

    Returns:
        `identity` and `runtime` that the loaded model would have, see `Model`.
    """
    if is_onnx(model):
        return identify_onnx(describe_onnx(model))
    return identify_folder(model, engine)


def check_model(
    model: Path, info: ModelInfo, engine: Engine, progress: Progress | None = None
) -> None:
    """Compares the files of a model with its checksums; those of ONNX files are made of them.

    Args:
        model: Model folder or ONNX file.
        info: Its description.
        engine: What computes.
        progress: Prints a note on files without a checksum.

    Raises:
        InputError: If a file is missing or damaged.
    """
    if not is_onnx(model):
        check_files(model, info, _files(engine), progress)


def model_checksums(model: Path, engine: Engine) -> Mapping[str, str]:
    """Computes the digests of all files that a result depends on.

    Args:
        model: Model folder or ONNX file.
        engine: What computes.

    Returns:
        SHA-256 by file name.

    Raises:
        OSError: If a file of a model folder is missing.
        InputError: If an ONNX file is missing or cannot be used.
    """
    if is_onnx(model):
        return describe_onnx(model).checksums
    return {name: checksum(model / name) for name in (INFO_FILE, *_files(engine))}


def _files(engine: Engine) -> tuple[str, ...]:
    return OPENVINO_FILES if engine == "openvino" else (MODEL_FILE,)
