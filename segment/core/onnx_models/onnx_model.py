"""Models of ONNX files, computed by OpenVINO on the CPU."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.model.openvino_model import CompiledModel
from segment.core.onnx_models.files import (
    NETWORK_FILES,
    digest,
    export_folder,
    load_export,
    read_network,
)
from segment.core.onnx_models.opened import open_onnx


class OnnxModel(CompiledModel):
    """Inference with an ONNX file, or with its export to int8 where there is one.

    It computes in 32-bit floating point, as the programs do that the network was made with.
    """

    def __init__(self, file: Path, cores: int | None = None):
        """Reads an ONNX file.

        Args:
            file: The ONNX file.
            cores: Number of CPU cores, by default all that this process may use.

        Raises:
            InputError: If the file cannot be used, see `open_onnx`, or its export is damaged.
        """
        opened, info = open_onnx(file), describe_onnx(file)
        network = opened.network
        if info.openvino is not None:
            network = read_network(export_folder(file) / NETWORK_FILES[0], info)
        super().__init__(info, file, identify_onnx(info), network, cores, exact=True)
        self._gives_labels = opened.gives_labels

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Computes a batch, see `Model.predict`.

        Args:
            pixels: As for `Model.predict`.

        Returns:
            As for `Model.predict`.

        Raises:
            InputError: If the network cannot compute tiles of this size, or gives the number of a
                class that is not stated.
        """
        outputs = super().predict(pixels)
        if self._gives_labels and not outputs.any(axis=-1).all():
            raise InputError(
                f"{self.folder}: the network gives a class number beyond the stated"
                f" {self.info.class_count}. State all of its classes in {self.folder.stem}.yaml."
            )
        return outputs


def describe_onnx(file: Path) -> ModelInfo:
    """Describes the model of an ONNX file.

    Args:
        file: The ONNX file.

    Returns:
        The description, with that of its export where there is one.

    Raises:
        InputError: If the file cannot be used, see `open_onnx`, or its export is damaged.
    """
    info = open_onnx(file).info
    export = load_export(file, info.checksums)
    if export is None:
        return info
    return info.model_copy(
        update={"openvino": export.openvino, "checksums": info.checksums | export.checksums}
    )


def identify_onnx(info: ModelInfo) -> tuple[str, str]:
    """Returns the identity and runtime of the model of an ONNX file.

    Args:
        info: What `describe_onnx` returned.

    Returns:
        `identity` and `runtime`, see `LoadedModel`.
    """
    precision = "onnx" if info.openvino is None else info.openvino.precision
    runtime = f"openvino {precision}"
    return f"{digest(info.checksums)}, {version('openvino')}", runtime
