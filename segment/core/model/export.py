"""Export of model folders to OpenVINO, in fp16 or in int8 that is scored on labelled data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.disk import writable
from segment.core.lock import alone
from segment.core.model.conversion import require_converter
from segment.core.model.folder import (
    MODEL_FILE,
    OPENVINO_FILES,
    load_keras_model,
    openvino_file,
    save_model_info,
)
from segment.core.model.info import ModelInfo, OpenVinoInfo
from segment.core.model.openvino_model import OpenVinoModel
from segment.core.model.openvino_network import (
    convert_to_openvino,
    quantise,
    require_same_answers,
    save_openvino,
)
from segment.core.model.weight_files import checksum
from segment.core.outputs import refuse_existing, staged
from segment.core.progress import Progress

if TYPE_CHECKING:
    import keras

MOST_CALIBRATED = 300
TOLERATED_FALL = 0.005
"""Loss of a score through int8, 0 to 1, above which a warning is printed."""

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Labelled data for quantisation: some items calibrate, the others are scored before and after.

    Attributes:
        data: Names of the folders.
        kind: What the items are, in the plural, such as "tiles".
        calibration: Items that calibrate, in batches of one: pixels (1, rows, columns, bands) in
            the model's dtype, and labels.
        scored: Items that are scored.
        score_names: Title of each score, by its key.
        score: Scores a model, given by what it predicts of a batch of pixels: scores by their keys,
            0 to 1.
    """

    data: str
    kind: str
    calibration: "keras.utils.PyDataset"
    scored: Sequence[object]
    score_names: Mapping[str, str]
    score: Callable[[Predict], Mapping[str, float]]


@dataclass(frozen=True)
class Export:
    """An exported model.

    Attributes:
        path: File or folder of the export.
        openvino: The entry of `model.yaml`; None for an export that is not OpenVINO.
        score_names: Title of each score in `openvino`, by its key; None where nothing was scored.
        form: What is written if it is not OpenVINO.
    """

    path: Path
    openvino: OpenVinoInfo | None = None
    score_names: Mapping[str, str] | None = None
    form: str = "ONNX"

    @property
    def megabytes(self) -> float:
        """Size of the file, or of all files in the folder, in MiB."""
        files = [f for f in self.path.rglob("*") if f.is_file()] or [self.path]
        return sum(file.stat().st_size for file in files) / 2**20

    def __str__(self) -> str:
        """Returns the path, format and size, and a table of the scores where there are some."""
        if self.openvino is None:
            return f"{self.path}: {self.form}, {self.megabytes:.1f} MB"
        info = self.openvino
        lines = [f"{self.path}: OpenVINO in {info.precision}, {self.megabytes:.1f} MB"]
        if self.score_names:
            before = next(name for name in info.scores if name != "int8")
            lines += [
                (
                    f"quantised on {info.calibrated} {info.kind} of {info.data}, scored on"
                    f" {info.scored} others:"
                ),
                f"{'':14}{before:>8}{'int8':>8}",
            ]
            for key, title in self.score_names.items():
                old, new = info.scores[before][key], info.scores["int8"][key]
                lines.append(f"{title:14}{old:8.4f}{new:8.4f}  {100 * (new - old):+.2f} points")
        return "\n".join(lines)


def export_openvino(
    folder: Path,
    info: ModelInfo,
    progress: Progress,
    *,
    draw: Callable[[], Sample] | None = None,
    overwrite: bool = False,
    seed: int = 0,
) -> Export:
    """Writes `openvino/` into a model folder and records it in `model.yaml`.

    Args:
        folder: Model folder.
        info: Content of its `model.yaml`.
        progress: Shows the steps, and prints warnings.
        draw: Returns the sample to quantise on. Without it, weights become fp16.
        overwrite: Whether to replace an earlier OpenVINO export.
        seed: Seed of the noise on which the outputs of Keras and of fp16 are compared.

    Returns:
        The export, with the scores of the sample.

    Raises:
        InputError: If there is an OpenVINO export already, if another process is writing the model
            folder, if a package that is needed is not installed, or as `draw` does.
        RuntimeError: If the outputs of Keras and of fp16 differ.
    """
    file = openvino_file(folder)
    names = (file.name, file.with_suffix(".bin").name)
    with alone(folder):
        # An export that model.yaml does not list was left by a process that was killed.
        refuse_existing(file.parent, overwrite or info.openvino is None, names)
        require_converter(*(["nncf"] if draw else []), extra="quantize")
        sample = draw() if draw else None
        network = load_keras_model(folder, progress)
        progress.advance("converting", 0, 1)
        converted = convert_to_openvino(network)
        progress.advance("converting", 1, 1)
        made = OpenVinoInfo(precision="fp16", versions={"openvino": version("openvino")})
        with staged(file.parent, True, names) as partial, writable(file.parent):
            partial.mkdir()
            if sample:
                converted = quantise(converted, sample.calibration, progress)
            save_openvino(converted, partial / file.name)
            if sample:
                int8 = OpenVinoModel(info, partial / file.name).predict
                forms = {"keras": network.predict_on_batch, "int8": int8}
                made = scored_in_int8(sample, forms, made, progress)
            else:
                shape = (1, info.tile, info.tile, info.bands)
                noise = np.random.default_rng(seed).uniform(*info.range, shape).astype(info.dtype)
                require_same_answers(network, partial / file.name, noise)
            # No entry for OpenVINO until the new export is complete.
            save_model_info(folder, info.model_copy(update={"openvino": None}))
        checksums = {name: checksum(folder / name) for name in (MODEL_FILE, *OPENVINO_FILES)}
        made_of = {"openvino": made, "checksums": info.checksums | checksums}
        save_model_info(folder, info.model_copy(update=made_of))
    warn_of_preprocessing(info, progress)
    return Export(file.parent, made, sample.score_names if sample else None)


def divide(learned: Sequence[bool], seed: int) -> tuple[list[int], list[int]]:
    """Divides labelled items at random into those that calibrate and those that are scored.

    Items that are new to the model are scored, and those that it was trained on calibrate. Where
    all or none are new, half calibrate and the others are scored. No more than `MOST_CALIBRATED`
    items calibrate.

    Args:
        learned: For each item, whether the model was trained on it.
        seed: Seed of the random order.

    Returns:
        Positions of the items that calibrate, and of those that are scored, both in rising order.
    """
    order = np.random.default_rng(seed).permutation(len(learned)).tolist()
    known, new = ([i for i in order if learned[i] is which] for which in (True, False))
    if known and new:
        return sorted(known[:MOST_CALIBRATED]), sorted(new)
    calibrated = min(MOST_CALIBRATED, len(order) // 2)
    return sorted(order[:calibrated]), sorted(order[calibrated:])


def warn_of_preprocessing(info: ModelInfo, progress: Progress) -> None:
    """Warns if other programs must preprocess pixels, which an exported network does not do.

    Args:
        info: Description of the exported model.
        progress: Prints the warning.
    """
    if not info.preprocess.is_off:
        progress.say(
            "warning: other programs have to preprocess pixels as this model's commands do:"
            f" {info.preprocess}"
        )
    if scale := info.pixels.scale:
        progress.say(
            "warning: other programs have to bring pixels to 8 bits as this model's commands do:"
            f" {scale.ends} of {scale.dtype} become 0 to 255"
        )


def scored_in_int8(
    sample: Sample, forms: Mapping[str, Predict], made: OpenVinoInfo, progress: Progress
) -> OpenVinoInfo:
    """Scores a model before and after quantisation, and warns if that costs much.

    Args:
        sample: The sample that it was quantised on.
        forms: What the model predicts before, and as "int8"; by the names of the two.
        made: Description of the export without scores.
        progress: Prints the warning.

    Returns:
        The description with precision, data and scores.
    """
    before = next(iter(forms))
    scores = {name: sample.score(predict) for name, predict in forms.items()}
    for key, title in sample.score_names.items():
        fall = scores[before][key] - scores["int8"][key]
        if fall > TOLERATED_FALL:
            progress.say(
                f"warning: int8 costs {100 * fall:.2f} points of {title}, which is more than"
                f" {100 * TOLERATED_FALL:g}. Quantise on more {sample.kind}, such as those it was"
                " trained on, or export without --int8."
            )
            break
    return made.model_copy(
        update={
            "precision": "int8",
            "versions": made.versions | {"nncf": version("nncf")},
            "data": sample.data,
            "kind": sample.kind,
            "calibrated": len(sample.calibration),
            "scored": len(sample.scored),
            "scores": {
                name: {k: round(v, 6) for k, v in found.items()} for name, found in scores.items()
            },
        }
    )
