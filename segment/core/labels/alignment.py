"""Alignment of a mask with its image: pixel by pixel, or from another grid over the same ground."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segment.core.errors import InputError
from segment.core.labels.nearest_pixels import SAME, NearestPixels
from segment.core.progress import printed_note
from segment.core.raster.georeference import crs_name, horizontal_crs
from segment.core.raster.grid import PixelGrid
from segment.core.raster.orientation import Orientation
from segment.core.raster.reader import Raster


@dataclass(frozen=True)
class Alignment:
    """How a mask is placed on the grid of its image.

    Attributes:
        difference: How the grid of the mask differs from that of the image, empty where they are
            the same.
        missing: Share of the image's pixels that lie outside the mask, from 0 to below 1.
        doubt: What could not be compared, or was assumed; empty where there is nothing to report.
        warning: An assumption that may be wrong; empty where there is none.
        orientation: EXIF orientation by which the stored pixels of the mask are turned, None to use
            the mask's own.
    """

    difference: str = ""
    missing: float = 0.0
    doubt: str = ""
    warning: str = ""
    orientation: Orientation | None = None

    def notes(self, mask: str, noun: str = "image") -> list[str]:
        """Describes the alignment for the user.

        Args:
            mask: What to call the mask.
            noun: What to call the image.

        Returns:
            One sentence for each thing worth knowing, none for a mask that fits pixel by pixel.
        """
        found = []
        if self.difference:
            grid = f"{mask}: the mask is on another grid ({self.difference})"
            found.append(f"{grid} and is read onto the {noun}'s by nearest neighbour.")
        if self.missing:
            found.append(
                f"{mask}: {_percent(self.missing)} of the {noun} lie outside the mask and are"
                " ignored."
            )
        if self.doubt:
            found.append(f"{mask}: {self.doubt}.")
        if self.warning:
            found.append(f"Warning: {mask}: {self.warning}.")
        return found

    def lines(self, mask: str, noun: str = "image") -> list[str]:
        """Formats the `notes` as lines that commands print.

        Args:
            mask: What to call the mask.
            noun: What to call the image.

        Returns:
            The notes, each with the prefix "note:" or "warning:".
        """
        return [printed_note(note) for note in self.notes(mask, noun)]


ALIGNED = Alignment()
"""A mask that fits its image pixel by pixel, with nothing to report."""


def align(mask: Raster, image: Raster, noun: str = "image") -> Alignment:
    """Compares the grids of a mask and its image from their headers.

    Where both are georeferenced, the mask may have any grid that overlaps the image. Otherwise both
    must have the same size. Ground control points count as a georeference where they fit a
    transform. Where a CRS is missing, or the two cannot be converted into each other, they are
    taken to be the same.

    Two sizes are also compared where the georeferenced grids do not overlap and one transform only
    numbers pixels. A mask that has the size of the image as it is stored, before its EXIF
    orientation is applied, is turned with the image.

    Args:
        mask: The open mask.
        image: The open image.
        noun: What messages call the image.

    Returns:
        How the mask is placed on the grid of the image; `ALIGNED` where there is nothing to report.

    Raises:
        InputError: If the mask covers other ground than the image, or has another size where there
            is nothing else to compare.
    """
    same_size = (mask.width, mask.height) == (image.width, image.height)
    if mask.ground and image.ground:
        nearest = NearestPixels(mask.ground, image.ground)
        if same_size and nearest.shift() <= SAME:
            return ALIGNED
        missing = nearest.missing()
        if missing < 1:
            doubt = (
                nearest.describe_error()
                if nearest.is_comparable
                else "its CRS cannot be compared, the image's is assumed"
            )
            return Alignment(nearest.difference(), missing, doubt)
        if not (_counts_pixels(mask.ground) or _counts_pixels(image.ground)):
            raise InputError(
                f"{mask.path}: mask does not cover its {noun}: mask {_extent(mask.ground)}, {noun}"
                f" {_extent(image.ground)}. Use the mask of this {noun}, or remove the"
                " georeference that is wrong."
            )
    stored = mask.turned_by(image.orientation)
    if not same_size and (stored.width, stored.height) == (image.width, image.height):
        return Alignment(
            doubt=f"drawn on the {noun} as it is stored, and turned with it",
            orientation=image.orientation,
        )
    if not same_size:
        raise InputError(
            f"{mask.path}: mask is {mask.width}x{mask.height}, {noun} is"
            f" {image.width}x{image.height}, and not both are georeferenced. Export the mask at the"
            f" size of its {noun}."
        )
    if mask.control_points and mask.control_points != image.control_points:
        return Alignment(
            doubt="its place is given by control points only, which are not compared with the image"
        )
    if image.control_points and mask.ground:
        return Alignment(
            doubt=(
                f"the {noun}'s place is given by control points only, which are not compared with"
                " the mask"
            )
        )
    if mask.orientation.number != 1:
        return Alignment(
            doubt=f"turned upright by its own EXIF orientation {mask.orientation.number}"
        )
    if image.orientation.number != 1 and (stored.width, stored.height) == (
        image.width,
        image.height,
    ):
        return Alignment(
            warning=(
                f"the {noun} is turned by its EXIF orientation {image.orientation.number}, and the"
                f" mask fits it both ways: it is read as drawn on the upright {noun}"
            )
        )
    return ALIGNED


def summarise(found: Sequence[tuple[Path, Alignment]]) -> list[str]:
    """Summarises the alignment of the masks of a folder.

    Args:
        found: Each mask with its alignment.

    Returns:
        One line for each kind of note, with a count and an example.
    """
    lines = []
    if other := [item for item in found if item[1].difference]:
        mask, first = other[0]
        lines.append(
            f"{len(other)} of {len(found)} masks are on another grid than their image and are read"
            f" onto it by nearest neighbour, e.g. {mask} ({first.difference})"
        )
    if partial := [item for item in found if item[1].missing]:
        mask, first = partial[0]
        average = _percent(sum(a.missing for _, a in partial) / len(partial))
        lines.append(
            f"{len(partial)} of {len(found)} masks do not cover their whole image, the rest is"
            f" ignored: {average} of these images on average, e.g. {mask}"
            f" ({_percent(first.missing)})"
        )
    doubts = Counter(alignment.doubt for _, alignment in found if alignment.doubt)
    warnings = Counter(alignment.warning for _, alignment in found if alignment.warning)
    example = {text: mask for mask, a in reversed(found) for text in (a.doubt, a.warning)}
    listed = [
        f"{count} of {len(found)} masks, e.g. {example[doubt]}: {doubt}"
        for doubt, count in doubts.items()
    ]
    warned = [
        f"warning: {count} of {len(found)} masks, e.g. {example[text]}: {text}"
        for text, count in warnings.items()
    ]
    return [*(f"note: {line}" for line in [*lines, *listed]), *warned]


def _counts_pixels(grid: PixelGrid) -> bool:
    """Whether a transform only numbers the pixels.

    Some programs write such a transform for a picture without a georeference.
    """
    place = grid.transform
    has_size_one = abs(place.a) == abs(place.e) == 1 and place.b == place.d == 0
    from_a_corner = abs(place.c) <= 1 and min(abs(place.f), abs(place.f - grid.height)) <= 1
    return has_size_one and from_a_corner and horizontal_crs(grid.crs) is None


def _extent(grid: PixelGrid) -> str:
    corners = [grid.transform @ (x, y) for x in (0, grid.width) for y in (0, grid.height)]
    xs, ys = zip(*corners, strict=True)
    crs = "no CRS" if grid.crs is None else crs_name(grid.crs)
    return f"x {min(xs):.10g} to {max(xs):.10g}, y {min(ys):.10g} to {max(ys):.10g} ({crs})"


def _percent(share: float) -> str:
    return (
        "under 0.1 %"
        if share < 0.001
        else "over 99.9 %"
        if share > 0.999
        else f"{share:.1%}".replace("%", " %")
    )
