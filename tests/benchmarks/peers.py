"""Speed against the same U-Net in PyTorch, including reading, merging and writing of a scene.

Its environment is made by `make bench-peers`.
"""

from pathlib import Path

from segment.core.choices import OVERLAP
from tests.benchmarks.material import FOLDER, scene
from tests.benchmarks.measure import report_figure, run, segment_predict, take_turns

PYTHON = FOLDER / "peers" / "bin" / "python"


def peers(model: Path, rounds: int = 3, size: int = 4096) -> None:
    """Compares the command with segmentation-models-pytorch and TileMerger of pytorch-toolbelt.

    The rates are megapixels per second.
    """
    path, script = scene(size, size, 1), Path(__file__).with_name("peers_worker.py")
    megapixels = size**2 / 1e6
    contestants = {
        "command": lambda: megapixels / segment_predict(path, model, FOLDER / "out").seconds
    }
    for tile in (256, 512):
        arguments = [PYTHON, script, path, str(tile), str(OVERLAP)]
        contestants[f"pytorch, tiles of {tile}"] = lambda a=arguments: megapixels / run(a).seconds
    rates = take_turns(contestants, rounds)
    best = max(rate for name, rate in rates.items() if name != "command")
    report_figure(
        f"scene throughput against PyTorch, {size} x {size}",
        rates["command"] / best,
        at_least=4.5,
        megapixels_per_s=rates,
    )
