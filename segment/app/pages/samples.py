"""Sample scenes to try: invented towns that the bundled model was not trained on.

They are drawn when the app starts.
"""

from pathlib import Path

import numpy as np

from segment.core.pixels.geometry import resize
from segment.core.progress import Progress
from segment.core.raster.sources import Source
from segment.core.reports.picture import write_picture
from segment.sample import write_sample

_TOWNS = {"Town A": 1001, "Town B": 1004, "Town C": 1007}
_SIZE, _ICON = 768, 96

_TASK = "drawing the sample scenes"


def write_samples(folder: Path, progress: Progress | None = None) -> dict[str, Path]:
    """Draws the sample scenes.

    Args:
        folder: Folder to write to.
        progress: Where progress is reported.

    Returns:
        Folders with `scene.tif`, `truth.tif` and `icon.jpg`, by the name of the scene.
    """
    folders = {}
    for done, (name, seed) in enumerate(_TOWNS.items()):
        if progress:
            progress.advance(_TASK, done, len(_TOWNS))
        place = write_sample(folder / f"town{seed}", _SIZE, _SIZE, seed)
        with Source(place / "scene.tif").open() as raster:
            write_picture(
                place / "icon.jpg", np.asarray(resize(raster.read()[0], _ICON, _ICON), np.uint8)
            )
        folders[name] = place
    if progress:
        progress.advance(_TASK, len(_TOWNS), len(_TOWNS))
    return folders
