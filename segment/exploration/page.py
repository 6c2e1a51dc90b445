"""What the report page shows of a tile folder."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from segment.core.exploration.image_statistics import without_extremes
from segment.core.exploration.report import PageContent, Picture
from segment.core.exploration.summary import ExploredImage
from segment.core.reports.figures import displayable
from segment.core.reports.map_pictures import colored
from segment.data.pairs.decoded import Decoded
from segment.data.pairs.scene_pixels import ScenePixels
from segment.data.pixels import TilePixels
from segment.exploration.summary import TileSummary
from segment.tiling import tile_starts
from segment.training.part_figure import plot_division

_LISTED = 100  # groups
_WINDOWS = 6  # of each class
_GAP = 4  # pixels between image and mask


def page_content(folder: TileSummary) -> PageContent:
    """Collects what the page shows of a tile folder.

    Args:
        folder: What is known of the tile folder.

    Returns:
        The content of the page.
    """
    names, division = folder.class_table.names, folder.division
    of_scenes = folder.material.patches is not None
    kind = "scenes and labels" if of_scenes else "images and masks"
    total = folder.class_counts.sum() + folder.ignored
    rows = []
    for group, pixels in list(folder.group_pixels.items())[:_LISTED]:
        parts = {pair.part or "not fixed" for pair in folder.pairs if pair.group == group}
        shares = [f"{share:.1%}" for share in pixels / max(pixels.sum(), 1)]
        count, borders = folder.groups[group], folder.borders[group, group]
        rows.append((group, ", ".join(sorted(parts)), count, borders, *shares))
    read = TilePixels(folder.class_table, "ignore", megabytes=0)
    caption = (
        "{}: windows of which it covers about half, image above mask. Ignored pixels are black."
    )
    return PageContent(
        title=f"{folder.root.resolve().name}: {kind}",
        facts=[
            ("Windows of scenes" if of_scenes else "Images with masks", len(folder.images)),
            ("Groups", len(folder.groups)),
            ("Class tables", ", ".join(table.file.name for table in folder.tables) or "none"),
            ("Pixels without a class", f"{folder.ignored:,} ({folder.ignored / total:.2%})"),
        ],
        unit="pixels",
        class_columns={"Images": np.count_nonzero(folder.class_pixels, axis=0).tolist()},
        galleries=(
            (caption.format(name), [*_windows(folder, label, read)])
            for label, name in enumerate(names)
        ),
        groups=(("Group", "Part", "Images", "Borders", *names), rows),
        colors={group: f"C{number % 10}" for number, group in enumerate(folder.groups)},
        apart="Groups that are apart differ in light, season or ground: keep one for validation to"
        " see how far a model generalises.",
        read=_read_picture,
        split=None if division is None else plot_division(division, folder.settings.tile),
    )


def _windows(folder: TileSummary, label: int, pixels: TilePixels) -> Iterator[tuple[str, Picture]]:
    """Shows a class and its borders, in the images that hold most of it."""
    tile = folder.settings.tile
    counts = folder.class_pixels[:, label]
    for row in np.argsort(-counts, kind="stable")[: min(_WINDOWS, np.count_nonzero(counts))]:
        pair, image = folder.pairs[row], folder.images[row]
        found = pixels.load(pair)
        if image.window is not None and isinstance(found, ScenePixels):
            found = found.window(*image.window)
        assert isinstance(found, Decoded)
        indices = found.mask
        shares = {
            (top, left): float((indices[top : top + tile, left : left + tile] == label).mean())
            for top in tile_starts(max(len(indices), tile), tile, tile)
            for left in tile_starts(max(indices.shape[1], tile), tile, tile)
        }
        top, left = min(shares, key=lambda corner: abs(shares[corner] - 0.5))
        window = np.s_[top : top + tile, left : left + tile]
        upper = displayable(without_extremes(found.image[window]))
        gap = np.full((_GAP, upper.shape[1], 3), 255, np.uint8)
        picture = np.vstack([upper, gap, colored(indices[window], folder.class_table)])
        yield f"{pair.group}\n{image.title}\n{shares[top, left]:.1%}", picture


def _read_picture(image: ExploredImage) -> NDArray[np.uint8]:
    with image.source.open() as raster:
        return displayable(without_extremes(raster.read(*(image.window or ()))[0]))
