"""The models to choose from: those bundled with the packages, and the user's own."""

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import classify.bundled
import segment.bundled
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.model.backend import load_keras
from segment.core.model.folder import INFO_FILE, MODEL_FILE, OPENVINO_FILES, check_files
from segment.core.model.runtime import Model
from segment.core.onnx_models.files import is_onnx
from segment.core.onnx_models.loading import load_model, load_model_info

if TYPE_CHECKING:
    from classify.training.grad_cam import GradCam

Task = Literal["segment", "classify"]
"""What a model does: map scenes, or label images."""

_BUNDLED = "bundled"


class OfferedModels:
    """Model folders and ONNX files by task and by the name that they are offered under.

    They are loaded at first use.
    """

    def __init__(self, folder: Path | None = None):
        """Lists the models, and checks their files.

        Args:
            folder: Holds model folders and ONNX files, or is one. None for the bundled models only.

        Raises:
            InputError: If there are no models in `folder`, or one is damaged.
        """
        self._folders: dict[Task, dict[str, Path]] = {
            "segment": {_BUNDLED: segment.bundled.BUNDLED},
            "classify": {_BUNDLED: classify.bundled.BUNDLED},
        }
        if folder is not None:
            self._add(folder)
        self._loaded: dict[Path, Model] = {}
        self._grad_cams: dict[Path, GradCam] = {}
        self._lock = threading.Lock()

    def _add(self, folder: Path) -> None:
        found = (
            [folder]
            if (folder / INFO_FILE).is_file() or (is_onnx(folder) and folder.is_file())
            else sorted(path.parent for path in folder.glob(f"*/{INFO_FILE}"))
            + sorted(path for path in folder.glob("*.onnx") if path.is_file())
        )
        if not found:
            raise InputError(
                f"--models: {folder} holds no model folder and no ONNX file. Give a folder of"
                " them, or one."
            )
        for place in found:
            info = load_model_info(place)
            if info.task == "generate":  # generators read no images
                continue
            if not is_onnx(place):
                check_files(place, info, OPENVINO_FILES if info.openvino else [MODEL_FILE])
            self._folders[info.task][_own_name(place)] = place

    def names(self, task: Task) -> list[str]:
        """Returns the names of the models for a task, the bundled one first.

        Args:
            task: What the models do.
        """
        return list(self._folders[task])

    def classes(self, task: Task) -> dict[str, ClassTable]:
        """Returns the class tables of the models for a task, that of the bundled one first.

        Args:
            task: What the models do.

        Raises:
            InputError: If a model can no longer be read.
        """
        return {
            name: load_model_info(place).class_table for name, place in self._folders[task].items()
        }

    def folder(self, task: Task, name: str) -> Path:
        """Returns the folder or file of a model.

        Args:
            task: What the model does.
            name: Name that it is offered under.

        Raises:
            InputError: If there is no model of that name.
        """
        try:
            return self._folders[task][name]
        except (KeyError, TypeError) as error:
            raise InputError(
                f"There is no model {name!r}. Choose one of {', '.join(self.names(task))}."
            ) from error

    def load(self, task: Task, name: str) -> Model:
        """Loads a model, or returns the one that is loaded already.

        Args:
            task: What the model does.
            name: Name that it is offered under.

        Raises:
            InputError: If there is no model of that name, or it cannot be read.

        Returns:
            The model, ready to use.
        """
        folder = self.folder(task, name)
        with self._lock:
            if folder not in self._loaded:
                self._loaded[folder] = load_model(folder)
            return self._loaded[folder]

    def load_grad_cam(self, name: str) -> "GradCam":
        """Loads Grad-CAM for a model of scene labels, and Keras with it.

        It shows which areas of an image speak for a label.

        Args:
            name: Name that the model is offered under.

        Raises:
            InputError: If there is no model of that name, or it has no convolution.

        Returns:
            What computes the heat maps of an image.
        """
        folder = self.folder("classify", name)
        with self._lock:
            if folder not in self._grad_cams:
                load_keras()
                from classify.training.grad_cam import GradCam

                self._grad_cams[folder] = GradCam(folder)
            return self._grad_cams[folder]


def _own_name(model: Path) -> str:
    """The name of a model in the lists: that of its folder or file, but for that of the bundled."""
    name = Path(os.path.abspath(model)).name  # of a link its own: two may lead to folders of a name
    return f"{name} (own)" if name == _BUNDLED else name
