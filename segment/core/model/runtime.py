"""Models in use: pixels go in, class probabilities come out, through Keras or through OpenVINO."""

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
    ModelInfo,
    check_files,
    load_keras_model,
    load_model_info,
    openvino_file,
    see_inside,
)
from segment.core.model.weight_files import require_finite
from segment.core.progress import Progress

_MOST_STREAMS = 8  # each holds the activations of a tile


class Model(Protocol):
    """A trained model, ready to use: one network behind either runtime.

    info: what `model.yaml` says of it. runtime: what computes, in words. identity: tells it from other models.
    """

    info: ModelInfo
    runtime: str
    identity: str

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Class probabilities of a batch; may be called from several threads.

        pixels: (batch, rows, columns, bands) in the model's dtype, as `preprocess` makes them of a file's by `info.preprocess`.
        Returns (batch, rows, columns, classes) float32, or (batch, classes) of scene labels, as the network answers.
        """

    def pace(self, tile: int) -> tuple[int, int]:
        """How many tiles of edge `tile` to give at a time, and from how many threads."""


class KerasModel:
    """`model.keras` on the Keras backend in use."""

    def __init__(self, info: ModelInfo, file: Path, features: bool = False, progress: Progress | None = None):
        """Loads a network that training wrote. features, progress: see `load_model`.

        Raises InputError when it cannot be read.
        """
        self._network = load_keras_model(file.parent, progress)
        _require_agreement(file, info, (self._network.input_shape[-1], self._network.output_shape[-1]))
        if features:
            self._network = _keras_features(self._network, info.task)
        self.info, (self.identity, self.runtime) = info, _identify_keras(file)
        self.folder = file.parent

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(self._network.predict_on_batch(pixels), np.float32)

    def pace(self, tile: int) -> tuple[int, int]:
        return max(8 * 256**2 // tile**2, 1), 1

    def __repr__(self) -> str:
        return _describe(self)


class _Slot:
    """Room for one tile on its way through a compiled network. said: its answer (1, ...), once it is there."""

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
    """`openvino/model.xml` on the CPU: one tile at a time in each of several streams, compiled for the tiles' size.

    An answer depends on its own tile only, bit for bit, not on what else is computed.
    """

    def __init__(self, info: ModelInfo, file: Path, features: bool = False, cores: int | None = None):
        """Reads a network that `segment.core.model.conversion` wrote. features, cores: see `load_model`.

        Raises InputError when it cannot be read.
        """
        openvino = import_openvino()
        self.info, self._file, self._core = info, file, openvino.Core()
        self._network = self._read()
        if features:
            self._network = openvino.Model([_openvino_features(self._network, info.task)], self._network.get_parameters())
        self.identity, self.runtime = _identify_openvino(info, file)
        self.folder = file.parent.parent
        self._cores, self._streams = cores, min(cores or available_cores(), _MOST_STREAMS)
        self._compiled: dict[tuple[int, int], Any] = {}
        self._lock, self._slots_kept = threading.Lock(), threading.local()

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
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

    def pace(self, tile: int) -> tuple[int, int]:
        return 1, self._streams

    def _slots(self, rows: int, columns: int, count: int) -> list["_Slot"]:
        """This thread's own slots for tiles of a size, one for each stream that `count` tiles can keep busy.

        One thread at a time, and never a new tensor later on: making tensors in several threads can lock up OpenVINO.
        """
        kept: list[_Slot] = vars(self._slots_kept).setdefault("by_size", {}).setdefault((rows, columns), [])
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
            settings["ENABLE_CPU_PINNING"] = False  # else several processes of one machine all keep to its first cores
        if any(operation.get_type_name() == "FakeQuantize" for operation in network.get_ops()):  # int8
            # on processors with bfloat16, turning to and fro between it and int8 costs half the speed
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            network.reshape([1, rows, columns, self.info.bands])
            return self._core.compile_model(network, "CPU", settings)
        except RuntimeError as error:
            raise InputError(
                f"{self._file}: the network cannot compute tiles of {rows} x {columns} pixels. Choose another --tile, or restore "
                "the model folder, whose model.yaml says which tiles fit."
            ) from error

    def _read(self) -> Any:
        try:
            network = self._core.read_model(self._file)
            require_finite(_constants(network))
        except (RuntimeError, ValueError) as error:
            problem = " ".join(str(error).split())[:200]
            raise InputError(f"{self._file}: must be a whole OpenVINO model. Received: {problem}. Export it again.") from error
        seen, said = network.input().partial_shape, network.output().partial_shape
        received = (seen[len(seen) - 1], said[len(said) - 1])
        _require_agreement(self._file, self.info, received)
        return network

    def __repr__(self) -> str:
        return _describe(self)


def load_model(
    folder: Path | str,
    runtime: Runtime = "auto",
    *,
    features: bool = False,
    cores: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """Loads a model folder. Raises InputError when it is none, is damaged, or has no form for the runtime.

    features: in place of probabilities, `predict` gives what the head of a classifier sees, (batch, features), or what the
    decoder of a segmentation network begins with, (batch, rows, columns, features).
    cores: that OpenVINO computes with, by default all that this process may use.
    progress: gets a line for files without a checksum.
    """
    folder = Path(folder)
    info = load_model_info(folder)
    if choose_runtime(folder, runtime) == "openvino":
        check_files(folder, info, OPENVINO_FILES, progress)
        return OpenVinoModel(info, openvino_file(folder), features, cores)
    load_keras()
    return KerasModel(info, folder / MODEL_FILE, features, progress)


def require_finite_answers(answers: NDArray[np.float32], info: ModelInfo, what: str) -> None:
    """Raises InputError when a network answered something that is not a number. what: it was asked about, for the message.

    Pixels far beyond those of the training overflow within a network; of NaN every arg-max makes the first class.
    """
    if not np.isfinite(answers.sum()):  # a single pass, without an array of its own
        low, high = info.range
        raise InputError(
            f"{what}: {info.name} answers NaN, which is no probability. It learned from pixels of {low:g} to {high:g}. "
            "See whether a value without data is not declared (--nodata), or whether pixels have another unit."
        )


def _constants(network: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Weights of an OpenVINO network with their names; single numbers, such as the infinite bound of a clamp, are none."""
    for operation in network.get_ops():
        if operation.get_type_name() == "Constant" and operation.get_element_type().is_real() and operation.data.size > 1:
            yield operation.get_friendly_name(), operation.data


def folder_of(model: Model) -> Path | None:
    """The model folder that a model was loaded from, None where it was not."""
    return getattr(model, "folder", None)


def _keras_features(network: Any, task: str) -> Any:
    import keras

    if task == "classify":
        return keras.Model(network.inputs, network.get_layer("features").output)
    return see_inside(network, lambda core: next(x for x in core.layers if isinstance(x, keras.layers.UpSampling2D)).input)


def _openvino_features(network: Any, task: str) -> Any:
    """An output in the midst of a network. Global average pooling is the last of its kind of operations, where there is one;
    principal components are what the linear classifier is given; decoders begin with enlarging."""

    def of(kind: str) -> list[Any]:
        return [operation for operation in network.get_ordered_ops() if operation.get_type_name() == kind]

    if task == "classify":
        return of("ReduceMean")[-1].output(0) if of("ReduceMean") else of("MatMul")[-1].input(0).get_source_output()
    return of("Interpolate")[0].input(0).get_source_output()


def choose_runtime(folder: Path, runtime: Runtime) -> Literal["keras", "openvino"]:
    """What will compute, found without importing Keras where OpenVINO will do.

    Raises InputError when OpenVINO is asked for and the model folder does not have it.
    """
    if runtime not in get_args(Runtime):
        raise InputError(f"Runtimes are {', '.join(get_args(Runtime))}. Received {runtime!r}. Choose one of them.")
    info = load_model_info(folder)
    if info.task == "generate":
        raise InputError(f"{folder}: a model that labels is needed. Received {info.name}, which draws pictures. Give another.")
    exported = info.openvino is not None
    if runtime == "openvino" and not exported:
        raise InputError(f"{folder}: has no OpenVINO form. Received --runtime openvino. Make it: {info.task}-export {folder}")
    if runtime == "auto":
        return "openvino" if exported and not (may_have_gpu() and has_gpu()) else "keras"
    return runtime


def _require_agreement(file: Path, info: ModelInfo, received: tuple[Any, Any]) -> None:
    expected = (info.bands, len(info.palette))
    if received != expected:
        raise InputError(
            f"{file}: a network must have the bands and classes of its model.yaml, {expected}. Received {received}. "
            "Restore the one that was changed."
        )


def identify(folder: Path, runtime: Literal["keras", "openvino"]) -> tuple[str, str]:
    """What a model folder's model would say of itself if it were loaded: its identity, and its runtime in words."""
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
    return f"Model({i.name}: {i.bands} bands of {i.dtype} -> {', '.join(i.palette.names)}; tile {i.tile}; {model.runtime})"


def describe_use(model: Model, augment: bool) -> str:
    """A model, what computes it and how it is asked, in words."""
    return f"{model.info.name} ({model.runtime}{', flips and turns averaged' if augment else ''})"


def may_have_gpu() -> bool:
    """Whether it is worth asking Keras, which takes seconds to start."""
    return any(Path(driver).exists() for driver in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


def has_gpu() -> bool:
    """Whether the Keras backend in use sees a GPU."""
    keras = load_keras()
    if keras.backend.backend() == "torch":  # has no list of devices in Keras
        import torch

        return bool(torch.cuda.is_available())
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # JAX without a GPU
        return False
