"""Scene labels: how fast int8 is on one image, and against Keras on many."""

import statistics
from pathlib import Path

import cv2
import numpy as np

from classify.config import ModelSettings
from segment.core.model_folder import LabelInfo, ModelInfo, save_model_folder
from segment.core.normalise import BandStatistics
from segment.core.palette import Class
from segment.core.runtime import load_model
from tests.benchmarks.material import FOLDER, scene, tiles_of
from tests.benchmarks.measure import take_turns, tell, timed

SIZE = 224


def labels(model: Path | None = None, rounds: int = 5) -> None:
    """ResNet-50 at 224 px: milliseconds of one image, and images per second in batches of 16, int8 against Keras.

    model: a classifier that was exported with --int8; by default an untrained one, which takes as long.
    """
    folder = model or untrained()
    forms = {runtime: load_model(folder, runtime) for runtime in ("keras", "openvino")}  # type: ignore[arg-type]
    images = tiles_of(scene(2048, 2048, 3), SIZE, 64)
    for form in forms.values():
        form.predict(images[:1])
        form.predict(images[:16])
    single = {name: [1000 * timed(lambda f=f, i=i: f.predict(images[i : i + 1])) for i in range(48)] for name, f in forms.items()}
    medians = {name: statistics.median(times) for name, times in single.items()}
    slowest = {name: float(np.percentile(times, 95)) for name, times in single.items()}
    tell("milliseconds an image, int8 ResNet-50 at 224 px, batch 1", medians["openvino"], at_most=25, ms=medians, ms_95=slowest)

    def rate(form: object) -> float:
        seconds = timed(lambda: [form.predict(images[i : i + 16]) for i in range(0, 64, 16)])  # type: ignore[attr-defined]
        return len(images) / seconds

    rates = take_turns({name: lambda f=f: rate(f) for name, f in forms.items()}, rounds)
    ratio = rates["openvino"] / rates["keras"]
    tell("int8 ResNet-50 against Keras on TensorFlow, batch 16 of 224 px", ratio, at_least=2.0, images_per_s=rates)


def untrained() -> Path:
    """A ResNet-50 with weights as they come, quantised on cells of a sample town."""
    import keras  # after `load_keras`, or its backend would speak

    from classify.exporting import export_model
    from classify.models import build_model

    folder = FOLDER / "classifier"
    if (folder / "openvino").is_dir():
        return folder
    cells = tiles_of(scene(2048, 2048, 3), SIZE, 64)
    for index, cell in enumerate(cells):
        file = FOLDER / "cells" / ("first" if index % 2 else "second") / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), cell[..., ::-1])
    values = cells.reshape(-1, 3).astype(float)
    statistics_ = BandStatistics("uint8", len(values), values.min(0), values.max(0), values.mean(0), values.std(0))
    keras.utils.set_random_seed(0)
    settings = ModelSettings(weights="none")
    network = build_model(settings, 2, statistics_, "standardise").network
    table = [Class(name="first", color="#000000"), Class(name="second", color="#FFFFFF")]
    info = ModelInfo(
        task="classify", name="resnet50/linear", classes=table, bands=3, dtype="uint8", range=(0, 255), tile=SIZE, multiple=1,
        labels=LabelInfo(resize=SIZE),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    save_model_folder(folder, network, info)
    export_model(folder, int8=[FOLDER / "cells"])
    return folder
