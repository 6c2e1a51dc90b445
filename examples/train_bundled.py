"""Trains the bundled models: python train_bundled.py COLLECTIONS SCENES RESNET50.npz WORK"""

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


def make(package: ModuleType, int8: list[Path], run: Path, bar: object, *changes: str) -> None:
    recipe = REPOSITORY / "configs" / package.__name__ / "bundled.yaml"
    config = package.load_settings(package.Config, recipe, changes)
    print(package.train(None, run, config, resume=(run / LAST).exists(), progress=bar))
    bundle_model(run, bundled := REPOSITORY / package.__name__ / "bundled")
    print(package.export_model(bundled, int8=int8 or run / "config.yaml", progress=bar))


def main(data: Path, scenes: Path, weights: Path, work: Path) -> None:
    load_keras()
    for style, seed in TOWNS:
        if not (town := data / "towns" / f"{style}{seed}").exists():
            scene = work / "scene"
            segment.write_sample(scene, 1024, 1024, seed, style=style, overwrite=True)
            segment.cut_scene(scene / "scene.tif", scene / "truth.tif", town, size=1024)
    with show_progress(quiet=False) as bar:
        make(segment, [], work / "segment", bar, f"data.root={data}")
        labelled, start = [scenes / "aid150", scenes / "rsscn7"], f"model.weights={weights}"
        make(classify, labelled, work / "classify", bar, f"data.root={scenes}", start)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
