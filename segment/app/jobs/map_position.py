"""Where the pixels of a scene are on the ground: coordinates in the CRS of the file."""

import math
from dataclasses import dataclass

from segment.core.raster.sources import Source

_LONGEST_NAME = 80  # characters
_MOST_DIGITS = 12


@dataclass(frozen=True)
class MapPosition:
    """Position of a scene on the ground.

    Attributes:
        transform: Terms (a, b, c, d, e, f) of the affine transform from columns and rows, counted
            from the upper left corner, to coordinates: x = a column + b row + c, y = d column +
            e row + f.
        axes: Names of the two coordinates.
        crs: Name of the CRS with its code; empty where the file names none.
        digits: Decimals in which coordinates are shown, about a tenth of a pixel.
    """

    transform: tuple[float, float, float, float, float, float]
    axes: tuple[str, str]
    crs: str
    digits: int

    def describe(self, row: float, column: float) -> str:
        """Names the coordinates of a point.

        Args:
            row: Rows from the upper edge of the scene.
            column: Columns from its left edge.

        Returns:
            Text such as "x 326415.15, y 2780684.85".
        """
        a, b, c, d, e, f = self.transform
        x, y = a * column + b * row + c, d * column + e * row + f
        return f"{self.axes[0]} {x:.{self.digits}f}, {self.axes[1]} {y:.{self.digits}f}"


def find_position(source: Source) -> MapPosition | None:
    """Finds the position of a scene on the ground.

    Args:
        source: The scene.

    Returns:
        The position by its transform, or by ground control points that fit one; None without.

    Raises:
        InputError: If the scene cannot be opened.
    """
    with source.open() as raster:
        ground = raster.ground
        if ground is None:
            return None
        a, b, c, d, e, f = tuple(ground.transform)[:6]
        crs = ground.crs
    finest = min(math.hypot(a, d), math.hypot(b, e))
    digits = min(max(math.ceil(-math.log10(finest)) + 1, 0), _MOST_DIGITS)
    name, is_geographic = ("", False) if crs is None else (_name(crs), bool(crs.is_geographic))
    axes = ("longitude", "latitude") if is_geographic else ("x", "y")
    return MapPosition((a, b, c, d, e, f), axes, name, digits)


def _name(crs: object) -> str:
    """Name of a CRS as rasterio reads it, with its code where it has one."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        found = CRS.from_user_input(crs)
    except CRSError:  # an older definition than PROJ knows
        return "coordinate system without a name"
    name, authority = found.name, found.to_authority()
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}..."
    return name if authority is None else f"{name} ({':'.join(authority)})"
