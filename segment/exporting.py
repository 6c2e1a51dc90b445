"""A model in other forms: for OpenVINO in its model folder, for QGIS and others as ONNX."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import numpy as np

from segment.core.choices import ExportFormat
from segment.core.errors import InputError
from segment.core.export import (
    convert_to_openvino,
    quantise,
    require_converter,
    require_same_answers,
    save_onnx,
    save_openvino,
)
from segment.core.model_folder import (
    ONNX_FILE,
    ModelInfo,
    OpenVinoInfo,
    load_keras_model,
    load_model_info,
    openvino_file,
    save_model_info,
)
from segment.core.output import refuse_existing, staged, writable
from segment.core.progress import Progress, Silent
from segment.core.runtime import OpenVinoModel
from segment.dataset import TileDataset, TilePixels
from segment.evaluation import Predict, score_patches
from segment.scene import choose_tile
from segment.tiles import Patch, find_pairs, find_palette, grid_patches

MOST_CALIBRATION_TILES = 300
TOLERATED_FALL = 0.005
"""Of mean Jaccard; more is warned of."""

_OVERLAP = 25
"""Percent of a tile's edge that readers of ONNX files are told to share between neighbours: of 512 px that is a multiple of
32, so that all tiles lie alike on the grid that the encoder reduces to."""


@dataclass(frozen=True)
class Export:
    """A model in another form. path: its file or folder. openvino: what model.yaml says of it, where it is OpenVINO."""

    path: Path
    openvino: OpenVinoInfo | None = None

    @property
    def megabytes(self) -> float:
        files = self.path.iterdir() if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files) / 2**20

    def __str__(self) -> str:
        if self.openvino is None:
            return f"{self.path}: ONNX, {self.megabytes:.1f} MB"
        info = self.openvino
        lines = [f"{self.path}: OpenVINO in {info.precision}, {self.megabytes:.1f} MB"]
        if info.scores:
            lines += [
                f"quantised on {info.calibration_tiles} tiles of {info.tiles}, scored on {info.scored_tiles} others:",
                f"{'':14}{'keras':>8}{'int8':>8}",
            ]
            for label, key in (("mean Jaccard", "mean_jaccard"), ("accuracy", "accuracy")):
                before, after = info.scores["keras"][key], info.scores["int8"][key]
                lines.append(f"{label:14}{before:8.4f}{after:8.4f}  {100 * (after - before):+.2f} points")
        return "\n".join(lines)


def export_model(
    model: Path | str,
    format: ExportFormat = "openvino",
    *,
    int8: Path | str | None = None,
    output: Path | str | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Export:
    """Writes a model in another form: `openvino/` inside its model folder, or an ONNX file.

    int8: a tile folder to quantise on, for OpenVINO: half of its tiles, at most 300, drawn by `seed`, calibrate; the
    others are scored before and after. output: of ONNX, by default `model.onnx` in the model folder.

    Raises InputError when the model is none, when the tiles do not fit it, when something exists already, and when a
    package that is needed is not installed.
    """
    folder, progress = Path(model), progress or Silent()
    if format not in get_args(ExportFormat):
        raise InputError(f"Formats are {', '.join(get_args(ExportFormat))}. Received {format!r}. Choose one of them.")
    info = load_model_info(folder)
    info.require_task("segment")
    if format == "onnx":
        if int8 is not None:
            raise InputError("--int8 is for --format openvino. Received --format onnx. Leave one of them out.")
        return _export_onnx(folder, info, Path(output or folder / ONNX_FILE), overwrite, progress)
    if output is not None:
        raise InputError(f"--output is for --format onnx, OpenVINO stays in the model folder. Received {output}. Leave it out.")
    return _export_openvino(folder, info, None if int8 is None else Path(int8), overwrite, seed, progress)


def _export_openvino(folder: Path, info: ModelInfo, tiles: Path | None, overwrite: bool, seed: int, progress: Progress) -> Export:
    file = openvino_file(folder)
    # what model.yaml does not know of is left from an export that was killed
    refuse_existing(file.parent, overwrite or info.openvino is None, _files(file))
    require_converter(*(["nncf"] if tiles else []), extra="quantize")
    sample = _Sample.draw(tiles, info, seed) if tiles else None
    network = load_keras_model(folder)
    progress.advance("converting", 0, 1)
    converted = convert_to_openvino(network)
    progress.advance("converting", 1, 1)
    made = OpenVinoInfo(precision="fp16", versions={"openvino": version("openvino")})
    with staged(file.parent, True, _files(file)) as partial, writable(file.parent):
        partial.mkdir()
        if sample:
            converted = quantise(
                converted,
                lambda index: sample.calibration[index][0],
                len(sample.calibration),
                lambda done, total: progress.advance("calibrating", done, total),
            )
        save_openvino(converted, partial / file.name)
        if not sample:
            noise = np.random.default_rng(seed).uniform(*info.range, (1, info.tile, info.tile, info.bands))
            require_same_answers(network, partial / file.name, noise.astype(info.dtype))
        else:
            made = sample.score(network.predict_on_batch, OpenVinoModel(info, partial / file.name).predict, made, progress)
        save_model_info(folder, info.model_copy(update={"openvino": None}))  # until all of the new one is in place
    save_model_info(folder, info.model_copy(update={"openvino": made}))
    return Export(file.parent, made)


def _files(file: Path) -> tuple[str, str]:
    return file.name, file.with_suffix(".bin").name


@dataclass(frozen=True)
class _Sample:
    """Tiles to quantise by: some that calibrate, one at a time, and the others, which are scored."""

    tiles: Path
    names: list[str]
    calibration: TileDataset
    scored: TileDataset

    @classmethod
    def draw(cls, tiles: Path, info: ModelInfo, seed: int) -> "_Sample":
        pairs = find_pairs(tiles)
        first = pairs[0].info
        if (first.bands, first.dtype) != (info.bands, info.dtype):
            raise InputError(
                f"{first.path}: the model reads {info.bands} bands of {info.dtype}. Received {first.bands} of {first.dtype}. "
                "Quantise on images like those it was trained on."
            )
        patches = grid_patches(pairs, info.tile)
        if len(patches) < 2:
            raise InputError(f"{tiles}: --int8 needs two tiles of {info.tile} px, better hundreds. Received one. Add images.")
        order = list(range(len(patches)))
        random.Random(seed).shuffle(order)
        count = min(MOST_CALIBRATION_TILES, len(patches) // 2)
        pixels = TilePixels(find_palette(tiles, pairs) or info.palette, "ignore", megabytes=0, names=info.palette.names)

        def dataset(chosen: Sequence[int], batch_size: int) -> TileDataset:
            ordered: list[Patch] = [patches[index] for index in sorted(chosen)]  # each image is read once
            return TileDataset(ordered, pixels, info.tile, batch_size)

        return cls(tiles, info.palette.names, dataset(order[:count], 1), dataset(order[count:], 8))

    def score(self, keras: Predict, int8: Predict, made: OpenVinoInfo, progress: Progress) -> OpenVinoInfo:
        """What model.yaml is to say. Raises InputError when the masks hold none of the classes."""
        before, after = (score_patches(predict, self.scored, self.names, progress).confusion for predict in (keras, int8))
        pixels = int(before.matrix.sum())
        if not pixels:
            raise InputError(
                f"{self.tiles}: masks must hold classes of the model ({', '.join(self.names)}). Received none. "
                "Lay the masks' own classes.yaml beside them, with the model's class names."
            )
        fall = before.mean_jaccard - after.mean_jaccard
        if fall > TOLERATED_FALL:
            progress.say(
                f"warning: int8 costs {100 * fall:.2f} points of mean Jaccard, which is more than {100 * TOLERATED_FALL:g}. "
                "Quantise on more tiles, such as the training tiles, or export without --int8."
            )
        return made.model_copy(
            update={
                "precision": "int8",
                "versions": made.versions | {"nncf": version("nncf")},
                "tiles": self.tiles.resolve().name,
                "calibration_tiles": len(self.calibration.patches),
                "scored_tiles": len(self.scored.patches),
                "pixels": pixels,
                "scores": {
                    name: {"mean_jaccard": round(c.mean_jaccard, 6), "accuracy": round(c.accuracy, 6)}
                    for name, c in (("keras", before), ("int8", after))
                },
            }
        )


def _export_onnx(folder: Path, info: ModelInfo, file: Path, overwrite: bool, progress: Progress) -> Export:
    if file.suffix != ".onnx":
        raise InputError(f"--output: ONNX files end in .onnx. Received {file}. Rename it.")
    refuse_existing(file, overwrite)
    require_converter("onnx", "tf2onnx", extra="onnx")
    network = load_keras_model(folder)
    with staged(file, overwrite) as partial, writable(file):
        progress.advance("converting", 0, 1)
        save_onnx(network, partial, choose_tile(info), pixel_scale(info), onnx_metadata(info))
        progress.advance("converting", 1, 1)
    if info.ground_sampling_distance is None:
        progress.say("warning: the training images did not say how large a pixel is: set the resolution where the file is used")
    if info.bands != 3 or info.dtype not in ("uint8", "uint16"):
        progress.say(f"warning: geodeep maps RGB of uint8 or uint16, not {info.bands} bands of {info.dtype}; Deepness does")
    return Export(file)


def pixel_scale(info: ModelInfo) -> float:
    """What pixels are divided by before an ONNX file sees them: the range of an integer dtype; 1 for floating point."""
    dtype = np.dtype(info.dtype)
    return float(np.iinfo(dtype).max) - float(np.iinfo(dtype).min) if dtype.kind in "iu" else 1.0


def onnx_metadata(info: ModelInfo) -> dict[str, str]:
    """What Deepness, a plugin of QGIS, and geodeep read of an ONNX file, as JSON by key.

    Deepness feeds (pixels / 255 - mean) / std, whatever the dtype; geodeep divides integers by their range and reads
    neither mean nor std. Thresholds of 0 make both take the most probable class, as maps do here.
    https://qgis-plugin-deepness.readthedocs.io/en/latest/creators/creators_add_metadata_to_model.html
    """
    names = [*info.palette.names, "nothing"] if len(info.palette) == 1 else info.palette.names
    values = {
        "model_type": "Segmentor",
        "class_names": {str(index): name for index, name in enumerate(names)},
        "tile_size": choose_tile(info),
        "tiles_size": choose_tile(info),
        "tiles_overlap": _OVERLAP,
        "standardization_mean": [0.0] * info.bands,
        "standardization_std": [pixel_scale(info) / 255] * info.bands,
        "seg_thresh": 0.0,
        "seg_small_segment": 0,
    }
    if info.ground_sampling_distance is not None:
        values["resolution"] = round(100 * info.ground_sampling_distance, 2)  # centimetres per pixel
    return {key: json.dumps(value) for key, value in values.items()}
