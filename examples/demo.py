"""From nothing to a scored land-cover map: sample towns, a trained U-Net, a map of a town that training never saw.

`make demo` runs this. It writes into the folder demo, and takes up again what is there already.
"""

from collections.abc import Sequence
from pathlib import Path

import segment
from segment.core.command import load_keras, progress_bar

CONFIG = Path(__file__).parents[1] / "configs" / "segment" / "sample.yaml"


def main(folder: Path, town_size: int = 1024, scene_size: int = 2048, settings: Sequence[str] = ()) -> segment.SceneMap:
    load_keras()
    with progress_bar(quiet=False) as progress:
        for seed in range(1, 31):
            town, tiles = folder / "towns" / f"town{seed}", folder / "tiles" / f"town{seed}"
            if not town.exists():
                progress.say(f"drawing {town.name}, {town_size} x {town_size} px")
                segment.write_sample(town, town_size, town_size, seed)
            if not tiles.exists():
                segment.cut_scene(town / "scene.tif", town / "truth.tif", tiles)
        run = folder / "run"
        if not (run / "report.html").exists():
            progress.say("training a U-Net with ResNet34 encoder on most of them, from nothing; a tenth validates")
            config = segment.load_settings(segment.Config, CONFIG, settings)
            begun = (run / "checkpoints").exists()
            progress.say(str(segment.train(folder / "tiles", run, config, resume=begun, progress=progress)))
        scene = folder / "new-town"
        if not scene.exists():
            progress.say(f"drawing a town that training never saw, {scene_size} x {scene_size} px")
            segment.write_sample(scene, scene_size, scene_size, seed=0)
        progress.say("mapping it")
        return segment.predict_scene(scene / "scene.tif", run, folder / "map", truth=scene / "truth.tif", overwrite=True)


if __name__ == "__main__":
    result = main(Path("demo"))
    print(result, f"Look at {result.overlay}. To start afresh, remove the folder demo.", sep="\n")
