"""The one model that a worker process keeps loaded, and how it knows the model by."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from segment.core.errors import InputError
from segment.core.machine import limit_threads
from segment.core.model.folder import INFO_FILE, MODEL_FILE, OPENVINO_FILES
from segment.core.model.runtime import Model, load_model
from segment.core.model.weight_files import checksum


@dataclass(frozen=True)
class ModelReference:
    """A model, as it is told to other machines.

    folder: where it is found there, too. package: one whose bundled model it is, which each machine has in a place of its own;
    None for others. runtime: what computes, the same everywhere. fingerprint: of its files and of the runtime's version.
    """

    folder: Path
    package: str | None
    runtime: Literal["keras", "openvino"]
    fingerprint: str

    @classmethod
    def of(cls, folder: Path, package: str, runtime: Literal["keras", "openvino"]) -> "ModelReference":
        """package: the one whose bundled model it may be."""
        bundled = folder.resolve() == _bundled(package).resolve()
        return cls(folder.absolute(), package if bundled else None, runtime, _fingerprint(folder, runtime))

    def locate(self) -> Path:
        """Its folder on this machine. Raises InputError when it is not there, or is not the same."""
        folder = _bundled(self.package) if self.package else self.folder
        try:
            found = _fingerprint(folder, self.runtime)
        except OSError as error:
            raise InputError(f"{folder}: the model must be there for workers. Received: {error.strerror}. Share it.") from error
        if found != self.fingerprint:
            raise InputError(
                f"{folder}: model and {self.runtime} must be those of the machine that asks. Received others. Install the same."
            )
        return folder


class _Kept:
    """reference, cores: what `model` was loaded for. lock: for whoever uses it, for two blocks at once take twice the memory."""

    lock = threading.Lock()
    model: Model | None = None
    loaded_for: tuple[ModelReference, int] | None = None


@contextmanager
def kept_model(reference: ModelReference, cores: int) -> Iterator[Model]:
    """The model, loaded once for each process, for one user at a time. cores: that it may compute with.

    Raises InputError when it is not to be had here.
    """
    with _Kept.lock:
        if _Kept.loaded_for != (reference, cores) or _Kept.model is None:
            _Kept.model = _Kept.loaded_for = None  # room for the next one
            _Kept.model = _load(reference, cores)
            _Kept.loaded_for = reference, cores
        yield _Kept.model


def _load(reference: ModelReference, cores: int) -> Model:
    folder = reference.locate()
    if reference.runtime == "keras":
        limit_threads(cores)
    return load_model(folder, reference.runtime, cores=cores)


def _bundled(package: str) -> Path:
    bundled: Path = import_module(f"{package}.bundled").BUNDLED
    return bundled


def _fingerprint(folder: Path, runtime: str) -> str:
    total = hashlib.sha256(f"{runtime} {version(runtime)}".encode())
    for name in (INFO_FILE, *(OPENVINO_FILES if runtime == "openvino" else [MODEL_FILE])):
        total.update(bytes.fromhex(checksum(folder / name)))
    return total.hexdigest()
