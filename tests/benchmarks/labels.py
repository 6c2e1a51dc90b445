"""Speed of scene labels: int8 on one image, and against Keras on many."""

import statistics
from pathlib import Path

import numpy as np

from classify.bundled import BUNDLED
from segment.core.model.runtime import load_model
from tests.benchmarks.material import scene, tiles_of
from tests.benchmarks.measure import report_figure, take_turns, timed

SIZE = 224


def labels(model: Path = BUNDLED, rounds: int = 5) -> None:
    """Compares int8 with Keras, for a ResNet-50 at 224 px.

    Measures the milliseconds of one image, and images per second in batches of 16. `model` is a
    classifier that was exported with --int8.
    """
    forms = {runtime: load_model(model, runtime) for runtime in ("keras", "openvino")}  # type: ignore[arg-type]
    images = tiles_of(scene(2048, 2048, 3), SIZE, 64)
    for form in forms.values():
        form.predict(images[:1])
        form.predict(images[:16])
    single = {
        name: [1000 * timed(lambda f=f, i=i: f.predict(images[i : i + 1])) for i in range(48)]
        for name, f in forms.items()
    }
    medians = {name: statistics.median(times) for name, times in single.items()}
    slowest = {name: float(np.percentile(times, 95)) for name, times in single.items()}
    report_figure(
        "milliseconds an image, int8 ResNet-50 at 224 px, batch 1",
        medians["openvino"],
        at_most=25,
        ms=medians,
        ms_95=slowest,
    )

    def rate(form: object) -> float:
        seconds = timed(lambda: [form.predict(images[i : i + 16]) for i in range(0, 64, 16)])  # type: ignore[attr-defined]
        return len(images) / seconds

    rates = take_turns({name: lambda f=f: rate(f) for name, f in forms.items()}, rounds)
    ratio = rates["openvino"] / rates["keras"]
    report_figure(
        "int8 ResNet-50 against Keras on TensorFlow, batch 16 of 224 px",
        ratio,
        at_least=2.0,
        images_per_s=rates,
    )
