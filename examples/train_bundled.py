"""Trains the bundled models anew: python examples/train_bundled.py DUBAI RSSCN7 RESNET50_WEIGHTS.npz WORK"""

import sys
from pathlib import Path
from types import ModuleType

import classify
import segment
from segment.core.bundle import bundle_model
from segment.core.command import progress_bar
from segment.core.keras_backend import load_keras

REPOSITORY, TOWNS, LAST = Path(__file__).parents[1], range(1, 65), "checkpoints/last.npz"
LONGER = ["training.epochs=7", "training.learning_rate=0.0004"]  # the rate rises once more, and falls again


def train(package: ModuleType, data: Path, run: Path, changes: list[str], progress: object) -> None:
    config = package.load_settings(package.Config, REPOSITORY / "configs" / package.__name__ / "bundled.yaml", changes)
    print(package.train(data, run, config, resume=(run / LAST).exists(), progress=progress))


def bundle(package: ModuleType, data: Path, run: Path, progress: object) -> None:
    bundled = REPOSITORY / package.__name__ / "bundled"
    bundle_model(run, bundled)
    print(package.export_model(bundled, int8=data, progress=progress))


def main(dubai: Path, rsscn7: Path, weights: Path, work: Path) -> None:
    load_keras()
    tiles, encoder = work / "tiles", work / "encoder"
    for seed in (seed for seed in TOWNS if not (tiles / "towns" / f"town{seed}").exists()):
        scene = segment.write_sample(work / "scene", 1024, 1024, seed, overwrite=True)
        segment.cut_scene(scene / "scene.tif", scene / "truth.tif", tiles / "towns" / f"town{seed}", size=1024)
    if not (tiles / "dubai").exists():
        (tiles / "dubai").symlink_to(dubai.resolve())
    with progress_bar(quiet=False) as progress:
        images, config = sorted(rsscn7.rglob("*.jpg")), segment.ImitationConfig(teacher_weights=str(weights))
        segment.imitate(images, encoder, config, resume=(encoder / LAST).exists(), progress=progress)
        train(segment, tiles, work / "segment", [f"model.encoder_weights={encoder}/model.keras"], progress)
        train(segment, tiles, work / "segment-longer", [f"model.weights={work}/segment/model.keras", *LONGER], progress)
        bundle(segment, tiles, work / "segment-longer", progress)
        train(classify, rsscn7, work / "classify", [f"model.weights={weights}"], progress)
        bundle(classify, rsscn7, work / "classify", progress)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:5]))
