"""Footprints: where the images and tiles that a model was trained on lie on the ground."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.raster.grid import PixelGrid

_EDGE_POINTS = 4  # on each side of a footprint: lines in one CRS are curves in another


@dataclass(frozen=True, eq=False)
class Footprints:
    """Extents of rasters on the ground.

    Attributes:
        transforms: Affine transforms from columns and rows to the CRS, (n, 6) float64.
        sizes: Rows and columns, (n, 2) int32.
        systems: Positions in `crs`, (n,) int32; -1 where the extent is not known.
        crs: Coordinate reference systems as WKT.
    """

    transforms: NDArray[np.float64]
    sizes: NDArray[np.int32]
    systems: NDArray[np.int32]
    crs: tuple[str, ...]
    _outlines: dict[str, tuple[NDArray[Any], ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, grids: Sequence[PixelGrid | None]) -> "Footprints":
        """Collects the extents of rasters.

        Args:
            grids: Grid of each raster, None where it is not known.

        Returns:
            One footprint for each of them.
        """
        transforms, sizes, systems = [], [], []
        known: dict[str, int] = {}
        names: dict[Any, str] = {}
        for grid in grids:
            if grid is None or not _lies_on_earth(grid):
                transforms.append((0.0,) * 6)
                sizes.append((0, 0))
                systems.append(-1)
                continue
            if grid.crs not in names:
                names[grid.crs] = grid.crs.to_wkt()
            transforms.append(tuple(grid.transform)[:6])
            sizes.append((grid.height, grid.width))
            systems.append(known.setdefault(names[grid.crs], len(known)))
        return cls(
            np.array(transforms, np.float64).reshape(-1, 6),
            np.array(sizes, np.int32).reshape(-1, 2),
            np.array(systems, np.int32),
            tuple(known),
        )

    @classmethod
    def join(cls, parts: Sequence["Footprints"]) -> "Footprints":
        """Puts several collections of footprints one after the other.

        Args:
            parts: The collections.

        Returns:
            All footprints in order.
        """
        crs = tuple(dict.fromkeys(name for part in parts for name in part.crs))
        systems = [
            # A system of -1 picks the last element, which is -1 too.
            np.array([crs.index(name) for name in part.crs] + [-1], np.int32)[part.systems]
            for part in parts
        ]
        return cls(
            np.concatenate([part.transforms for part in parts]),
            np.concatenate([part.sizes for part in parts]),
            np.concatenate(systems),
            crs,
        )

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Footprints":
        """Makes footprints of stored arrays.

        Args:
            arrays: What `arrays` returned.

        Returns:
            The footprints.

        Raises:
            ValueError: If the arrays do not fit together.
        """
        transforms, sizes = arrays["transforms"].astype(np.float64), arrays["sizes"]
        systems, crs = arrays["systems"].astype(np.int32), tuple(map(str, arrays["crs"]))
        count = systems.size
        if (transforms.shape, sizes.shape, systems.shape) != ((count, 6), (count, 2), (count,)):
            raise ValueError("its arrays differ in length")
        if count and not -1 <= systems.min() <= systems.max() < len(crs):
            raise ValueError("it refers to a CRS that it does not hold")
        return cls(transforms, sizes.astype(np.int32), systems, crs)

    @property
    def arrays(self) -> dict[str, Any]:
        """The arrays to store, by their names."""
        return {
            "transforms": self.transforms,
            "sizes": self.sizes,
            "systems": self.systems,
            "crs": np.array(self.crs, np.str_),
        }

    def take(self, chosen: NDArray[np.intp]) -> "Footprints":
        """Picks some footprints.

        Args:
            chosen: Their positions, (m,).

        Returns:
            These footprints, in that order.
        """
        return Footprints(
            self.transforms[chosen], self.sizes[chosen], self.systems[chosen], self.crs
        )

    def draw(
        self, values: NDArray[np.uint8], grid: PixelGrid, top: int, left: int, out: NDArray[Any]
    ) -> None:
        """Draws a value for each footprint into a window of a raster.

        Where footprints overlap, the smallest value is drawn. Nothing is drawn where the location
        of the raster is not known.

        Args:
            values: Value of each footprint, (n,) uint8.
            grid: Grid of the raster.
            top: First row of the window.
            left: First column of the window.
            out: Window that is drawn into, (rows, columns) uint8.
        """
        if not self.crs or not _lies_on_earth(grid):
            return
        height, width = out.shape
        outlines, low, high, positions = self._outlines_in(grid.crs)
        xs, ys = _apply(
            grid.transform,
            np.array([left, left + width] * 2),
            np.array([top, top, top + height, top + height]),
        )
        near = (
            (low[:, 0] < xs.max())
            & (high[:, 0] > xs.min())
            & (low[:, 1] < ys.max())
            & (high[:, 1] > ys.min())
        )
        shapes = []
        # The last one is on top.
        for index in sorted(np.flatnonzero(near), key=lambda i: -int(values[positions[i]])):
            ring = np.stack(_apply(~grid.transform, *outlines[index].T), axis=1) - (left, top)
            polygon = {"type": "Polygon", "coordinates": [ring.tolist()]}
            shapes.append((polygon, int(values[positions[index]])))
        if shapes:
            from rasterio.features import rasterize

            rasterize(shapes, out=out)

    def _outlines_in(self, crs: Any) -> tuple[NDArray[Any], ...]:
        """Reprojects all footprints to a CRS.

        Returns closed outlines (m, points, 2), without those that the CRS does not reach, their
        smallest and largest coordinates (m, 2) each, and the positions of their footprints (m,).
        """
        name = crs.to_wkt()
        if name not in self._outlines:
            along = np.linspace(0, 1, _EDGE_POINTS, endpoint=False)
            zero, one = 0 * along, along**0
            across = np.append(np.concatenate([along, one, 1 - along, zero]), 0.0)
            down = np.append(np.concatenate([zero, along, one, 1 - along]), 0.0)
            found, positions = [], []
            for number, other in enumerate(self.crs):
                chosen = np.flatnonzero(self.systems == number)
                columns, rows = self.sizes[chosen, 1:] * across, self.sizes[chosen, :1] * down
                to_ground = self.transforms[chosen].T[:, :, None]
                xs, ys = _reproject(other, name, *_apply(to_ground, columns, rows))
                finite = np.isfinite(xs).all(axis=1) & np.isfinite(ys).all(axis=1)
                found.append(np.stack([xs, ys], axis=2)[finite])
                positions.append(chosen[finite])
            outlines, chosen = np.concatenate(found), np.concatenate(positions)
            self._outlines[name] = outlines, outlines.min(axis=1), outlines.max(axis=1), chosen
        return self._outlines[name]


def _lies_on_earth(grid: PixelGrid) -> bool:
    """Whether the location on the ground is known, which a local CRS does not give."""
    return grid.crs is not None and (grid.crs.is_projected or grid.crs.is_geographic)


def _apply(transform: Any, columns: NDArray[Any], rows: NDArray[Any]) -> tuple[Any, Any]:
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * columns + b * rows + c, d * columns + e * rows + f


def _reproject(
    source: str, target: str, xs: NDArray[np.float64], ys: NDArray[np.float64]
) -> tuple[Any, Any]:
    """Transforms coordinates to another CRS; they are infinite where it has none."""
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    if source == target:
        return xs, ys
    try:
        return Transformer.from_crs(source, target, always_xy=True).transform(xs, ys)
    except ProjError:
        return np.full(xs.shape, np.inf), np.full(ys.shape, np.inf)
