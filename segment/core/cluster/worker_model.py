"""The model that a worker process keeps loaded, and how it finds the model."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from segment.core.errors import InputError
from segment.core.machine import thread_limits
from segment.core.model.runtime import Model
from segment.core.onnx_models.loading import load_model, model_checksums


@dataclass(frozen=True)
class ModelReference:
    """Description of a model for other machines.

    Attributes:
        folder: Model folder, found there under the same name.
        package: Package whose bundled model it is, which has its own place on each machine; None
            for other models.
        runtime: What computes, the same everywhere.
        fingerprint: Digest of the model's files and of the runtime's version.
    """

    folder: Path
    package: str | None
    runtime: Literal["keras", "openvino"]
    fingerprint: str

    @classmethod
    def of(
        cls, folder: Path, package: str, runtime: Literal["keras", "openvino"]
    ) -> "ModelReference":
        """Describes the model of a model folder.

        Args:
            folder: Model folder.
            package: Package whose bundled model it may be.
            runtime: What computes.

        Returns:
            The description.
        """
        bundled = folder.resolve() == _bundled(package).resolve()
        return cls(
            folder.absolute(), package if bundled else None, runtime, _fingerprint(folder, runtime)
        )

    def locate(self) -> Path:
        """Finds the model folder on this machine.

        Returns:
            The model folder.

        Raises:
            InputError: If it is not there, or model or runtime are not the same.
        """
        folder = _bundled(self.package) if self.package else self.folder
        try:
            found = _fingerprint(folder, self.runtime)
        except OSError as error:
            raise InputError(
                f"{folder}: model not found on a worker ({error.strerror}). Share it with all"
                " workers."
            ) from error
        if found != self.fingerprint:
            raise InputError(
                f"{folder}: the model or {self.runtime} of a worker differs from this machine's."
                " Install the same there."
            )
        return folder


class _Kept:
    """The loaded model, and what it was loaded for.

    Whoever uses it holds the lock, because two blocks at once take twice the memory.
    """

    lock = threading.Lock()
    model: Model | None = None
    loaded_for: tuple[ModelReference, int] | None = None


@contextmanager
def kept_model(reference: ModelReference, cores: int) -> Iterator[Model]:
    """Provides the model, which is loaded once per process, to one user at a time.

    Args:
        reference: The model.
        cores: Number of cores that it may compute with.

    Yields:
        The loaded model.

    Raises:
        InputError: If the model is not available on this machine.
    """
    with _Kept.lock:
        if _Kept.loaded_for != (reference, cores) or _Kept.model is None:
            _Kept.model = _Kept.loaded_for = None  # free memory for the next one
            _Kept.model = _load(reference, cores)
            _Kept.loaded_for = reference, cores
        yield _Kept.model


def _load(reference: ModelReference, cores: int) -> Model:
    folder = reference.locate()
    if reference.runtime == "keras":
        os.environ |= thread_limits(cores)  # of TensorFlow, which is loaded later
    return load_model(folder, reference.runtime, cores=cores)


def _bundled(package: str) -> Path:
    bundled: Path = import_module(f"{package}.bundled").BUNDLED
    return bundled


def _fingerprint(folder: Path, runtime: Literal["keras", "openvino"]) -> str:
    total = hashlib.sha256(f"{runtime} {version(runtime)}".encode())
    for found in model_checksums(folder, runtime).values():
        total.update(bytes.fromhex(found))
    return total.hexdigest()
