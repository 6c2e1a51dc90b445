"""Export of a scene classifier to OpenVINO (fp16 or int8), several times faster without a GPU."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from classify.data.images import Data, collection_name, data_folders
from classify.labelling.inference import label_info, predict_dataset, tempered
from classify.training.evaluation import (
    find_scored,
    learned_images,
    readable_images,
    scored_dataset,
)
from classify.training.scoring import score_images
from segment.core.errors import InputError
from segment.core.model.export import Export, Predict, divide, export_openvino
from segment.core.model.folder import load_model_info
from segment.core.model.info import ModelInfo
from segment.core.progress import Progress, Silent


def export_model(
    model: Path | str,
    *,
    int8: Data | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Export:
    """Writes the OpenVINO form of a model into its model folder.

    Args:
        model: Model folder.
        int8: Data folders to quantise with, as for training. Images that the model was trained on
            are used for calibration, at most 300. The others are scored before and after. If the
            model was trained on all or none of the images, half of them are used for each. By
            default weights become fp16.
        overwrite: Whether an existing OpenVINO form is replaced.
        seed: Seed by which calibration images are drawn.
        progress: Where progress is reported.

    Returns:
        The exported files, with scores before and after quantisation.

    Raises:
        InputError: If `model` is not a model folder, the images do not fit the model, an OpenVINO
            form exists, or a required package is not installed.
    """
    folder, progress = Path(model), progress or Silent()
    info = load_model_info(folder)
    label_info(info)
    draw = partial(_Images, data_folders(int8), info, seed, progress) if int8 is not None else None
    return export_openvino(folder, info, progress, draw=draw, overwrite=overwrite, seed=seed)


class _Images:
    """Images to quantise with, see `segment.core.model.export.Sample`."""

    kind = "images"

    def __init__(self, data: Sequence[Path], info: ModelInfo, seed: int, progress: Progress):
        images = readable_images(find_scored(data, info), info, None, progress)
        if len(images) < 2:
            raise InputError(
                f"{data[0]}: --int8 needs two images, better hundreds. Received one. Add images."
            )
        learned = learned_images(data, info)
        calibrating, scored = divide([image.path in learned for image in images], seed)
        self._calibration = scored_dataset([images[i] for i in calibrating], info, 1)
        self._scored = scored_dataset([images[i] for i in scored], info, 16)
        self._info, self._progress = info, progress
        self.data, self.calibrated, self.scored = (
            collection_name(data[0]),
            len(calibrating),
            len(scored),
        )
        multi_label = label_info(info).multi_label
        self.score_names: Mapping[str, str] = (
            {"mean_average_precision": "mean AP", "f1_macro": "macro F1"}
            if multi_label
            else {"accuracy": "accuracy", "f1_macro": "macro F1"}
        )

    def pixels(self, index: int) -> NDArray[Any]:
        return self._calibration[index][0]

    def score(self, predict: Predict) -> dict[str, float]:
        answers = tempered(predict_dataset(predict, self._scored, self._progress), self._info)
        report = score_images(self._scored.images, answers, self._info).report
        return {key: float(report[key] or 0.0) for key in self.score_names}
