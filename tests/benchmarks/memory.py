"""Peak memory of the whole process, by the size of the scene."""

from pathlib import Path

from tests.benchmarks.material import FOLDER, scene
from tests.benchmarks.measure import report_figure, segment_predict


def memory(model: Path) -> None:
    """Measures peak memory in MB.

    Scenes: a square one, one four times as high as another of the same width, and a large one.
    """

    def peak(height: int, width: int) -> float:
        return segment_predict(scene(height, width, 1), model, FOLDER / "out").peak_mb

    report_figure("peak memory, MB, 8192 x 8192", peak(8192, 8192), at_most=700)
    low, high = peak(8192, 4096), peak(32768, 4096)
    report_figure(
        "peak memory of 4096 x 32768 over that of 4096 x 8192",
        high / low,
        at_most=1.05,
        peak_mb=[low, high],
    )
    report_figure("peak memory, MB, 20,000 x 20,000", peak(20_000, 20_000), at_most=2000)
