"""Export of a model: to OpenVINO in its model folder, or to ONNX for QGIS and others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from segment.config import Config
from segment.core.choices import ExportFormat
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.hub.upload_folder import export_for_hub
from segment.core.lock import alone
from segment.core.model.export import (
    MOST_CALIBRATED,
    Export,
    Predict,
    Sample,
    divide,
    export_openvino,
)
from segment.core.model.folder import ONNX_FILE
from segment.core.model.info import ModelInfo
from segment.core.onnx_models.files import is_onnx
from segment.core.onnx_models.int8 import export_int8
from segment.core.onnx_models.loading import load_model_info
from segment.core.progress import Progress, Silent
from segment.core.splits import PARTS
from segment.data.dataset import TileDataset
from segment.data.patches import Patch, grid_patches
from segment.data.pixels import TilePixels
from segment.data.tiles import find_pairs
from segment.data.training_data import TrainingData
from segment.label_sets import LabelSets
from segment.training.evaluation import read_masks_of, require_fit, require_scores
from segment.training.onnx_export import export_onnx
from segment.training.scoring import score_patches


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

    An ONNX file of others is exported to int8 in FILE_openvino beside it, which is used wherever
    the file is given as a model.

    With int8 and a tile folder, tiles of groups that the model was trained on calibrate the
    quantisation, at most 300, drawn by `seed`. Tiles of other groups are scored before and after.
    Where all or none were trained on, one half calibrates and the other is scored. With int8 and a
    settings file, tiles of training calibrate, as many of each collection as its weight says, and
    those of validation and test are scored.

    Args:
        model: Model folder, or an ONNX file together with `int8`.
        format: "openvino", "onnx", or "hub" (a folder to upload to a hub of models).
        int8: What to quantise on, for OpenVINO: a tile folder, or a settings file (.yaml) with
            `data.collections`, such as that of the run itself. None does not quantise.
        output: File for ONNX, by default `model.onnx` in the model folder, or folder for a hub, by
            default `hub` in it.
        overwrite: Whether an earlier export may be replaced.
        seed: Seed of what is drawn.
        progress: Receives messages and the state of the export.

    Returns:
        The exported model.

    Raises:
        InputError: If `model` is no model, or an ONNX file without `int8`, if the tiles do not fit
            it, if the export exists and `overwrite` is not set, or if a package that is needed is
            not installed.
    """
    folder, progress = Path(model), progress or Silent()
    if format not in get_args(ExportFormat):
        raise InputError(f"format: {format!r}. Choose one of {', '.join(get_args(ExportFormat))}.")
    info = load_model_info(folder, exported=False)
    info.require_task("segment")
    if is_onnx(folder) and (format == "onnx" or int8 is None):
        raise InputError(
            f"{folder}: is an ONNX file, which OpenVINO computes as it is. Add --int8 TILES for"
            " int8, or give it to segment-predict."
        )
    if format == "hub":
        if int8 is not None:
            raise InputError("--int8 is for --format openvino, not hub. Export to OpenVINO first.")
        return export_for_hub(folder, None if output is None else Path(output), overwrite)
    if format == "onnx":
        if int8 is not None:
            raise InputError("--int8 is for --format openvino, not onnx. Leave one of them out.")
        file = Path(output or folder / ONNX_FILE)
        with alone(folder) if file.parent.resolve() == folder.resolve() else nullcontext():
            return export_onnx(folder, info, file, overwrite, progress)
    if output is not None:
        raise InputError(
            f"--output: {output}, but OpenVINO stays in the model folder. Leave it out, or add"
            " --format onnx."
        )
    sample = _collections if int8 is not None and Path(int8).suffix in (".yaml", ".yml") else _tiles
    draw = None if int8 is None else partial(sample, Path(int8), info, seed, progress)
    if draw is not None and is_onnx(folder):
        return export_int8(folder, draw, progress, overwrite)
    return export_openvino(folder, info, progress, draw=draw, overwrite=overwrite, seed=seed)


def _tiles(tiles: Path, info: ModelInfo, seed: int, progress: Progress) -> Sample:
    pairs = require_fit(find_pairs(tiles), info)
    patches = grid_patches(pairs, info.tile)
    if len(patches) < 2:
        raise InputError(
            f"{tiles}: one tile of {info.tile} px, but --int8 needs two, better hundreds. Add"
            " images."
        )
    reading, _ = read_masks_of(tiles, pairs, info, progress)
    groups = info.training.get("groups", {})
    learned = set(groups.get("train", [])) - {
        group for part in PARTS[1:] for group in groups.get(part, [])
    }
    calibrating, scored = divide([patch.pair.group in learned for patch in patches], seed)
    pixels = TilePixels(reading.class_table, "ignore", megabytes=0, names=info.class_table.names)
    parts = [patches[i] for i in calibrating], [patches[i] for i in scored]
    return _sample(tiles, parts, pixels, info, {}, progress)


def _collections(settings: Path, info: ModelInfo, seed: int, progress: Progress) -> Sample:
    config = load_settings(Config, settings)
    if not config.data.collections:
        raise InputError(
            f"{settings}: no data.collections. Name some, or give --int8 a tile folder."
        )
    data = TrainingData.prepare(None, config, progress)
    require_fit(data.pairs, info)
    if data.class_table.names != info.class_table.names:
        raise InputError(
            f"{settings}: classes are {', '.join(data.class_table.names)}, those of the model"
            f" {', '.join(info.class_table.names)}. Give the settings that it was trained with."
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
    train, *held_out = (data.parts[part] for part in PARTS)
    parts = [train[i] for i in sorted(chosen)], [patch for part in held_out for patch in part]
    pixels = TilePixels(data.class_table, "ignore", megabytes=0, tables=data.tables)
    return _sample(settings, parts, pixels, info, data.labels_of_collections, progress)


def _sample(
    source: Path,
    parts: tuple[Sequence[Patch], Sequence[Patch]],
    pixels: TilePixels,
    info: ModelInfo,
    labels: Mapping[str, LabelSets],
    progress: Progress,
) -> Sample:
    """Returns tiles to quantise on.

    `parts` are those that calibrate and those that are scored. `labels` are those of collections,
    see `score_patches`.
    """
    calibration, scored = (
        TileDataset(patches, pixels, info.tile, batch_size, preprocessing=info.preprocess)
        for patches, batch_size in zip(parts, (1, 8), strict=True)
    )

    def score(predict: Predict) -> dict[str, float]:
        found = score_patches(predict, scored, info.class_table.names, progress, labels=labels)
        require_scores(found.confusion, source)
        return {"mean_jaccard": found.mean_jaccard, "accuracy": found.accuracy}

    return Sample(
        data=source.resolve().name,
        kind="tiles",
        calibration=calibration,
        scored=scored.patches,
        score_names={"mean_jaccard": "mean Jaccard", "accuracy": "accuracy"},
        score=score,
    )
