"""Trains the bundled models from the beginning.

Usage: python examples/train_bundled.py DATA RSSCN7 RESNET50_WEIGHTS.npz WORK

DATA holds the collections that configs/segment/bundled.yaml names; the sample towns among them are
made if they are missing.
"""

import sys
from pathlib import Path
from types import ModuleType

import classify
import segment
from segment.core.cli.command import progress_bar
from segment.core.model.backend import load_keras
from segment.core.model.bundle import bundle_model

REPOSITORY, LAST = Path(__file__).parents[1], "checkpoints/last.npz"
TOWNS: dict[str, range] = {"varied": range(1, 97), "dry": range(1, 25)}
"""Seeds of the sample towns of each style."""


def make(package: ModuleType, data: Path | None, run: Path, progress: object, *changes: str) -> None:
    """Trains the bundled model of a package, puts it there and exports it.

    Args:
        package: `segment` or `classify`.
        data: Training data; None where the settings list collections.
        run: Run folder; a run that it holds is continued.
        progress: Where progress is reported.
        *changes: Settings to change, as "a.b=value".
    """
    config = package.load_settings(package.Config, REPOSITORY / "configs" / package.__name__ / "bundled.yaml", changes)
    print(package.train(data, run, config, resume=(run / LAST).exists(), progress=progress))
    bundle_model(run, bundled := REPOSITORY / package.__name__ / "bundled")
    print(package.export_model(bundled, int8=data or run / "config.yaml", progress=progress))


def main(data: Path, rsscn7: Path, weights: Path, work: Path) -> None:
    """Trains both bundled models.

    Args:
        data: Folder of the collections.
        rsscn7: Class folders of the RSSCN7 images.
        weights: Weights of the ResNet-50, an NPZ file.
        work: Working folder. A later call continues what it holds.
    """
    load_keras()
    for style, seeds in TOWNS.items():
        for seed in seeds:
            town = data / "towns" / f"{style}{seed}"
            if not town.exists():
                scene = segment.write_sample(work / "scene", 1024, 1024, seed, style=style, overwrite=True)
                segment.cut_scene(scene / "scene.tif", scene / "truth.tif", town, size=1024)
    with progress_bar(quiet=False) as bar:
        make(segment, None, work / "segment", bar, f"data.root={data}")
        make(classify, rsscn7, work / "classify", bar, f"model.weights={weights}")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:5]))
