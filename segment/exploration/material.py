"""What is explored: the images of a tile folder, or labelled windows of scenes as they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segment.config import DataSettings
from segment.core.errors import InputError
from segment.core.exploration.summary import Window, place_name
from segment.core.labels.classes import ClassTable
from segment.core.progress import Progress
from segment.data.division import Division, class_counter, labelled_windows
from segment.data.masks.census import MaskCensus, take_census
from segment.data.masks.reading import MaskReading, choose_reading
from segment.data.pairs.find_scenes import find_scenes
from segment.data.pairs.pair import Pair, grid_notes
from segment.data.patches import Patch, grid_patches
from segment.data.splits import divide
from segment.data.tiles import part_folders, scan_pairs


@dataclass(frozen=True)
class Material:
    """Images to explore, before their pixels are read.

    Attributes:
        root: The tile folder, or the scenes.
        tile: Edge of a tile, pixels.
        pairs: Image and mask of each; of a window, its scene and labels.
        patches: Place of each image in its scene; None where images are whole files.
        problems: Why other files cannot be used.
        notes: What was assumed.
        masks: Census of the labels of scenes; empty for tiles, whose masks are read with them.
        reading: How the labels of scenes are read; None for tiles.
        division: How training divides scenes, or why it cannot; None for tiles.
    """

    root: Path
    tile: int
    pairs: Sequence[Pair]
    patches: Sequence[Patch] | None = None
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
    masks: MaskCensus = field(default_factory=MaskCensus)
    reading: MaskReading | None = None
    division: Division | InputError | None = None

    def name(self, row: int) -> str:
        """Returns the name of an image in findings.

        Args:
            row: Position of the image.

        Returns:
            Its path in the tile folder, or the name and place of a window.
        """
        image, window = self.pairs[row].image, self.window(row)
        if window is not None:
            return f"{image.name}{place_name(window)}"
        return image.relative_to(self.root).as_posix()

    def window(self, row: int) -> Window | None:
        """Returns the place of an image in its scene.

        Args:
            row: Position of the image.

        Returns:
            First row and column, rows and columns; None for a whole file.
        """
        if self.patches is None:
            return None
        patch = self.patches[row]
        height, width = (
            min(self.tile, length) for length in (patch.pair.info.height, patch.pair.info.width)
        )
        return patch.row, patch.column, height, width


def find_material(path: Path, settings: DataSettings, seed: int, progress: Progress) -> Material:
    """Finds the images of a tile folder, or of scenes where the settings name their labels.

    Args:
        path: The tile folder; a scene, or several.
        settings: Labels of scenes, class table, tile size and split.
        seed: Seed of the split.
        progress: Receives the state of reading the labels of scenes.

    Returns:
        The images.

    Raises:
        InputError: If there are none that can be used.
    """
    if settings.labels:
        return _windows_of_scenes(path, settings, seed, progress)
    pairs, problems = scan_pairs(path)
    if not pairs:
        raise InputError(problems[0])
    notes = [*grid_notes(pairs), *(f"note: {note}" for note in part_folders(path, pairs))]
    return Material(path, settings.tile, pairs, None, problems, notes)


def _windows_of_scenes(
    path: Path, settings: DataSettings, seed: int, progress: Progress
) -> Material:
    """Finds the labelled windows of scenes as training does."""
    table, tile = ClassTable(settings.classes) if settings.classes else None, settings.tile
    found = find_scenes(path, settings, settings.root, table, "data.classes")
    count = class_counter(found.class_table, tile, progress)
    division: Division | InputError
    try:
        division = divide(found.pairs, settings, seed, count)
        division = labelled_windows(division, count, settings.min_labelled, tile)
    except InputError as error:
        division = error
    patches = grid_patches(found.pairs, tile)
    labelled = count(patches).sum(axis=1)
    kept = (labelled > 0) & (labelled >= settings.min_labelled * tile * tile)
    chosen = [patch for patch, keep in zip(patches, kept, strict=True) if keep]
    if not chosen:
        raise InputError(
            f"{path}: none of {len(patches):,} windows of {tile} px holds enough labels. Check the"
            " labels, or lower data.min_labelled."
        )
    masks, problems = take_census(found.pairs, progress, shares=True)
    if problems:
        raise InputError(problems[0])
    notes = [f"note: {note}" for note in found.notes]
    if left := len(patches) - len(chosen):
        notes.append(f"note: {left:,} windows without enough labels are left out")
    return Material(
        path,
        tile,
        [patch.pair for patch in chosen],
        chosen,
        notes=notes,
        masks=masks,
        reading=choose_reading(found.class_table, masks),
        division=division,
    )
