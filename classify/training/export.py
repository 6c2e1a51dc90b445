"""Export of a scene classifier to OpenVINO (fp16 or int8), several times faster without a GPU."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from classify.data.images import Data, collection_name, data_folders
from classify.labelling.inference import label_info, predict_dataset, tempered
from classify.labelling.seen_images import readable_images, scored_dataset, scored_sources
from classify.training.scored_images import find_scored, learned_images
from classify.training.scoring import score_images
from segment.core.choices import LabelExportFormat
from segment.core.errors import InputError
from segment.core.hub.upload_folder import export_for_hub
from segment.core.inputs.named_scenes import scale_notes
from segment.core.model.export import Export, Predict, Sample, divide, export_openvino
from segment.core.model.folder import load_model_info
from segment.core.model.info import ModelInfo
from segment.core.progress import Progress, Silent


def export_model(
    model: Path | str,
    format: LabelExportFormat = "openvino",
    *,
    int8: Data | None = None,
    output: Path | str | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Export:
    """Writes the OpenVINO form of a model into its folder, or a folder for a hub.

    Args:
        model: Model folder.
        format: "openvino" or "hub".
        int8: Data folders to quantise with, as for training. Images that the model was trained on
            are used for calibration, at most 300. The others are scored before and after. If the
            model was trained on all or none of the images, half of them are used for each. By
            default weights become fp16.
        output: Folder for a hub; by default `hub` in the model folder.
        overwrite: Whether an earlier export is replaced.
        seed: Seed by which calibration images are drawn.
        progress: Where progress is reported.

    Returns:
        The exported files, with scores before and after quantisation.

    Raises:
        InputError: If `model` is not a model folder, the images do not fit the model, an OpenVINO
            form exists, or a required package is not installed.
    """
    folder, progress = Path(model), progress or Silent()
    if format not in get_args(LabelExportFormat):
        known = ", ".join(get_args(LabelExportFormat))
        raise InputError(f"format: {format!r}. Choose one of {known}.")
    info = load_model_info(folder)
    label_info(info)
    if format == "hub":
        if int8 is not None:
            raise InputError("--int8 is for --format openvino, not hub. Export to OpenVINO first.")
        return export_for_hub(folder, None if output is None else Path(output), overwrite)
    if output is not None:
        raise InputError(
            f"--output: {output}, but OpenVINO stays in the model folder. Leave it out, or add"
            " --format hub."
        )
    draw = partial(_draw, data_folders(int8), info, seed, progress) if int8 is not None else None
    return export_openvino(folder, info, progress, draw=draw, overwrite=overwrite, seed=seed)


def _draw(data: Sequence[Path], info: ModelInfo, seed: int, progress: Progress) -> Sample:
    found = find_scored(data, info).images
    sources = scored_sources(found, info, progress=progress)
    for note in scale_notes(list(sources.values())):
        progress.say(note)
    images = readable_images(found, info, sources, progress)
    if len(images) < 2:
        raise InputError(
            f"{data[0]}: one image, but --int8 needs two, better hundreds. Add images."
        )
    learned = learned_images(data, info)
    calibrating, scored = (
        [images[i] for i in part]
        for part in divide([image.path in learned for image in images], seed)
    )
    dataset = scored_dataset(scored, info, 16, sources)
    first = (
        {"mean_average_precision": "mean AP"}
        if label_info(info).multi_label
        else {"accuracy": "accuracy"}
    )
    names = first | {"f1_macro": "macro F1"}

    def score(predict: Predict) -> dict[str, float]:
        answers = tempered(predict_dataset(predict, dataset, progress), info)
        report = score_images(scored, answers, info).report
        return {key: float(report[key] or 0.0) for key in names}

    return Sample(
        data=", ".join(map(collection_name, data)),
        kind="images",
        calibration=scored_dataset(calibrating, info, 1, sources),
        scored=scored,
        score_names=names,
        score=score,
    )
