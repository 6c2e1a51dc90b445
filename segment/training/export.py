"""Export of a model: to OpenVINO in its model folder, or to ONNX for QGIS and others."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from segment.config import Config
from segment.core.choices import ExportFormat
from segment.core.config import load_settings
from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.lock import alone
from segment.core.model.conversion import require_converter, save_onnx
from segment.core.model.export import (
    MOST_CALIBRATED,
    Export,
    Predict,
    divide,
    export_openvino,
    tell_preprocessing,
)
from segment.core.model.folder import (
    ONNX_FILE,
    load_keras_model,
    load_model_info,
    save_model_info,
)
from segment.core.model.info import ModelInfo
from segment.core.model.weight_files import checksum
from segment.core.outputs import refuse_existing, staged
from segment.core.progress import Progress, Silent
from segment.core.splits import PARTS
from segment.data.dataset import TileDataset
from segment.data.patches import Patch, grid_patches
from segment.data.pixels import TilePixels
from segment.data.tiles import find_pairs
from segment.data.training_data import TrainingData
from segment.label_sets import LabelSets
from segment.mapping.model_view import choose_tile
from segment.training.evaluation import read_masks_of, require_fit, require_scores
from segment.training.scoring import score_patches

_OVERLAP = 25
"""Overlap that ONNX files recommend to the programs that read them, percent of a tile's edge.

Of 512 px it is a multiple of 32, so that all tiles lie alike on the encoder's reduced grid.
"""


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
    """Exports a model to `openvino/` inside its model folder, or to an ONNX file.

    With int8 and a tile folder, tiles of groups that the model was trained on calibrate the
    quantisation, at most 300, drawn by `seed`. Tiles of other groups are scored before and after.
    Where all or none were trained on, one half calibrates and the other is scored. With int8 and a
    settings file, tiles of training calibrate, as many of each collection as its weight says, and
    those of validation and test are scored.

    Args:
        model: Model folder.
        format: "openvino" or "onnx".
        int8: What to quantise on, for OpenVINO: a tile folder, or a settings file (.yaml) with
            `data.collections`, such as that of the run itself. None does not quantise.
        output: File for ONNX; by default `model.onnx` in the model folder.
        overwrite: Whether an earlier export may be replaced.
        seed: Seed of what is drawn.
        progress: Receives messages and the state of the export.

    Returns:
        The exported model.

    Raises:
        InputError: If `model` is not a model folder, if the tiles do not fit it, if the export
            exists and `overwrite` is not set, or if a package that is needed is not installed.
    """
    folder, progress = Path(model), progress or Silent()
    if format not in get_args(ExportFormat):
        raise InputError(
            f"Formats are {', '.join(get_args(ExportFormat))}. Received {format!r}. Choose one of"
            " them."
        )
    info = load_model_info(folder)
    info.require_task("segment")
    if format == "onnx":
        if int8 is not None:
            raise InputError(
                "--int8 is for --format openvino. Received --format onnx. Leave one of them out."
            )
        file = Path(output or folder / ONNX_FILE)
        with alone(folder) if file.parent.resolve() == folder.resolve() else nullcontext():
            return _export_onnx(folder, info, file, overwrite, progress)
    if output is not None:
        raise InputError(
            f"--output is for --format onnx, OpenVINO stays in the model folder. Received {output}."
            " Leave it out."
        )
    sample = _collections if int8 is not None and Path(int8).suffix in (".yaml", ".yml") else _tiles
    draw = None if int8 is None else partial(sample, Path(int8), info, seed, progress)
    return export_openvino(folder, info, progress, draw=draw, overwrite=overwrite, seed=seed)


def _tiles(tiles: Path, info: ModelInfo, seed: int, progress: Progress) -> "_Tiles":
    pairs = require_fit(find_pairs(tiles), info)
    patches = grid_patches(pairs, info.tile)
    if len(patches) < 2:
        raise InputError(
            f"{tiles}: --int8 needs two tiles of {info.tile} px, better hundreds. Received one. Add"
            " images."
        )
    reading, _ = read_masks_of(tiles, pairs, info, progress)
    groups = info.training.get("groups", {})
    learned = set(groups.get("train", [])) - {
        group for part in PARTS[1:] for group in groups.get(part, [])
    }
    calibrating, scored = divide([patch.pair.group in learned for patch in patches], seed)
    pixels = TilePixels(reading.class_table, "ignore", megabytes=0, names=info.class_table.names)
    return _Tiles(
        tiles,
        [patches[i] for i in calibrating],
        [patches[i] for i in scored],
        pixels,
        info=info,
        labels={},
        progress=progress,
    )


def _collections(settings: Path, info: ModelInfo, seed: int, progress: Progress) -> "_Tiles":
    config = load_settings(Config, settings)
    if not config.data.collections:
        raise InputError(
            f"{settings}: --int8 takes a tile folder, or settings with data.collections. Received"
            " none. Name some."
        )
    data = TrainingData.prepare(None, config, progress)
    require_fit(data.pairs, info)
    if data.class_table.names != info.class_table.names:
        raise InputError(
            f"{settings}: classes must be those of the model, {', '.join(info.class_table.names)}."
            f" Received {', '.join(data.class_table.names)}. Give the settings that it was trained"
            " with."
        )
    weights = {one.name: one.weight for one in data.collections}
    counts = Counter(patch.pair.collection for patch in data.parts["train"])
    shares = np.array(
        [weights[p.pair.collection] / counts[p.pair.collection] for p in data.parts["train"]]
    )
    drawn = min(MOST_CALIBRATED, int(np.count_nonzero(shares)))
    chosen = np.random.default_rng(seed).choice(
        len(shares), drawn, replace=False, p=shares / shares.sum()
    )
    calibrating, held_out = (
        [data.parts["train"][i] for i in sorted(chosen)],
        [
            *data.parts["val"],
            *data.parts["test"],
        ],
    )
    pixels = TilePixels(data.class_table, "ignore", megabytes=0, tables=data.tables)
    return _Tiles(
        settings,
        calibrating,
        held_out,
        pixels,
        info=info,
        labels=data.labels_of_collections,
        progress=progress,
    )


class _Tiles:
    """Tiles to quantise on, see `segment.core.model.export.Sample`.

    `labels` are those of collections, see `score_patches`.
    """

    kind = "tiles"
    score_names: Mapping[str, str] = MappingProxyType(
        {"mean_jaccard": "mean Jaccard", "accuracy": "accuracy"}
    )

    def __init__(
        self,
        source: Path,
        calibrating: Sequence[Patch],
        scored: Sequence[Patch],
        pixels: TilePixels,
        *,
        info: ModelInfo,
        labels: Mapping[str, LabelSets],
        progress: Progress,
    ):
        def dataset(patches: Sequence[Patch], batch_size: int) -> TileDataset:
            return TileDataset(
                patches, pixels, info.tile, batch_size, preprocessing=info.preprocess
            )

        self._calibration, self._scored = dataset(calibrating, 1), dataset(scored, 8)
        self._source, self._names, self._labels, self._progress = (
            source,
            info.class_table.names,
            labels,
            progress,
        )
        self.data, self.calibrated, self.scored = (
            source.resolve().name,
            len(calibrating),
            len(scored),
        )

    def pixels(self, index: int) -> NDArray[Any]:
        return self._calibration[index][0]

    def score(self, predict: Predict) -> dict[str, float]:
        found = score_patches(
            predict, self._scored, self._names, self._progress, labels=self._labels
        )
        require_scores(found.confusion, self._source)
        return {"mean_jaccard": found.mean_jaccard, "accuracy": found.accuracy}


def _export_onnx(
    folder: Path, info: ModelInfo, file: Path, overwrite: bool, progress: Progress
) -> Export:
    if file.suffix != ".onnx":
        raise InputError(f"--output: ONNX files end in .onnx. Received {file}. Rename it.")
    refuse_existing(file, overwrite)
    require_converter("onnx", "tf2onnx", extra="onnx")
    network = load_keras_model(folder, progress)
    with staged(file, overwrite) as partial_file, writable(file):
        progress.advance("converting", 0, 1)
        save_onnx(network, partial_file, choose_tile(info), pixel_scale(info), onnx_metadata(info))
        progress.advance("converting", 1, 1)
        written = checksum(partial_file)
    if file.resolve() == (folder / ONNX_FILE).resolve():
        save_model_info(
            folder, info.model_copy(update={"checksums": info.checksums | {ONNX_FILE: written}})
        )
    if info.ground_sampling_distance is None:
        progress.say(
            "warning: the training images did not say how large a pixel is: set the resolution"
            " where the file is used"
        )
    if info.bands != 3 or info.dtype not in ("uint8", "uint16"):
        progress.say(
            f"warning: geodeep maps RGB of uint8 or uint16, not {info.bands} bands of {info.dtype};"
            " Deepness does"
        )
    tell_preprocessing(info, progress)
    return Export(file)


def pixel_scale(info: ModelInfo) -> float:
    """Returns the number by which pixels are divided before an ONNX file sees them.

    Args:
        info: Description of the model.

    Returns:
        The range of an integer dtype; 1 for floating point.
    """
    dtype = np.dtype(info.dtype)
    return float(np.iinfo(dtype).max) - float(np.iinfo(dtype).min) if dtype.kind in "iu" else 1.0


def onnx_metadata(info: ModelInfo) -> dict[str, str]:
    """Returns the metadata that Deepness, a plugin of QGIS, and geodeep read from an ONNX file.

    Deepness feeds (pixels / 255 - mean) / std, whatever the dtype. geodeep divides integers by
    their range and reads neither mean nor std. Thresholds of 0 make both take the most probable
    class, as maps do here. "preprocess", which neither knows, describes what is done to pixels
    before, if anything is: see `preprocess`.
    https://qgis-plugin-deepness.readthedocs.io/en/latest/creators/creators_add_metadata_to_model.html

    Args:
        info: Description of the model.

    Returns:
        JSON text by key.
    """
    names = (
        [*info.class_table.names, "nothing"]
        if len(info.class_table) == 1
        else info.class_table.names
    )
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
        # centimetres per pixel
        values["resolution"] = round(100 * info.ground_sampling_distance, 2)
    if not info.preprocess.is_off:
        values["preprocess"] = info.preprocess.model_dump()
    return {key: json.dumps(value) for key, value in values.items()}
