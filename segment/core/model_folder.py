"""Model folders: a network and everything one must know to use it."""

import shutil
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zipfile import BadZipFile, ZipFile

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from segment.core.config import BandNumber, PreprocessSettings, Settings
from segment.core.errors import InputError, quoted
from segment.core.output import staged
from segment.core.palette import Class, Palette
from segment.core.progress import Progress
from segment.core.weight_files import checksum, require_finite, require_small_zip
from segment.core.yaml_text import read_yaml

if TYPE_CHECKING:
    import keras

MODEL_FILE, INFO_FILE, OPENVINO_FOLDER, ONNX_FILE = "model.keras", "model.yaml", "openvino", "model.onnx"
OPENVINO_FILES = (f"{OPENVINO_FOLDER}/model.xml", f"{OPENVINO_FOLDER}/model.bin")
RECORD_FILE = "tiles.npz"
"""See `segment.core.training_record`."""
NOVELTY_FILE = "novelty.npz"
"""See `segment.novelty`."""

_MOST_PIXELS = 65_536  # of an edge
Share = Annotated[float, Field(ge=0, le=1)]
_Position = Annotated[int, Field(ge=0, le=65_534)]
_Metres = Annotated[float, Field(gt=0, le=1e6)]
_Value = Annotated[float, Field(ge=-1e39, le=1e39)]  # a little more than a float32 holds

RULE = "a model folder is written by one process."


class OpenVinoInfo(Settings):
    """What a model folder's `openvino/` holds.

    precision: of the weights. versions: of the packages that made it.
    For int8: data, the folder it was quantised on; kind, what is counted there; calibrated, how many that took;
    scored, the others; scores, of "keras" and "int8" on these.
    """

    precision: Literal["fp16", "int8"]
    versions: dict[str, str] = Field(default_factory=dict)
    data: str | None = None
    kind: str = "tiles"
    calibrated: int = Field(default=0, ge=0, le=2**53)
    scored: int = Field(default=0, ge=0, le=2**53)
    scores: dict[str, dict[str, Share]] = Field(default_factory=dict)


class LabelInfo(Settings):
    """How a model of scene labels is fed and read.

    resize: length that an image's shorter side is brought to, 0: none; what the network sees is the middle of it.
    multi_label: an image may carry several labels, and its probabilities do not sum to 1.
    temperature: logits are divided by it, which makes probabilities agree with how often they are right.
    thresholds: probability from which a class is given, for several labels, one per class; else empty.
    read_bands, file_bands: bands read (numbers from 1) of images with so many; None: all but alpha.
    rgb: positions of red, green and blue among them, to look at images. band_names: what the training images call them, by
    which they are found in files that name theirs; empty where they did not say.
    """

    resize: int = Field(ge=0, le=_MOST_PIXELS)
    multi_label: bool = False
    temperature: float = Field(default=1.0, gt=0, le=1000)
    thresholds: list[Share] = Field(default_factory=list)
    read_bands: list[BandNumber] | None = None
    file_bands: BandNumber | None = None
    rgb: tuple[_Position, _Position, _Position] = (0, 1, 2)
    band_names: list[str] = Field(default_factory=list)


class ModelInfo(Settings):
    """`model.yaml`: what a model expects, what it answers, and how it came about.

    dtype, range: of the pixels that the network was trained on; normalisation is part of it.
    preprocess: what is done to the pixels of a file before, see `preprocess`; nothing where it is not told.
    tile: edge in pixels it was trained at; other edges must be multiples of `multiple`, or are not
    possible at all where `fixed_tile` says so.
    ground_sampling_distance: metres per pixel of the training images as the network saw them, None when they did not say.
    ground_sampling_range: the smallest and the largest that it saw, with what crops were enlarged or reduced by.
    checksums: SHA-256 of the folder's files by their names, by which a damaged or exchanged one is recognised; see `check_files`.
    """

    task: Literal["segment", "classify", "generate"]
    name: str
    classes: list[Class]
    bands: BandNumber
    dtype: str = Field(pattern="^(u?int(8|16|32|64)|float(16|32|64))$")
    range: tuple[_Value, _Value]
    preprocess: PreprocessSettings = PreprocessSettings()
    tile: int = Field(ge=1, le=_MOST_PIXELS)
    multiple: int = Field(default=32, ge=1, le=_MOST_PIXELS)
    fixed_tile: bool = False
    ground_sampling_distance: _Metres | None = None
    ground_sampling_range: tuple[_Metres, _Metres] | None = None
    openvino: OpenVinoInfo | None = None
    labels: LabelInfo | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, Any] = Field(default_factory=dict)
    checksums: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)

    @field_validator("range", "ground_sampling_range")
    @classmethod
    def _rises(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and ends[0] > ends[1]:
            raise ValueError("a range begins with its lower end")
        return ends

    @model_validator(mode="after")
    def _labels_fit(self) -> "ModelInfo":
        wanted = len(self.palette) if self.labels and self.labels.multi_label else 0
        if self.labels and len(self.labels.thresholds) != wanted:
            raise ValueError(
                f"labels.thresholds: {wanted} thresholds, one per class of several labels, not {len(self.labels.thresholds)}"
            )
        return self

    def require_task(self, task: str) -> None:
        """Raises InputError when the model was made for something else."""
        if self.task != task:
            raise InputError(f"{self.name}: needed is a model of task {task}. Received one of task {self.task}. Give another.")

    @property
    def palette(self) -> Palette:
        return Palette(self.classes)


def openvino_file(folder: Path) -> Path:
    """Where the OpenVINO form of a model folder stands, if it has one."""
    return folder / OPENVINO_FOLDER / "model.xml"


def save_model_folder(folder: Path, model: "keras.Model", info: ModelInfo) -> None:
    """Writes `model.keras` and `model.yaml` into an existing folder, each whole or not at all.

    What was exported there from an earlier model goes.
    """
    versions = {name: version(name) for name in ("aerial-segment", "keras", "segmentation-models", "numpy")}
    checksums = {MODEL_FILE: save_keras_model(folder / MODEL_FILE, model)}
    save_model_info(folder, info.model_copy(update={"versions": versions, "openvino": None, "checksums": checksums}))
    remove_exports(folder)


def remove_exports(folder: Path) -> None:
    """Takes away what was exported from an earlier model of the folder."""
    shutil.rmtree(folder / OPENVINO_FOLDER, ignore_errors=True)
    (folder / ONNX_FILE).unlink(missing_ok=True)


def save_keras_model(file: Path, model: "keras.Model") -> str:
    """Writes a `.keras` file, whole or not at all, in place of what is there. Returns its checksum."""
    with staged(file, overwrite=True) as partial:
        whole = partial.with_name(f"{partial.name}.keras")  # keras insists on the ending
        try:
            model.save(whole)
            whole.rename(partial)
        finally:
            whole.unlink(missing_ok=True)
        written = checksum(partial)
    return written


def save_model_info(folder: Path, info: ModelInfo) -> None:
    """Writes `model.yaml`, whole or not at all."""
    with staged(folder / INFO_FILE, overwrite=True) as partial:
        partial.write_text(yaml.safe_dump(info.model_dump(mode="json"), sort_keys=False))


def load_model_info(folder: Path) -> ModelInfo:
    """Reads `model.yaml` of a model folder. Raises InputError when it is none."""
    if not (folder / INFO_FILE).is_file() or not (folder / MODEL_FILE).is_file():
        raise InputError(
            f"{folder}: a model folder holds {MODEL_FILE} and {INFO_FILE}. Received neither or one. "
            "Give the folder that training wrote."
        )
    try:
        info = ModelInfo.model_validate(read_yaml(folder / INFO_FILE))
        if info.versions:  # what it ends with
            return info
        raise ValueError("no versions: it was cut off")
    except (yaml.YAMLError, ValueError) as error:
        problem = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            problem = f"{place}: {first['msg'].removeprefix('Value error, ')}, {quoted(first['input'])}"
        raise InputError(f"{folder / INFO_FILE}: must be as training wrote it. Received: {problem}. Restore it.") from error


def check_files(folder: Path, info: ModelInfo, names: Sequence[str], progress: Progress | None = None) -> None:
    """Compares files of a model folder with the checksums in its `model.yaml`; those that it has none of are reported.

    names: relative to the folder. Raises InputError when a file is not there, or is not the one that was written.
    """
    for name in names:
        file, wanted = folder / name, info.checksums.get(name)
        cure = f"Export it again: {info.task}-export {folder} --overwrite" if name in OPENVINO_FILES else "Restore it."
        if not file.is_file():
            raise InputError(f"{file}: is missing, {INFO_FILE} says that the model has it. {cure}")
        if wanted and (found := checksum(file)) != wanted:
            raise InputError(
                f"{file}: is damaged, or of another model. Its SHA-256 begins with {found[:16]}, in {INFO_FILE} with "
                f"{wanted[:16]}. {cure}"
            )
    unchecked = [name for name in names if name not in info.checksums]
    if unchecked and progress:
        progress.say(
            f"note: {folder / INFO_FILE} has no checksum of {', '.join(unchecked)}: damage would not be noticed. "
            "An export of the model adds them."
        )


def bundled_weights(folder: Path, backbone: str) -> str:
    """The file that a bundled model's weights are read from. Raises InputError when it has another backbone."""
    info = load_model_info(folder)
    name = info.name
    check_files(folder, info, [MODEL_FILE])
    if backbone not in name.split("/"):
        raise InputError(f"model.weights: the bundled model is {name}. Received backbone {backbone}. Leave model.backbone out.")
    return str(folder / MODEL_FILE)


def load_keras_model(folder: Path, progress: Progress | None = None) -> "keras.Model":
    """Loads `model.keras` of a model folder, in safe mode. progress: gets a line when it has no checksum.

    Raises InputError when it cannot be read, or is not the one that was written.
    """
    check_files(folder, load_model_info(folder), [MODEL_FILE], progress)
    try:
        return read_keras_model(folder / MODEL_FILE)
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:  # TypeError: layers that Keras lacks
        problem = str(error).split("\n")[0][:200]
        raise InputError(f"{folder / MODEL_FILE}: must be a whole Keras 3 model. Received: {problem}. Restore it.") from error


def read_keras_model(file: Path) -> "keras.Model":
    """Loads a `.keras` file, in safe mode. Raises OSError, ValueError, TypeError, KeyError, EOFError or BadZipFile when it is
    damaged, unpacks to more than a network can hold, or has weights that are not finite."""
    import keras

    require_small_zip(file)
    with ZipFile(file) as archive:  # Keras would call a broken one "not found"
        if broken := archive.testzip():
            raise BadZipFile(f"{broken} is damaged")
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, EOFError):
        raise
    except Exception as error:  # each backend has an error of its own for what does not fit into memory
        raise ValueError(f"its network is too large, too deeply nested or damaged ({type(error).__name__})") from error
    require_finite((weight.path, keras.ops.convert_to_numpy(weight)) for weight in model.weights)
    return model


def see_inside(network: "keras.Model", choose: Callable[["keras.Model"], Any], pixels: Any = None) -> "keras.Model":
    """A network that ends at tensors of the one inside it, a backbone or a U-Net; what stands before that one stays.

    network: such as training wrote. choose: picks the tensors of the inner network, which it is given. pixels: a Keras input to
    take in place of the network's own, of another dtype for instance.
    """
    import keras

    inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    x = pixels = network.inputs[0] if pixels is None else pixels
    for layer in network.layers[1 : network.layers.index(inner)]:  # normalisation
        x = layer(x)
    return keras.Model(pixels, keras.Model(inner.inputs, choose(inner))(x))
