"""What models of all runtimes have in common once they are loaded."""

from pathlib import Path
from typing import Any

from segment.core.errors import InputError, counted
from segment.core.model.info import ModelInfo


class LoadedModel:
    """A network of a model folder, ready to compute.

    Attributes:
        info: Content of the model's `model.yaml`.
        runtime: Description of what computes, such as "keras on tensorflow".
        identity: Text that differs from that of any other model.
        folder: Model folder.
    """

    def __init__(self, info: ModelInfo, folder: Path, identity: str, runtime: str):
        """Describes a loaded network.

        Args:
            info: Content of the model's `model.yaml`.
            folder: Model folder.
            identity: Text that differs from that of any other model.
            runtime: Description of what computes.
        """
        self.info, self.folder, self.identity, self.runtime = info, folder, identity, runtime

    def __repr__(self) -> str:
        """Returns a line with the name, bands, classes, tile and runtime."""
        i = self.info
        return (
            f"Model({i.name}: {counted(i.bands, 'band')} of {i.dtype} ->"
            f" {', '.join(i.class_table.names)}; tile {i.tile}; {self.runtime})"
        )


def require_agreement(file: Path, info: ModelInfo, bands: Any, classes: Any) -> None:
    """Checks that a network has the bands and classes that `model.yaml` states.

    Args:
        file: File of the network.
        info: Content of the `model.yaml` beside it.
        bands: Bands of the network's input.
        classes: Classes of the network's output.

    Raises:
        InputError: If they differ.
    """
    if (bands, classes) != (info.bands, len(info.class_table)):
        raise InputError(
            f"{file}: network has {bands} bands and {classes} classes, model.yaml has {info.bands}"
            f" and {len(info.class_table)}. Restore the file that was changed."
        )


def file_identity(file: Path, version: str) -> str:
    """Identifies a network by its file and by what computes it.

    Args:
        file: File of the weights.
        version: Version of the library that computes.

    Returns:
        Text that differs from that of any other network.
    """
    found = file.stat()
    return f"{file.name} of {found.st_size} bytes, {found.st_mtime_ns}, {version}"
