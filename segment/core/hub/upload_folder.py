"""Folders to upload to a hub of models: a model at half its size, with a card."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from segment.core.errors import InputError, counted
from segment.core.hub.download import HUB_FILES
from segment.core.model.bundle import bundle_model
from segment.core.model.export import Export
from segment.core.model.folder import (
    OPENVINO_FILES,
    OPENVINO_FOLDER,
    check_files,
    load_model_info,
    save_model_info,
)
from segment.core.model.info import ModelInfo
from segment.core.outputs import staged

CARD_FILE = "README.md"
HUB_FOLDER = "hub"
_NAMES = (CARD_FILE, OPENVINO_FOLDER, *HUB_FILES)
_SCORES = {
    "mean_jaccard": "mean Jaccard",
    "accuracy": "accuracy",
    "f1_macro": "macro F1",
    "mean_average_precision": "mean average precision",
    "calibration_error": "calibration error",
}
_TASKS = {"segment": "image-segmentation", "classify": "image-classification"}
_COMMANDS = {
    "segment": "segment-predict scene.tif --model hf://OWNER/NAME",
    "classify": "classify-predict photo.jpg --model hf://OWNER/NAME",
}


def export_for_hub(model: Path, output: Path | None = None, overwrite: bool = False) -> Export:
    """Writes the folder of a model that can be uploaded to a hub, with a card to complete.

    The folder holds what `bundle_model` writes, the OpenVINO form where there is one, and a card
    (README.md) with classes, input, scores and use as `model.yaml` states them.

    Args:
        model: Model folder.
        output: Folder to write; by default `hub` in the model folder.
        overwrite: Whether to replace an earlier folder.

    Returns:
        The folder and its size.

    Raises:
        InputError: If `model` is no model folder or damaged, or the output exists.
    """
    folder = output or model / HUB_FOLDER
    info = load_model_info(model)
    if folder.resolve() == model.resolve():
        raise InputError(f"--output: {folder} is the model folder itself. Choose another folder.")
    check_files(model, info, OPENVINO_FILES if info.openvino else ())
    with staged(folder, overwrite, ours=_NAMES) as partial:
        bundle_model(model, partial)
        bundled = load_model_info(partial)
        if info.openvino:
            (partial / OPENVINO_FOLDER).mkdir()
            for name in OPENVINO_FILES:
                shutil.copyfile(model / name, partial / name)
            checksums = {name: info.checksums[name] for name in OPENVINO_FILES}
            added = {"openvino": info.openvino, "checksums": bundled.checksums | checksums}
            bundled = bundled.model_copy(update=added)
            save_model_info(partial, bundled)
        (partial / CARD_FILE).write_text(card(bundled), encoding="utf-8")
    return Export(folder, form="to upload to a hub")


def card(info: ModelInfo) -> str:
    """Formats the card of a model: what it takes, what it gives, how good it is.

    Args:
        info: Description of the model.

    Returns:
        Markdown text that begins with the metadata that hubs read. The licence is left to whoever
        uploads the model: it depends on the terms of the training data.
    """
    metadata: dict[str, Any] = {
        "library_name": "aerial-segment",
        "pipeline_tag": _TASKS[info.task],
        "tags": ["remote-sensing", "aerial-imagery", "keras"],
    }
    low, high = info.range
    kind = "Land-cover map" if info.task == "segment" else "Scene labels"
    lines = [
        "---",
        yaml.safe_dump(metadata, sort_keys=False).rstrip(),
        "---",
        f"# {info.name}",
        "",
        f"{kind} of {len(info.class_table)} classes: {', '.join(info.class_table.names)}.",
        "",
        f"- Input: {counted(info.bands, 'band')} of {info.dtype}, {low:g} to {high:g};"
        f" {_pixels(info)}.",
        f"- Trained on: {info.training.get('data', 'not recorded')}.",
        "",
        "```",
        "pip install 'aerial-segment[hub]'",
        _COMMANDS[info.task],
        "```",
        *_score_table(info),
        "",
        "To complete before uploading: the licence (`license:` in the lines above; it depends on"
        " the terms of the training data), what the model is for, and where it fails.",
    ]
    return "\n".join(lines) + "\n"


def _pixels(info: ModelInfo) -> str:
    if info.ground_sampling_range:
        near, far = info.ground_sampling_range
        return f"{near:g} to {far:g} m a pixel"
    if info.ground_sampling_distance:
        return f"{info.ground_sampling_distance:g} m a pixel"
    return "metres a pixel not recorded"


def _score_table(info: ModelInfo) -> list[str]:
    known = [
        (part, {key: scores[key] for key in _SCORES if isinstance(scores.get(key), float)})
        for part, scores in info.scores.items()
    ]
    columns = [key for key in _SCORES if any(key in scores for _, scores in known)]
    if not columns:
        return []
    return [
        "",
        "| part | " + " | ".join(_SCORES[key] for key in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *(
            f"| {part} | "
            + " | ".join(f"{scores[key]:.3f}" if key in scores else "-" for key in columns)
            + " |"
            for part, scores in known
        ),
    ]
