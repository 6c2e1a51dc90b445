"""Model folders: a network and all that is needed to use it."""

import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zipfile import BadZipFile, ZipFile

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from segment.core.config import BandNumber, PreprocessSettings, Settings
from segment.core.errors import InputError, quoted
from segment.core.model.weight_files import checksum, require_finite, require_small_zip
from segment.core.outputs import staged
from segment.core.progress import Progress
from segment.core.raster.classes import Class, ClassTable
from segment.core.yaml_text import read_yaml

if TYPE_CHECKING:
    import keras

MODEL_FILE, INFO_FILE, OPENVINO_FOLDER, ONNX_FILE = "model.keras", "model.yaml", "openvino", "model.onnx"
OPENVINO_FILES = (f"{OPENVINO_FOLDER}/model.xml", f"{OPENVINO_FOLDER}/model.bin")
RECORD_FILE = "tiles.npz"
"""See `segment.core.model.record`."""
NOVELTY_FILE = "novelty.npz"
"""See `segment.mapping.novelty`."""

_MOST_PIXELS = 65_536  # of the edge of a tile or image
Share = Annotated[float, Field(ge=0, le=1)]
_Position = Annotated[int, Field(ge=0, le=65_534)]
_Metres = Annotated[float, Field(gt=0, le=1e6)]
_Value = Annotated[float, Field(ge=-1e39, le=1e39)]  # a little more than a float32 holds

RULE = "a model folder is written by one process."


class OpenVinoInfo(Settings):
    """Description of the OpenVINO export in a model folder.

    Attributes:
        precision: Precision of the weights.
        versions: Versions of the packages that made the export, by name.
        data: For int8, name of the folder that it was quantised on.
        kind: For int8, what the items in that folder are, in the plural.
        calibrated: For int8, number of items used for calibration.
        scored: For int8, number of the other items, which were scored.
        scores: For int8, scores of "keras" and of "int8" on the scored items, 0 to 1.
    """

    precision: Literal["fp16", "int8"]
    versions: dict[str, str] = Field(default_factory=dict)
    data: str | None = None
    kind: str = "tiles"
    calibrated: int = Field(default=0, ge=0, le=2**53)
    scored: int = Field(default=0, ge=0, le=2**53)
    scores: dict[str, dict[str, Share]] = Field(default_factory=dict)


class LabelInfo(Settings):
    """Input and output of a model of scene labels.

    Attributes:
        resize: Length in pixels to which the shorter side of an image is resized; 0 for no
            resizing. The network sees the middle of the result.
        multi_label: Whether an image may have several labels, so that its probabilities do not sum
            to 1.
        temperature: Divisor of the logits, by which probabilities agree with the share of correct
            predictions.
        thresholds: With several labels, the probability from which each class is assigned, one per
            class; otherwise empty.
        read_bands: Bands to read, numbered from 1, of images with `file_bands` bands; None for all
            but alpha.
        file_bands: Number of bands, without alpha, of the images that `read_bands` refers to.
        rgb: Positions of red, green and blue among the bands read, from 0, for display.
        band_names: Names of the bands read in the training images, by which they are found in
            files that name their bands; empty where the training images named none.
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
    """Content of `model.yaml`: input and output of a model, and how it was made.

    Attributes:
        task: What the model does.
        name: Name of the network.
        classes: Class table, including classes that are ignored.
        bands: Number of spectral bands of the input.
        dtype: Data type of the pixels that the network was trained on. Normalisation is part of
            the network.
        range: Smallest and largest value of these pixels.
        preprocess: Preprocessing of the pixels of a file before they enter the network, see
            `preprocess`; none by default.
        tile: Edge of a training tile in pixels.
        multiple: Number that the edge of any other tile must be a multiple of.
        fixed_tile: Whether other edges than `tile` are impossible.
        ground_sampling_distance: Metres per pixel of the training images as the network saw them;
            None where the images did not state it.
        ground_sampling_range: Smallest and largest metres per pixel that the network saw, including
            the enlargement and reduction of crops.
        openvino: Description of the OpenVINO export; None without one.
        labels: Input and output of a model of scene labels; None for other models.
        training: Data, settings and other facts of the training.
        scores: Scores of the model by part of the data.
        checksums: SHA-256 of the files in the folder by name, to detect a damaged or exchanged
            file; see `check_files`.
        versions: Versions of the packages that wrote the model, by name.
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
        wanted = len(self.class_table) if self.labels and self.labels.multi_label else 0
        if self.labels and len(self.labels.thresholds) != wanted:
            raise ValueError(
                f"labels.thresholds: {wanted} thresholds, one per class of several labels, not {len(self.labels.thresholds)}"
            )
        return self

    def require_task(self, task: str) -> None:
        """Checks that the model was made for a task.

        Args:
            task: Task that is needed, as in `task` of this class.

        Raises:
            InputError: If the model was made for another task.
        """
        if self.task != task:
            raise InputError(f"{self.name}: needed is a model of task {task}. Received one of task {self.task}. Give another.")

    @cached_property
    def class_table(self) -> ClassTable:
        """Class table of the model."""
        return ClassTable(self.classes)

    @cached_property
    def class_count(self) -> int:
        """Number of classes that the model tells apart."""
        return len(self.class_table)


def openvino_file(folder: Path) -> Path:
    """Returns the path of a model folder's OpenVINO network.

    Args:
        folder: Model folder.

    Returns:
        Path of the `.xml` file, which exists only if the model was exported.
    """
    return folder / OPENVINO_FOLDER / "model.xml"


def save_model_folder(folder: Path, model: "keras.Model", info: ModelInfo) -> None:
    """Writes `model.keras` and `model.yaml` into an existing folder.

    Each file is written completely or not at all. Exports of an earlier model are removed.

    Args:
        folder: Model folder.
        model: Network to save.
        info: Description of the model. Versions and checksums are filled in, and `openvino` is
            cleared.
    """
    versions = {name: version(name) for name in ("aerial-segment", "keras", "segmentation-models", "numpy")}
    checksums = {MODEL_FILE: save_keras_model(folder / MODEL_FILE, model)}
    save_model_info(folder, info.model_copy(update={"versions": versions, "openvino": None, "checksums": checksums}))
    remove_exports(folder)


def remove_exports(folder: Path) -> None:
    """Removes the exports of an earlier model.

    Args:
        folder: Model folder.
    """
    shutil.rmtree(folder / OPENVINO_FOLDER, ignore_errors=True)
    (folder / ONNX_FILE).unlink(missing_ok=True)


def save_keras_model(file: Path, model: "keras.Model") -> str:
    """Writes a `.keras` file, completely or not at all, and replaces an existing one.

    Args:
        file: File to write.
        model: Network to save.

    Returns:
        SHA-256 of the file, 64 hexadecimal digits.
    """
    with staged(file, overwrite=True) as partial:
        whole = partial.with_name(f"{partial.name}.keras")  # Keras requires this suffix
        try:
            model.save(whole)
            whole.rename(partial)
        finally:
            whole.unlink(missing_ok=True)
        written = checksum(partial)
    return written


def save_model_info(folder: Path, info: ModelInfo) -> None:
    """Writes `model.yaml`, completely or not at all, and replaces an existing one.

    Args:
        folder: Model folder.
        info: Description of the model.
    """
    with staged(folder / INFO_FILE, overwrite=True) as partial:
        partial.write_text(yaml.safe_dump(info.model_dump(mode="json"), sort_keys=False))


def load_model_info(folder: Path) -> ModelInfo:
    """Reads `model.yaml` of a model folder.

    Args:
        folder: Model folder.

    Returns:
        Description of the model.

    Raises:
        InputError: If the folder is no model folder, or its `model.yaml` is damaged.
    """
    if not (folder / INFO_FILE).is_file() or not (folder / MODEL_FILE).is_file():
        raise InputError(
            f"{folder}: a model folder holds {MODEL_FILE} and {INFO_FILE}. Received neither or one. "
            "Give the folder that training wrote."
        )
    try:
        info = ModelInfo.model_validate(read_yaml(folder / INFO_FILE))
        if info.versions:  # the last entry of the file
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
    """Compares files of a model folder with the checksums in its `model.yaml`.

    Args:
        folder: Model folder.
        info: Content of its `model.yaml`.
        names: Paths of the files relative to the folder.
        progress: Prints a note on files without a checksum.

    Raises:
        InputError: If a file is missing, or is not the one that was written.
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
    """Returns the file from which the weights of a bundled model are read.

    Args:
        folder: Model folder of the bundled model.
        backbone: Backbone that the settings ask for.

    Returns:
        Path of its `model.keras`.

    Raises:
        InputError: If the model has another backbone, or its file is missing or damaged.
    """
    info = load_model_info(folder)
    name = info.name
    check_files(folder, info, [MODEL_FILE])
    if backbone not in name.split("/"):
        raise InputError(f"model.weights: the bundled model is {name}. Received backbone {backbone}. Leave model.backbone out.")
    return str(folder / MODEL_FILE)


def load_keras_model(folder: Path, progress: Progress | None = None) -> "keras.Model":
    """Loads `model.keras` of a model folder, in safe mode.

    Args:
        folder: Model folder.
        progress: Prints a note if the file has no checksum.

    Returns:
        The network, not compiled.

    Raises:
        InputError: If the file cannot be read, or is not the one that was written.
    """
    check_files(folder, load_model_info(folder), [MODEL_FILE], progress)
    try:
        return read_keras_model(folder / MODEL_FILE)
    # TypeError is raised for layers that Keras lacks.
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
        problem = str(error).split("\n")[0][:200]
        raise InputError(f"{folder / MODEL_FILE}: must be a whole Keras 3 model. Received: {problem}. Restore it.") from error


def read_keras_model(file: Path) -> "keras.Model":
    """Loads a `.keras` file, in safe mode.

    Args:
        file: File to read.

    Returns:
        The network, not compiled.

    Raises:
        OSError: If the file cannot be read, or is damaged.
        BadZipFile: If the file is no ZIP archive, or is damaged.
        ValueError: If the file unpacks to more than a network can hold, has weights that are not
            finite, or is damaged.
        TypeError: If the network has layers that Keras lacks, or the file is damaged.
        KeyError: If the file is damaged.
        EOFError: If the file is damaged.
    """
    import keras

    require_small_zip(file)
    with ZipFile(file) as archive:  # Keras would report a damaged file as "not found"
        if broken := archive.testzip():
            raise BadZipFile(f"{broken} is damaged")
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, EOFError):
        raise
    except Exception as error:  # each backend raises its own error when memory runs out
        raise ValueError(f"its network is too large, too deeply nested or damaged ({type(error).__name__})") from error
    require_finite((weight.path, keras.ops.convert_to_numpy(weight)) for weight in model.weights)
    return model


def see_inside(network: "keras.Model", choose: Callable[["keras.Model"], Any], pixels: Any = None) -> "keras.Model":
    """Builds a network that ends at tensors of the model inside it, a backbone or a U-Net.

    The layers before the inner model stay.

    Args:
        network: Network as written by training.
        choose: Picks the tensors of the inner model, which it is called with.
        pixels: Keras input that replaces the network's own, for instance one of another dtype.

    Returns:
        A network from pixels to the chosen tensors, which shares its layers with `network`.
    """
    import keras

    inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    x = pixels = network.inputs[0] if pixels is None else pixels
    for layer in network.layers[1 : network.layers.index(inner)]:  # normalisation
        x = layer(x)
    return keras.Model(pixels, keras.Model(inner.inputs, choose(inner))(x))
