"""Model folders get their OpenVINO form: in fp16, or in int8, quantised and measured on labelled data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segment.core.lock import alone
from segment.core.model.conversion import convert_to_openvino, quantise, require_converter, require_same_answers, save_openvino
from segment.core.model.folder import (
    MODEL_FILE,
    OPENVINO_FILES,
    RULE,
    ModelInfo,
    OpenVinoInfo,
    load_keras_model,
    openvino_file,
    save_model_info,
)
from segment.core.model.runtime import OpenVinoModel
from segment.core.model.weight_files import checksum
from segment.core.outputs import refuse_existing, staged, writable
from segment.core.progress import Progress

MOST_CALIBRATED = 300
TOLERATED_FALL = 0.005
"""Of a score; more is warned of."""

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


class Sample(Protocol):
    """Labelled data to quantise by: some that calibrate, the others scored before and after.

    data: name of the folder. kind: what is counted, in the plural. calibrated, scored: how many.
    score_names: title of each score, by its key.
    """

    data: str
    kind: str
    calibrated: int
    scored: int
    score_names: Mapping[str, str]

    def pixels(self, index: int) -> NDArray[Any]:
        """The index-th of those that calibrate, (1, rows, columns, bands) in the model's dtype."""

    def score(self, predict: Predict) -> dict[str, float]:
        """Scores, 0 to 1, over those that do not calibrate."""


@dataclass(frozen=True)
class Export:
    """A model in another form. path: its file or folder. openvino: what model.yaml says of it, where it is OpenVINO."""

    path: Path
    openvino: OpenVinoInfo | None = None
    score_names: Mapping[str, str] | None = None

    @property
    def megabytes(self) -> float:
        files = self.path.iterdir() if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files) / 2**20

    def __str__(self) -> str:
        if self.openvino is None:
            return f"{self.path}: ONNX, {self.megabytes:.1f} MB"
        info = self.openvino
        lines = [f"{self.path}: OpenVINO in {info.precision}, {self.megabytes:.1f} MB"]
        if self.score_names:
            lines += [
                f"quantised on {info.calibrated} {info.kind} of {info.data}, scored on {info.scored} others:",
                f"{'':14}{'keras':>8}{'int8':>8}",
            ]
            for key, title in self.score_names.items():
                before, after = info.scores["keras"][key], info.scores["int8"][key]
                lines.append(f"{title:14}{before:8.4f}{after:8.4f}  {100 * (after - before):+.2f} points")
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
    """Writes `openvino/` into a model folder and says so in its model.yaml.

    draw: makes the sample to quantise by; without, weights become fp16. seed: of the noise that the answers are compared on.

    Raises InputError when there is one already, when another process is writing the model folder, when a package that is
    needed is not installed, and as `draw` does.
    """
    with alone(folder, RULE):
        return _export_openvino(folder, info, progress, draw, overwrite, seed)


def _export_openvino(
    folder: Path, info: ModelInfo, progress: Progress, draw: Callable[[], Sample] | None, overwrite: bool, seed: int
) -> Export:
    file = openvino_file(folder)
    # what model.yaml does not know of is left from an export that was killed
    refuse_existing(file.parent, overwrite or info.openvino is None, _files(file))
    require_converter(*(["nncf"] if draw else []), extra="quantize")
    sample = draw() if draw else None
    network = load_keras_model(folder, progress)
    progress.advance("converting", 0, 1)
    converted = convert_to_openvino(network)
    progress.advance("converting", 1, 1)
    made = OpenVinoInfo(precision="fp16", versions={"openvino": version("openvino")})
    with staged(file.parent, True, _files(file)) as partial, writable(file.parent):
        partial.mkdir()
        if sample:
            converted = quantise(
                converted,
                sample.pixels,
                sample.calibrated,
                lambda done, total: progress.advance("calibrating", done, total),
            )
        save_openvino(converted, partial / file.name)
        if sample:
            made = _score(sample, network.predict_on_batch, OpenVinoModel(info, partial / file.name).predict, made, progress)
        else:
            noise = np.random.default_rng(seed).uniform(*info.range, (1, info.tile, info.tile, info.bands))
            require_same_answers(network, partial / file.name, noise.astype(info.dtype))
        save_model_info(folder, info.model_copy(update={"openvino": None}))  # until all of the new one is in place
    checksums = {name: checksum(folder / name) for name in (MODEL_FILE, *OPENVINO_FILES)}
    save_model_info(folder, info.model_copy(update={"openvino": made, "checksums": info.checksums | checksums}))
    tell_preprocessing(info, progress)
    return Export(file.parent, made, sample.score_names if sample else None)


def divide(learned: Sequence[bool], seed: int) -> tuple[list[int], list[int]]:
    """Which of some labelled things calibrate, and which are scored, drawn by seed; of the former no more than are needed.

    learned: for each, whether the model was trained on it. What is new to the model is scored and what it learned from
    calibrates; where all or none are new, half calibrate and the others are scored.
    """
    order = np.random.default_rng(seed).permutation(len(learned)).tolist()
    known, new = ([i for i in order if learned[i] is which] for which in (True, False))
    if known and new:
        return sorted(known[:MOST_CALIBRATED]), sorted(new)
    calibrated = min(MOST_CALIBRATED, len(order) // 2)
    return sorted(order[:calibrated]), sorted(order[calibrated:])


def tell_preprocessing(info: ModelInfo, progress: Progress) -> None:
    """Says what a network that was exported does not do by itself, where there is something."""
    if not info.preprocess.is_off:
        progress.say(f"warning: other programs have to preprocess pixels as this model's commands do: {info.preprocess}")


def _files(file: Path) -> tuple[str, str]:
    return file.name, file.with_suffix(".bin").name


def _score(sample: Sample, keras: Predict, int8: Predict, made: OpenVinoInfo, progress: Progress) -> OpenVinoInfo:
    scores = {"keras": sample.score(keras), "int8": sample.score(int8)}
    for key, title in sample.score_names.items():
        fall = scores["keras"][key] - scores["int8"][key]
        if fall > TOLERATED_FALL:
            progress.say(
                f"warning: int8 costs {100 * fall:.2f} points of {title}, which is more than {100 * TOLERATED_FALL:g}. "
                f"Quantise on more {sample.kind}, such as those it was trained on, or export without --int8."
            )
            break
    return made.model_copy(
        update={
            "precision": "int8",
            "versions": made.versions | {"nncf": version("nncf")},
            "data": sample.data,
            "kind": sample.kind,
            "calibrated": sample.calibrated,
            "scored": sample.scored,
            "scores": {name: {k: round(v, 6) for k, v in found.items()} for name, found in scores.items()},
        }
    )
