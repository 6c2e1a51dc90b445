"""Samples to try: scenes and photographs of invented towns that no bundled model was trained on.

They are drawn when the app starts.
"""

from pathlib import Path

import numpy as np

from segment.core.choices import SampleStyle
from segment.core.pixels.geometry import resize
from segment.core.progress import Progress
from segment.core.raster.sources import Source
from segment.core.reports.picture import write_picture
from segment.sample import write_sample
from segment.town.town import Town

_TOWNS = {"Town A": 1001, "Town B": 1004, "Town C": 1007}
_SIZE, _ICON = 768, 96

_PHOTOGRAPH = 256  # edge in pixels
_PHOTOGRAPHS: dict[str, tuple[SampleStyle, int, int, tuple[int, int]]] = {
    # style and seed of a town, drawn pixels along the edge of one, row and column
    "Houses": ("dry", 1008, 2, (512, 512)),
    "Industry": ("dry", 1005, 2, (512, 512)),
    "Water": ("dry", 1013, 1, (256, 256)),
    "Fields": ("varied", 1002, 2, (512, 512)),
}

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


def write_photographs(folder: Path) -> dict[str, Path]:
    """Draws the sample photographs, each of which shows one kind of land use.

    Args:
        folder: Folder to write to.

    Returns:
        Pictures (PNG) by what they show.
    """
    pictures = {}
    for name, (style, seed, reduction, (row, column)) in _PHOTOGRAPHS.items():
        size = max(row, column) + _PHOTOGRAPH
        town = Town(size, size, seed, style, reduction)
        pixels, _ = town.render(row, column, _PHOTOGRAPH, _PHOTOGRAPH)
        pictures[name] = folder / f"{name.lower()}.png"
        write_picture(pictures[name], pixels)
    return pictures
