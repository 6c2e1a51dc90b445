"""Trains the bundled models anew: python examples/train_bundled.py DUBAI RSSCN7 RESNET50_WEIGHTS.npz WORK"""

import sys
from pathlib import Path
from types import ModuleType

import classify
import segment
from segment.core.cli.command import progress_bar
from segment.core.model.backend import load_keras
from segment.core.model.bundle import bundle_model

REPOSITORY, LAST = Path(__file__).parents[1], "checkpoints/last.npz"


def make(package: ModuleType, data: Path, run: Path, progress: object, *changes: str) -> None:
    config = package.load_settings(package.Config, REPOSITORY / "configs" / package.__name__ / "bundled.yaml", changes)
    print(package.train(data, run, config, resume=(run / LAST).exists(), progress=progress))
    bundle_model(run, bundled := REPOSITORY / package.__name__ / "bundled")
    print(package.export_model(bundled, int8=data, progress=progress))


def main(dubai: Path, rsscn7: Path, weights: Path, work: Path) -> None:
    load_keras()
    tiles, encoder = work / "tiles", work / "encoder"
    for seed in (seed for seed in range(1, 65) if not (tiles / "towns" / f"town{seed}").exists()):
        scene = segment.write_sample(work / "scene", 1024, 1024, seed, overwrite=True)
        segment.cut_scene(scene / "scene.tif", scene / "truth.tif", tiles / "towns" / f"town{seed}", size=1024)
    if not (tiles / "dubai").exists():
        (tiles / "dubai").symlink_to(dubai.resolve())
    with progress_bar(quiet=False) as bar:
        images, config = sorted(rsscn7.rglob("*.jpg")), segment.ImitationConfig(teacher_weights=str(weights))
        segment.imitate(images, encoder, config, resume=(encoder / LAST).exists(), progress=bar)
        make(segment, tiles, work / "segment", bar, f"model.encoder_weights={encoder}/model.keras")
        make(segment, tiles, work / "longer", bar, "model.weights=bundled", "training.epochs=7", "training.learning_rate=0.0004")
        make(classify, rsscn7, work / "classify", bar, f"model.weights={weights}")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:5]))
