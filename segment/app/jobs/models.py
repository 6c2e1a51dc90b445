"""The models to choose among: those that come with the packages, and the user's own."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import classify.bundled
import segment.bundled
from segment.core.errors import InputError
from segment.core.model.backend import load_keras
from segment.core.model.folder import INFO_FILE, MODEL_FILE, OPENVINO_FILES, check_files, load_model_info
from segment.core.model.runtime import Model, load_model

if TYPE_CHECKING:
    from classify.training.grad_cam import GradCam

Task = Literal["segment", "classify"]


class Shelf:
    """Model folders by task and by the name that they are offered under; each is loaded once, when it is first used."""

    def __init__(self, folder: Path | None = None):
        """folder: holds model folders, or is one. Raises InputError when there are none in it, or one is broken."""
        self._folders: dict[Task, dict[str, Path]] = {
            "segment": {"bundled": segment.bundled.BUNDLED},
            "classify": {"bundled": classify.bundled.BUNDLED},
        }
        if folder is not None:
            self._add(folder)
        self._loaded: dict[Path, Model] = {}
        self._looking: dict[Path, GradCam] = {}
        self._lock = threading.Lock()

    def _add(self, folder: Path) -> None:
        found = [folder] if (folder / INFO_FILE).is_file() else sorted(path.parent for path in folder.glob(f"*/{INFO_FILE}"))
        if not found:
            raise InputError(f"--models: a folder of model folders. Received {folder}, without any. Give one that holds some.")
        for place in found:
            info = load_model_info(place)
            if info.task != "generate":  # which makes images, and reads none
                check_files(place, info, OPENVINO_FILES if info.openvino else [MODEL_FILE])
                self._folders[info.task][place.resolve().name] = place

    def names(self, task: Task) -> list[str]:
        """What is offered for a task, the bundled model first."""
        return list(self._folders[task])

    def folder(self, task: Task, name: str) -> Path:
        """Where a model lies. Raises InputError when there is none of that name."""
        try:
            return self._folders[task][name]
        except (KeyError, TypeError) as error:
            raise InputError(
                f"Models to choose among: {', '.join(self.names(task))}. Received {name!r}. Choose one of them."
            ) from error

    def load(self, task: Task, name: str) -> Model:
        """A model, ready to use. Raises InputError as `folder` does, and when it cannot be read."""
        folder = self.folder(task, name)
        with self._lock:
            if folder not in self._loaded:
                self._loaded[folder] = load_model(folder)
            return self._loaded[folder]

    def load_grad_cam(self, name: str) -> "GradCam":
        """What tells where a model of scene labels looks; loads Keras. Raises InputError where it has no convolution."""
        folder = self.folder("classify", name)
        with self._lock:
            if folder not in self._looking:
                load_keras()
                from classify.training.grad_cam import GradCam

                self._looking[folder] = GradCam(folder)
            return self._looking[folder]
