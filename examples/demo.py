"""`make demo`: from nothing to a scored map of a town that training never saw. Takes up again what is in demo already."""

from functools import partial
from pathlib import Path

import segment
from segment.core.command import load_keras, progress_bar

CONFIG = Path(__file__).parents[1] / "configs" / "segment" / "sample.yaml"


def main(
    folder: Path, towns: int = 30, size: int = 1024, new_size: int = 2048, settings: tuple[str, ...] = ()
) -> segment.SceneMap:
    load_keras()
    with progress_bar(quiet=False) as progress:
        progress.say(f"drawing {towns} towns of {size} x {size} px to learn from")
        for seed in range(1, towns + 1):
            town, tiles = folder / "towns" / f"town{seed}", folder / "tiles" / f"town{seed}"
            if not tiles.exists():
                segment.write_sample(town, size, size, seed, overwrite=True)
                segment.cut_scene(town / "scene.tif", town / "truth.tif", tiles)
        run = folder / "run"
        if not (run / "report.html").exists():
            progress.say("training a U-Net with ResNet34 encoder on them, from nothing; a tenth validates")
            config, begun = segment.load_settings(segment.Config, CONFIG, settings), (run / "checkpoints").exists()
            progress.say(str(segment.train(folder / "tiles", run, config, resume=begun, progress=progress)))
        scene = folder / "new-town"
        if not scene.exists():
            segment.write_sample(scene, new_size, new_size, seed=0)
        progress.say(f"mapping a town that training never saw, {new_size} x {new_size} px")
        # averaged over the eight flips and turns: a point of Jaccard for a minute
        options = {"truth": scene / "truth.tif", "augment": True, "progress": partial(progress.advance, "mapping")}
        return segment.predict_scene(scene / "scene.tif", run, folder / "map", overwrite=True, **options)


if __name__ == "__main__":
    result = main(Path("demo"))
    print(result, f"Look at {result.overlay}. To start afresh, remove the folder demo.", sep="\n")
