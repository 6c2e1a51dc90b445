"""Inference: class probabilities from pixels, computed by Keras or OpenVINO."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.machine import available_cores
from segment.core.model.backend import load_keras
from segment.core.model.conversion import import_openvino
from segment.core.model.folder import (
    MODEL_FILE,
    OPENVINO_FILES,
    check_files,
    load_keras_model,
    load_model_info,
    openvino_file,
    see_inside,
)
from segment.core.model.info import ModelInfo
from segment.core.model.weight_files import require_finite
from segment.core.progress import Progress

_MOST_STREAMS = 8  # each holds the activations of a tile


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


class KerasModel:
    """Inference with `model.keras` on the Keras backend in use.

    Attributes:
        info: Content of the model's `model.yaml`.
        runtime: Description of what computes.
        identity: Text that differs from that of any other model.
        folder: Model folder.
    """

    def __init__(
        self, info: ModelInfo, file: Path, features: bool = False, progress: Progress | None = None
    ):
        """Loads a network that training wrote.

        Args:
            info: Content of the model's `model.yaml`.
            file: `model.keras` in its model folder.
            features: As for `load_model`.
            progress: As for `load_model`.

        Raises:
            InputError: If the file cannot be read, or does not match `info`.
        """
        self._network = load_keras_model(file.parent, progress)
        _require_agreement(
            file, info, (self._network.input_shape[-1], self._network.output_shape[-1])
        )
        if features:
            self._network = _keras_features(self._network, info.task)
        self.info, (self.identity, self.runtime) = info, _identify_keras(file)
        self.folder = file.parent

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Computes a batch, see `Model.predict`.

        Args:
            pixels: Shape (batch, rows, columns, bands), in the model's dtype.

        Returns:
            Probabilities, float32; see `Model.predict`.
        """
        return np.asarray(self._network.predict_on_batch(pixels), np.float32)

    def recommended_batches(self, tile: int) -> tuple[int, int]:
        """Recommends batches of as many pixels as 8 tiles of 256 x 256, from one thread.

        Args:
            tile: Edge of the tiles, pixels.

        Returns:
            How many tiles to give at a time, and from how many threads.
        """
        return max(8 * 256**2 // tile**2, 1), 1

    def __repr__(self) -> str:
        """Returns a line with the name, bands, classes, tile and runtime."""
        return _describe(self)


class _Slot:
    """Buffers for one tile on its way through a compiled network.

    `said` is the output, (1, ...), which is valid once the request has ended.
    """

    def __init__(self, compiled: Any):
        self._request = compiled.create_infer_request()
        self._seen: NDArray[Any] = self._request.get_input_tensor().data
        self.said: NDArray[np.float32] = self._request.get_output_tensor().data

    def ask(self, tile: NDArray[Any]) -> None:
        self._seen[0] = tile
        self._request.start_async()

    def answer(self) -> NDArray[np.float32]:
        self._request.wait()
        found: NDArray[np.float32] = self.said[0]
        return found


class OpenVinoModel:
    """Inference with `openvino/model.xml` on the CPU.

    Each of several streams computes one tile at a time. The network is compiled for the size of
    the tiles. An output depends on its own tile only, bit for bit, and not on what else is
    computed.

    Attributes:
        info: Content of the model's `model.yaml`.
        runtime: Description of what computes.
        identity: Text that differs from that of any other model.
        folder: Model folder.
    """

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
        self.info, self._file, self._core = info, file, openvino.Core()
        self._network = self._read()
        if features:
            self._network = openvino.Model(
                [_openvino_features(self._network, info.task)], self._network.get_parameters()
            )
        self.identity, self.runtime = _identify_openvino(info, file)
        self.folder = file.parent.parent
        self._cores, self._streams = cores, min(cores or available_cores(), _MOST_STREAMS)
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
        answers = np.empty((len(pixels), *slots[0].said.shape[1:]), np.float32)
        for index, tile in enumerate(pixels):
            slot = slots[index % len(slots)]
            if index >= len(slots):
                answers[index - len(slots)] = slot.answer()
            slot.ask(tile)
        for index in range(max(len(pixels) - len(slots), 0), len(pixels)):
            answers[index] = slots[index % len(slots)].answer()
        return answers

    def recommended_batches(self, tile: int) -> tuple[int, int]:
        """Recommends single tiles, from as many threads as there are streams.

        Args:
            tile: Edge of the tiles, pixels.

        Returns:
            How many tiles to give at a time, and from how many threads.
        """
        return 1, self._streams

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
        if any(operation.get_type_name() == "FakeQuantize" for operation in network.get_ops()):
            # Int8: on processors with bfloat16, converting to and from it would halve the speed.
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            network.reshape([1, rows, columns, self.info.bands])
            return self._core.compile_model(network, "CPU", settings)
        except RuntimeError as error:
            raise InputError(
                f"{self._file}: the network cannot compute tiles of {rows} x {columns} pixels."
                " Choose another --tile, or restore the model folder, whose model.yaml says which"
                " tiles fit."
            ) from error

    def _read(self) -> Any:
        try:
            network = self._core.read_model(self._file)
            require_finite(_constants(network))
        except (RuntimeError, ValueError) as error:
            problem = " ".join(str(error).split())[:200]
            raise InputError(
                f"{self._file}: must be a whole OpenVINO model. Received: {problem}. Export it"
                " again."
            ) from error
        seen, said = network.input().partial_shape, network.output().partial_shape
        received = (seen[len(seen) - 1], said[len(said) - 1])
        _require_agreement(self._file, self.info, received)
        return network

    def __repr__(self) -> str:
        """Returns a line with the name, bands, classes, tile and runtime."""
        return _describe(self)


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


def require_finite_answers(answers: NDArray[np.float32], info: ModelInfo, what: str) -> None:
    """Checks that the output of a network is finite.

    Pixels far beyond those of the training overflow within a network, and arg-max turns every NaN
    into the first class.

    Args:
        answers: Output of the network, any shape.
        info: Description of the model.
        what: What the output was computed for, for the error.

    Raises:
        InputError: If the output holds NaN or infinity.
    """
    if not np.isfinite(answers.sum()):  # a single pass, without a temporary array
        low, high = info.range
        raise InputError(
            f"{what}: {info.name} answers NaN, which is no probability. It learned from pixels of"
            f" {low:g} to {high:g}. See whether a value without data is not declared (--nodata), or"
            " whether pixels have another unit."
        )


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


def folder_of(model: Model) -> Path | None:
    """Returns the model folder that a model was loaded from.

    Args:
        model: Any model.

    Returns:
        The model folder; None for a model that was not loaded from one.
    """
    return getattr(model, "folder", None)


def _keras_features(network: Any, task: str) -> Any:
    import keras

    if task == "classify":
        return keras.Model(network.inputs, network.get_layer("features").output)
    return see_inside(
        network,
        lambda core: next(x for x in core.layers if isinstance(x, keras.layers.UpSampling2D)).input,
    )


def _openvino_features(network: Any, task: str) -> Any:
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
            f"Runtimes are {', '.join(get_args(Runtime))}. Received {runtime!r}. Choose one of"
            " them."
        )
    info = load_model_info(folder)
    if info.task == "generate":
        raise InputError(
            f"{folder}: a model that labels is needed. Received {info.name}, which draws pictures."
            " Give another."
        )
    exported = info.openvino is not None
    if runtime == "openvino" and not exported:
        raise InputError(
            f"{folder}: has no OpenVINO form. Received --runtime openvino. Make it:"
            f" {info.task}-export {folder}"
        )
    if runtime == "auto":
        return "openvino" if exported and not (may_have_gpu() and has_gpu()) else "keras"
    return runtime


def _require_agreement(file: Path, info: ModelInfo, received: tuple[Any, Any]) -> None:
    expected = (info.bands, len(info.class_table))
    if received != expected:
        raise InputError(
            f"{file}: a network must have the bands and classes of its model.yaml, {expected}."
            f" Received {received}. Restore the one that was changed."
        )


def identify(folder: Path, runtime: Literal["keras", "openvino"]) -> tuple[str, str]:
    """Returns the identity and runtime of a model without loading it.

    Args:
        folder: Model folder.
        runtime: What would compute.

    Returns:
        `identity` and `runtime` that the loaded model would have, see `Model`.
    """
    if runtime == "keras":
        return _identify_keras(folder / MODEL_FILE)
    return _identify_openvino(load_model_info(folder), openvino_file(folder))


def _identify_keras(file: Path) -> tuple[str, str]:
    import keras

    return _identify(file, keras.__version__), f"keras on {keras.backend.backend()}"


def _identify_openvino(info: ModelInfo, file: Path) -> tuple[str, str]:
    words = "openvino" if info.openvino is None else f"openvino {info.openvino.precision}"
    return _identify(file.with_suffix(".bin"), import_openvino().__version__), words


def _identify(file: Path, version: str) -> str:
    found = file.stat()
    return f"{file.name} of {found.st_size} bytes, {found.st_mtime_ns}, {version}"


def _describe(model: Model) -> str:
    i = model.info
    return (
        f"Model({i.name}: {i.bands} bands of {i.dtype} -> {', '.join(i.class_table.names)}; tile"
        f" {i.tile}; {model.runtime})"
    )


def describe_use(model: Model, augment: bool) -> str:
    """Describes a model and how it is used.

    Args:
        model: Any model.
        augment: Whether outputs are averaged over flips and rotations of the input.

    Returns:
        One line with the name, the runtime and the averaging.
    """
    return f"{model.info.name} ({model.runtime}{', flips and turns averaged' if augment else ''})"


def may_have_gpu() -> bool:
    """Checks for a GPU driver, without starting Keras, which takes seconds.

    Returns:
        Whether there may be a GPU, so that `has_gpu` should be called.
    """
    return any(Path(driver).exists() for driver in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


def has_gpu() -> bool:
    """Checks whether the Keras backend in use finds a GPU.

    Returns:
        Whether it finds one.
    """
    keras = load_keras()
    if keras.backend.backend() == "torch":  # Keras has no list of its devices
        import torch

        return bool(torch.cuda.is_available())
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # JAX without a GPU
        return False
