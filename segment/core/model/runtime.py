"""Inference: class probabilities from pixels, computed by Keras or OpenVINO."""

from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.model.backend import has_gpu, load_keras, may_have_gpu
from segment.core.model.folder import (
    MODEL_FILE,
    OPENVINO_FILES,
    check_files,
    load_model_info,
    openvino_file,
)
from segment.core.model.info import ModelInfo
from segment.core.model.keras_model import KerasModel, identify_keras
from segment.core.model.openvino_model import OpenVinoModel, identify_openvino
from segment.core.progress import Progress


class Model(Protocol):
    """A trained model, ready to use with either runtime.

    Attributes:
        info: Content of its `model.yaml`.
        runtime: Description of what computes, such as "keras on tensorflow".
        identity: Text that differs from that of any other model.
    """

    info: ModelInfo
    runtime: str
    identity: str

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Computes the class probabilities of a batch.

        It may be called from several threads.

        Args:
            pixels: (batch, rows, columns, bands) in the model's dtype, preprocessed by
                `info.preprocess` (see `preprocess`).

        Returns:
            Output of the network, float32: (batch, rows, columns, classes), or (batch, classes)
            for scene labels.
        """

    def recommended_batches(self, tile: int) -> tuple[int, int]:
        """Recommends how to call `predict`.

        Args:
            tile: Edge of a tile in pixels.

        Returns:
            Number of tiles for each call, and number of threads to call from.
        """


def load_model(
    folder: Path | str,
    runtime: Runtime = "auto",
    *,
    features: bool = False,
    cores: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """Loads a model folder.

    Args:
        folder: Model folder.
        runtime: What computes. "auto" takes Keras where there is a GPU for it, otherwise OpenVINO
            if the model folder has it, else Keras.
        features: Whether `predict` returns features in place of probabilities: the input of a
            classifier's head, (batch, features), or the input of a segmentation network's decoder,
            (batch, rows, columns, features).
        cores: Number of CPU cores for OpenVINO, by default all that this process may use.
        progress: Prints a note on files without a checksum.

    Returns:
        The model, ready to use.

    Raises:
        InputError: If the folder is no model folder, is damaged, or has no form for the runtime.
    """
    folder = Path(folder)
    info = load_model_info(folder)
    if choose_runtime(folder, runtime) == "openvino":
        check_files(folder, info, OPENVINO_FILES, progress)
        return OpenVinoModel(info, openvino_file(folder), features, cores)
    load_keras()
    return KerasModel(info, folder / MODEL_FILE, features, progress)


def nan_error(info: ModelInfo, what: str) -> InputError:
    """Describes an output of a network that holds NaN or infinity.

    Pixels far beyond those of the training overflow within a network, and arg-max turns every NaN
    into the first class.

    Args:
        info: Description of the model.
        what: What the output was computed for.

    Returns:
        The error to raise.
    """
    low, high = info.range
    return InputError(
        f"{what}: {info.name} computed NaN. It was trained on pixels of {low:g} to {high:g}."
        " Declare the value that means no data (--nodata), or convert the pixels to that unit."
    )


def folder_of(model: Model) -> Path | None:
    """Returns the model folder that a model was loaded from.

    Args:
        model: Any model.

    Returns:
        The model folder; None for a model that was not loaded from one.
    """
    return getattr(model, "folder", None)


def choose_runtime(folder: Path, runtime: Runtime) -> Literal["keras", "openvino"]:
    """Chooses what computes a model.

    Keras is not imported where OpenVINO can be chosen without it.

    Args:
        folder: Model folder.
        runtime: What the user asks for, see `load_model`.

    Returns:
        "keras" or "openvino".

    Raises:
        InputError: If the runtime is unknown, if OpenVINO is asked for and the model folder has no
            export to it, or if the model does not label images.
    """
    if runtime not in get_args(Runtime):
        raise InputError(
            f"Unknown runtime {runtime!r}. Choose one of {', '.join(get_args(Runtime))}."
        )
    info = load_model_info(folder)
    if info.task == "generate":
        raise InputError(
            f"{folder}: {info.name} generates pictures. Give a model that was trained to label"
            " them."
        )
    exported = info.openvino is not None
    if runtime == "openvino" and not exported:
        raise InputError(
            f"{folder}: model has no OpenVINO export, which --runtime openvino needs. Run:"
            f" {info.task}-export {folder}"
        )
    if runtime == "auto":
        return "openvino" if exported and not (may_have_gpu() and has_gpu()) else "keras"
    return runtime


def identify(folder: Path, runtime: Literal["keras", "openvino"]) -> tuple[str, str]:
    """Returns the identity and runtime of a model without loading it.

    Args:
        folder: Model folder.
        runtime: What would compute.

    Returns:
        `identity` and `runtime` that the loaded model would have, see `Model`.
    """
    if runtime == "keras":
        return identify_keras(folder / MODEL_FILE)
    return identify_openvino(load_model_info(folder), openvino_file(folder))


def describe_use(model: Model, augment: bool) -> str:
    """Describes a model and how it is used.

    Args:
        model: Any model.
        augment: Whether outputs are averaged over flips and rotations of the input.

    Returns:
        One line with the name, the runtime and the averaging.
    """
    return f"{model.info.name} ({model.runtime}{', flips and turns averaged' if augment else ''})"
