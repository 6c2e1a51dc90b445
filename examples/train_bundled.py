"""Trains the bundled models: python train_bundled.py COLLECTIONS SCENES WORK"""

import sys
from pathlib import Path
from types import ModuleType

import classify
import segment
from segment.core.cli.command import show_progress
from segment.core.model.backend import load_keras
from segment.core.model.bundle import bundle_model

REPOSITORY, LAST = Path(__file__).parents[1], "checkpoints/last.npz"
TOWNS = [("varied", seed) for seed in range(1, 97)] + [("dry", seed) for seed in range(1, 65)]


def make(package: ModuleType, data: Path, run: Path, bar: object, *int8: Path) -> None:
    recipe = REPOSITORY / "configs" / package.__name__ / "bundled.yaml"
    config = package.load_settings(package.Config, recipe, [f"data.root={data}"])
    print(package.train(None, run, config, resume=(run / LAST).exists(), progress=bar))
    bundle_model(run, bundled := REPOSITORY / package.__name__ / "bundled")
    print(package.export_model(bundled, int8=int8 or run / "config.yaml", progress=bar))


def main(data: Path, scenes: Path, work: Path) -> None:
    load_keras()
    for style, seed in TOWNS:
        if not (town := data / "towns" / f"{style}{seed}").exists():
            scene = work / "scene"
            segment.write_sample(scene, 1024, 1024, seed, style=style, overwrite=True)
            segment.cut_scene(scene / "scene.tif", scene / "truth.tif", town, size=1024)
    with show_progress(quiet=False) as bar:
        make(segment, data, work / "segment", bar)
        labelled = scenes / "aid150", scenes / "rsscn7"
        make(classify, scenes, work / "classify", bar, *labelled)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
