"""Models that OpenVINO computes on the CPU."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import FASTEST
from segment.core.errors import InputError, brief
from segment.core.machine import available_cores
from segment.core.model.conversion import import_openvino
from segment.core.model.info import ModelInfo
from segment.core.model.loaded_model import LoadedModel, file_identity, require_agreement
from segment.core.model.weight_files import require_finite


class _Slot:
    """Buffers for one tile on its way through a compiled network.

    Attributes:
        output: Output of the network, (1, ...), valid once the request has ended.
    """

    def __init__(self, compiled: Any):
        self._request = compiled.create_infer_request()
        self._input: NDArray[Any] = self._request.get_input_tensor().data
        self.output: NDArray[np.float32] = self._request.get_output_tensor().data

    def start(self, tile: NDArray[Any]) -> None:
        self._input[0] = tile
        self._request.start_async()

    def finish(self) -> NDArray[np.float32]:
        self._request.wait()
        output: NDArray[np.float32] = self.output[0]
        return output


class CompiledModel(LoadedModel):
    """A network that OpenVINO computes on the CPU.

    Each of several streams computes one tile at a time. The network is compiled for the size of
    the tiles. An output depends on its own tile only, bit for bit, and not on what else is
    computed.
    """

    def __init__(
        self,
        info: ModelInfo,
        folder: Path,
        identity: tuple[str, str],
        network: Any,
        cores: int | None = None,
        exact: bool = False,
    ):
        """Prepares a network; it is compiled for each size of tiles at first use.

        Args:
            info: Description of the model.
            folder: Model folder, or file of the model.
            identity: `identity` and `runtime`, see `LoadedModel`.
            network: OpenVINO network of (1, rows, columns, bands).
            cores: As for `load_model`.
            exact: Whether it computes in 32-bit floating point on all processors.
        """
        super().__init__(info, folder, *identity)
        self._file, self._cure = folder, ""
        self._network, self._core, self._exact = network, import_openvino().Core(), exact
        self._cores, self._streams = (
            cores,
            min(cores or available_cores(), FASTEST["openvino"].threads),
        )
        self._compiled: dict[tuple[int, int], Any] = {}
        self._lock, self._slots_kept = threading.Lock(), threading.local()

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Computes a batch, see `Model.predict`.

        Args:
            pixels: As for `Model.predict`.

        Returns:
            As for `Model.predict`.

        Raises:
            InputError: If the network cannot compute tiles of this size.
        """
        slots = self._slots(pixels.shape[1], pixels.shape[2], len(pixels))
        outputs = np.empty((len(pixels), *slots[0].output.shape[1:]), np.float32)
        for index, tile in enumerate(pixels):
            slot = slots[index % len(slots)]
            if index >= len(slots):
                outputs[index - len(slots)] = slot.finish()
            slot.start(tile)
        for index in range(max(len(pixels) - len(slots), 0), len(pixels)):
            outputs[index] = slots[index % len(slots)].finish()
        return outputs

    def recommended_batches(self, tile: int) -> tuple[int, int]:
        """Recommends single tiles, from as many threads as there are streams.

        Args:
            tile: Edge of the tiles, pixels.

        Returns:
            How many tiles to give at a time, and from how many threads.
        """
        return FASTEST["openvino"].of(tile), self._streams

    def _slots(self, rows: int, columns: int, count: int) -> list["_Slot"]:
        """Returns this thread's slots for a tile size, one per stream that `count` tiles keep busy.

        Slots are made by one thread at a time and kept, so no tensor is created later: creating
        tensors in several threads can make OpenVINO hang.
        """
        kept: list[_Slot] = (
            vars(self._slots_kept).setdefault("by_size", {}).setdefault((rows, columns), [])
        )
        wanted = max(min(count, self._streams), 1)
        if len(kept) < wanted:
            with self._lock:
                if (rows, columns) not in self._compiled:
                    self._compiled[rows, columns] = self._compile(rows, columns)
                kept += [_Slot(self._compiled[rows, columns]) for _ in range(wanted - len(kept))]
        return kept[:wanted]

    def _compile(self, rows: int, columns: int) -> Any:
        network = self._network.clone()
        settings: dict[str, Any] = {"NUM_STREAMS": self._streams}
        if self._cores:
            settings["INFERENCE_NUM_THREADS"] = self._cores
            # With pinning, several processes on one machine would all use its first cores.
            settings["ENABLE_CPU_PINNING"] = False
        if self._exact or any(op.get_type_name() == "FakeQuantize" for op in network.get_ops()):
            # Int8: on processors with bfloat16, converting to and from it would halve the speed.
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            network.reshape([1, rows, columns, self.info.bands])
            return self._core.compile_model(network, "CPU", settings)
        except RuntimeError as error:
            raise InputError(
                f"{self._file}: network cannot compute tiles of {rows} x {columns} pixels. Choose"
                f" another --tile{self._cure}."
            ) from error


class OpenVinoModel(CompiledModel):
    """Inference with `openvino/model.xml` of a model folder."""

    def __init__(
        self, info: ModelInfo, file: Path, features: bool = False, cores: int | None = None
    ):
        """Reads a network that `segment.core.model.conversion` wrote.

        Args:
            info: Content of the model's `model.yaml`.
            file: `openvino/model.xml` in its model folder.
            features: As for `load_model`.
            cores: As for `load_model`.

        Raises:
            InputError: If the file cannot be read, or does not match `info`.
        """
        openvino = import_openvino()
        network = _read(openvino.Core(), info, file)
        if features:
            network = openvino.Model([_features(network, info.task)], network.get_parameters())
        super().__init__(info, file.parent.parent, identify_openvino(info, file), network, cores)
        self._file = file
        self._cure = ", or restore the model folder: its model.yaml names the sizes that fit"


def identify_openvino(info: ModelInfo, file: Path) -> tuple[str, str]:
    """Returns the identity and runtime of a network without loading it.

    Args:
        info: Content of the model's `model.yaml`.
        file: `openvino/model.xml` in its model folder.

    Returns:
        `identity` and `runtime`, see `LoadedModel`.
    """
    precision = "" if info.openvino is None else f" {info.openvino.precision}"
    version = import_openvino().__version__
    return file_identity(file.with_suffix(".bin"), version), f"openvino{precision}"


def _read(core: Any, info: ModelInfo, file: Path) -> Any:
    try:
        network = core.read_model(file)
        require_finite(_constants(network))
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{file}: cannot be read as an OpenVINO model: {brief(error)}. Export it again:"
            f" {info.task}-export {file.parent.parent} --overwrite"
        ) from error
    pixels, output = network.input().partial_shape, network.output().partial_shape
    require_agreement(file, info, pixels[len(pixels) - 1], output[len(output) - 1])
    return network


def _features(network: Any, task: str) -> Any:
    """Finds the output inside a network that holds its features.

    Global average pooling, where there is one, is the last ReduceMean. Without it, the principal
    components are the input of the linear classifier. Decoders begin with an upsampling.
    """

    def of(kind: str) -> list[Any]:
        return [
            operation
            for operation in network.get_ordered_ops()
            if operation.get_type_name() == kind
        ]

    if task == "classify":
        return (
            of("ReduceMean")[-1].output(0)
            if of("ReduceMean")
            else of("MatMul")[-1].input(0).get_source_output()
        )
    return of("Interpolate")[0].input(0).get_source_output()


def _constants(network: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yields the weights of an OpenVINO network with their names.

    Single numbers, such as the infinite bound of a clamp, are not counted as weights.
    """
    for operation in network.get_ops():
        if (
            operation.get_type_name() == "Constant"
            and operation.get_element_type().is_real()
            and operation.data.size > 1
        ):
            yield operation.get_friendly_name(), operation.data
