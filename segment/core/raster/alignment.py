"""Alignment of a mask with its image: pixel by pixel, or from another grid over the same ground."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.raster.grid import PixelGrid
from segment.core.raster.orientation import Orientation
from segment.core.raster.reader import Raster

_SAME = 0.25  # pixels: corners of the same grid may differ by this much between two files
_STEP = 16  # pixels between nodes that are converted to another CRS; others are interpolated
_TIE = 1e-6  # pixels: centres on a border fall to one side, however a transform is rounded
_MOST_PIXELS = 1 << 22  # read or converted at a time

Read = Callable[[int, int, int, int], tuple[NDArray[Any], NDArray[np.bool_]]]


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
        return [
            note.replace("W", "w", 1) if note.startswith("Warning: ") else f"note: {note}"
            for note in self.notes(mask, noun)
        ]


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
        if same_size and nearest.shift() <= _SAME:
            return ALIGNED
        missing = nearest.missing()
        if missing < 1:
            doubt = (
                ""
                if nearest.is_comparable
                else "its CRS cannot be compared and is taken for the image's"
            )
            return Alignment(nearest.difference(), missing, doubt)
        if not (_counts_pixels(mask.ground) or _counts_pixels(image.ground)):
            raise InputError(
                f"{mask.path}: the mask lies elsewhere than its {noun}. Received a mask at"
                f" {_extent(mask.ground)}, {noun} at {_extent(image.ground)}. Take the mask of this"
                f" {noun}, or remove a georeference that is wrong."
            )
    stored = mask.turned_by(image.orientation)
    if not same_size and (stored.width, stored.height) == (image.width, image.height):
        return Alignment(
            doubt=f"drawn on the {noun} as it is stored, and turned with it",
            orientation=image.orientation,
        )
    if not same_size:
        raise InputError(
            f"{mask.path}: mask and {noun} differ in size and are not both georeferenced. Received"
            f" mask {mask.width}x{mask.height}, {noun} {image.width}x{image.height}. Export the"
            f" mask at the size of its {noun}."
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
                f" mask fits it both ways: it is taken for drawn on the upright {noun}"
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


class NearestPixels:
    """Finds the mask pixel that holds the centre of each image pixel.

    Both are placed on the ground by their transforms and CRSs. The result for a pixel does not
    depend on the window that it is requested in.

    Attributes:
        is_comparable: Whether the CRSs are the same or can be converted into each other. Otherwise
            they are taken to be the same.
    """

    def __init__(self, mask: PixelGrid, image: PixelGrid):
        """Prepares the conversion between two grids.

        Args:
            mask: Grid of the mask.
            image: Grid of the image.
        """
        self._mask, self._image = mask, image
        self.is_comparable, self._convert = _conversion(image.crs, mask.crs)
        self._to_mask = ~mask.transform
        self._is_round = mask.crs is not None and mask.crs.is_geographic
        self._middle = (mask.transform @ (mask.width / 2, mask.height / 2))[0]
        # longitudes are continuous around the middle of the image, wherever the CRS wraps
        if self._is_round:
            self._seam = 0.0
            self._seam = float(
                self._ground(np.array(image.width / 2), np.array(image.height / 2))[0]
            )

    def gather(
        self, read: Read, pixels: NDArray[Any], labelled: NDArray[np.bool_], row: int, column: int
    ) -> None:
        """Fills a window of the image with the nearest pixels of the mask.

        Pixels outside the mask are left as they are.

        Args:
            read: Reads a rectangle (row, column, height, width) of the mask. It returns the pixels
                (height, width, bands) and whether each is labelled (height, width).
            pixels: Window to fill, (rows, columns, bands).
            labelled: Whether each pixel of the window is labelled, (rows, columns) bool; filled
                too.
            row: Row of the first pixel of the window in the image.
            column: Column of the first pixel of the window in the image.
        """
        size = 0
        if labelled.size <= _MOST_PIXELS:
            rows, columns = self._positions(row, column, *labelled.shape)
            inside = (
                (rows >= 0)
                & (rows < self._mask.height)
                & (columns >= 0)
                & (columns < self._mask.width)
            )
            if not inside.any():
                return
            rows, columns = rows[inside].astype(np.intp), columns[inside].astype(np.intp)
            top, left = int(rows.min()), int(columns.min())
            height, width = int(rows.max()) + 1 - top, int(columns.max()) + 1 - left
            size = height * width
        if labelled.size > 1 and max(size, labelled.size) > _MOST_PIXELS:
            for part in _halves(*labelled.shape):
                self.gather(
                    read, pixels[part], labelled[part], row + part[0].start, column + part[1].start
                )
            return
        stored, stored_labelled = read(top, left, height, width)
        pixels[inside] = stored[rows - top, columns - left]
        labelled[inside] = stored_labelled[rows - top, columns - left]

    def shift(self) -> float:
        """Measures how far the image is from lying pixel by pixel on the mask.

        Returns:
            The largest distance along a row or a column, in pixels of the mask, between a corner or
            the middle of the image and the same pixel of the mask. Infinite where a point cannot be
            converted.
        """
        columns, rows = (
            np.array([0, 0, 1, 1, 0.5]) * self._image.width,
            np.array([0, 1, 0, 1, 0.5]) * self._image.height,
        )
        xs, ys = self._to_pixels(*self._ground(columns, rows))
        return float(np.nan_to_num(np.maximum(abs(xs - columns), abs(ys - rows)), nan=np.inf).max())

    def missing(self) -> float:
        """Measures the share of the image's pixels that the mask does not hold.

        All pixels count in an image of up to 1024 x 1024 pixels (256 x 256 where the CRSs differ);
        a larger image is sampled on a grid of that size.

        Returns:
            The share, 0 to 1. It is below 1 where the mask holds some pixel, however small it is
            compared with the image.
        """
        share = self._outside()
        if share == 1 and NearestPixels(self._image, self._mask)._outside() < 1:
            return 1 - 1 / (self._image.width * self._image.height + 1)
        return share

    def difference(self) -> str:
        """Describes how the grid of the mask differs from that of the image.

        Returns:
            The differences (CRS, rotation, pixel size, shift, or else the two sizes), separated by
            commas.
        """
        mask, image = self._mask, self._image
        columns, rows = np.array([0.0, image.width, 0]), np.array([0.0, 0, image.height])
        xs, ys = self._to_pixels(*self._ground(columns, rows))
        along, down = (xs[1] - xs[0]) / image.width, (ys[2] - ys[0]) / image.height
        turned = abs((ys[1] - ys[0]) / image.width), abs((xs[2] - xs[0]) / image.height)
        times = 1 / max(
            abs(along * down - (ys[1] - ys[0]) * (xs[2] - xs[0]) / image.width / image.height)
            ** 0.5,
            1e-12,
        )
        found = [f"in {_name(mask.crs)}, the image in {_name(image.crs)}"] if self._convert else []
        if max(turned) * times > 0.05:
            found.append("rotated")
        elif down < 0:
            found.append(
                "stored south-up" if mask.transform.e > 0 else "the image is stored south-up"
            )
        elif along < 0:
            found.append("mirrored")
        if abs(times - 1) > 0.01:
            found.append(f"pixels {times:.3g} times as large")
        if not found and max(abs(xs[0]), abs(ys[0])) > _SAME:
            found.append(
                f"shifted by {0.0 - xs[0].round(2):.7g} columns and {0.0 - ys[0].round(2):.7g} rows"
            )
        return (
            ", ".join(found)
            or f"{mask.width}x{mask.height} pixels, the image {image.width}x{image.height}"
        )

    def _outside(self) -> float:
        most = 256 if self._convert else 1024
        height, width = self._image.height, self._image.width
        rows, columns = (
            np.linspace(0, size - 1, min(size, most)).round() + 0.5 for size in (height, width)
        )
        xs, ys = self._to_pixels(*self._ground(*np.meshgrid(columns, rows)))
        with np.errstate(invalid="ignore"):
            xs, ys = np.floor(xs + _TIE), np.floor(ys + _TIE)
            inside = (xs >= 0) & (xs < self._mask.width) & (ys >= 0) & (ys < self._mask.height)
        return float(1 - np.count_nonzero(inside) / inside.size)

    def _positions(
        self, row: int, column: int, height: int, width: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Row and column in the mask of each pixel of an image window.

        Both arrays are (height, width); NaN where a pixel has no position.
        """
        rows, columns = np.arange(row, row + height) + 0.5, np.arange(column, column + width) + 0.5
        if self._convert is None:
            xs, ys = self._ground(*np.meshgrid(columns, rows))
        else:
            down, along = rows / _STEP, columns / _STEP
            nodes = [np.arange(int(places[0]), int(places[-1]) + 2) for places in (down, along)]
            found = self._ground(
                *(grid.astype(float) for grid in np.meshgrid(nodes[1] * _STEP, nodes[0] * _STEP))
            )
            xs, ys = (
                _between(_between(of, down - nodes[0][0]).T, along - nodes[1][0]).T for of in found
            )
        xs, ys = self._to_pixels(xs, ys)
        return np.floor(ys + _TIE), np.floor(xs + _TIE)

    def _ground(
        self, columns: NDArray[Any], rows: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Converts image positions to coordinates in the CRS of the mask; NaN where none exist."""
        place = self._image.transform
        xs = place.a * columns + place.b * rows + place.c
        ys = place.d * columns + place.e * rows + place.f
        if self._convert is not None:
            xs, ys = self._convert(xs, ys)
            xs, ys = np.where(np.isfinite(xs), xs, np.nan), np.where(np.isfinite(ys), ys, np.nan)
        return (xs - 360 * np.rint((xs - self._seam) / 360), ys) if self._is_round else (xs, ys)

    def _to_pixels(self, xs: NDArray[Any], ys: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Converts coordinates in the CRS of the mask to columns and rows of the mask."""
        if self._is_round:
            xs = xs - 360 * np.rint((xs - self._middle) / 360)
        to = self._to_mask
        return to.a * xs + to.b * ys + to.c, to.d * xs + to.e * ys + to.f


def _between(values: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Interpolates values (nodes, any) at places between the nodes, as (places, any)."""
    before = places.astype(np.intp)
    share = (places - before)[:, None]
    result: NDArray[Any] = values[before] * (1 - share) + values[before + 1] * share
    return result


def _halves(height: int, width: int) -> list[tuple[slice, slice]]:
    if height >= width:
        return [
            (slice(0, height // 2), slice(0, width)),
            (slice(height // 2, height), slice(0, width)),
        ]
    return [(slice(0, height), slice(0, width // 2)), (slice(0, height), slice(width // 2, width))]


def _counts_pixels(grid: PixelGrid) -> bool:
    """Whether a transform only numbers the pixels.

    Some programs write such a transform for a picture without a georeference.
    """
    place = grid.transform
    has_size_one = abs(place.a) == abs(place.e) == 1 and place.b == place.d == 0
    from_a_corner = abs(place.c) <= 1 and min(abs(place.f), abs(place.f - grid.height)) <= 1
    return has_size_one and from_a_corner and _horizontal(grid.crs) is None


def _horizontal(crs: Any) -> Any:
    """The horizontal part of a CRS (pyproj), None where no part gives positions on the earth."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if crs is None:
        return None
    try:
        found: Any = CRS.from_user_input(crs)
    except CRSError:
        return None
    while found.is_bound or found.is_compound:
        found = found.sub_crs_list[0] if found.is_compound else found.source_crs
    return None if found.geodetic_crs is None or found.is_geocentric else found.to_2d()


def _conversion(source: Any, target: Any) -> tuple[bool, Callable[[Any, Any], Any] | None]:
    """Whether two CRSs can be compared, and a function that converts (xs, ys) to the other.

    The function is None where no conversion is needed or possible.
    """
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    if source is not None and source == target:
        return True, None
    first, second = _horizontal(source), _horizontal(target)
    if first is None or second is None:
        return False, None
    if first.equals(second, ignore_axis_order=True):
        return True, None
    try:
        return True, Transformer.from_crs(first, second, always_xy=True).transform
    except ProjError:
        return False, None


def _name(crs: Any) -> str:
    text = crs.to_string()
    return (
        str(text)
        if len(text) < 40
        else str(text).split('"')[1][:60]
        if '"' in text
        else f"{text[:37]}..."
    )


def _extent(grid: PixelGrid) -> str:
    corners = [grid.transform @ (x, y) for x in (0, grid.width) for y in (0, grid.height)]
    xs, ys = zip(*corners, strict=True)
    crs = "no CRS" if grid.crs is None else _name(grid.crs)
    return f"x {min(xs):.10g} to {max(xs):.10g}, y {min(ys):.10g} to {max(ys):.10g} ({crs})"


def _percent(share: float) -> str:
    return (
        "under 0.1 %"
        if share < 0.001
        else "over 99.9 %"
        if share > 0.999
        else f"{share:.1%}".replace("%", " %")
    )
