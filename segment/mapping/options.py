"""How scenes are mapped."""

import time
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from segment.annotations.area_of_interest import AreaOfInterest, area_file, check_area
from segment.annotations.areas import name_area
from segment.boundaries import check_boundary_width
from segment.core.choices import BOUNDARY_WIDTH, OVERLAP, PolygonFormat
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.reports.timing import Clock
from segment.map_outputs.polygons import check_options, choose_format
from segment.map_outputs.suggestions import check_count
from segment.mapping.scale import check_gsd


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """How a model sees a scene.

    Attributes:
        overlap: Fraction of the tile edge shared with its neighbour, 0 to below 1.
        tile: Edge of a tile in pixels; by default the fastest.
        augment: Average over the eight flips and quarter turns, at eight times the work.
        resample: None brings a scene whose pixels lie outside the range that the model learned from
            to its nearer end; True brings it to the ground sampling distance that the model learned
            from; False maps pixels as they are. The map is on the scene's own grid.
        gsd: Metres per pixel, in place of what the file says; see `choose_scale`.

    Raises:
        InputError: If an option is out of range.
    """

    overlap: float = OVERLAP
    tile: int | None = None
    augment: bool = False
    resample: bool | None = None
    gsd: float | None = None

    def __post_init__(self) -> None:
        """Checks the ranges of the options."""
        check_gsd(self.gsd)


@dataclass(frozen=True, kw_only=True)
class MapOptions(ViewOptions):
    """How a scene is mapped: how the model sees it, and what is written besides the map.

    Attributes:
        confidence: Write SCENE_confidence.tif, too.
        polygons: Write polygons, too: True or "gpkg" for SCENE.gpkg, "parquet" for SCENE.parquet.
        min_area: Smaller polygons join a neighbour; square metres, or pixels without a CRS.
        boundary_width: Width in pixels of the boundaries that are scored against a reference.
        aoi: Area of interest, see `open_area`; None maps the whole scene.
        suggest: Windows to write to SCENE_suggest.gpkg, 0 for none.
        colors: Class table with the colours of the map, or its path, see `recolor`; by default
            those of the model.
        timing: Report where the time went, see `Clock.report`; a moment of `time.monotonic` is that
            from which the start counts, by default the call.

    Raises:
        InputError: If an option is out of range, or the polygons cannot be written.
    """

    confidence: bool = False
    polygons: bool | PolygonFormat | None = False
    min_area: float = 0.0
    boundary_width: int = BOUNDARY_WIDTH
    aoi: AreaOfInterest | None = None
    suggest: int = 0
    colors: Path | str | ClassTable | None = None
    timing: bool | float = False

    def __post_init__(self) -> None:
        """Checks the ranges of the options."""
        super().__post_init__()
        check_options(self.min_area)
        check_boundary_width(self.boundary_width)
        if isinstance(self.aoi, np.ndarray):  # such as total_bounds of GeoPandas
            object.__setattr__(self, "aoi", tuple(self.aoi.ravel().tolist()))
        check_area(self.aoi)
        check_count(self.suggest)
        timing = self.timing
        if not isinstance(timing, bool) and not (isinstance(timing, float) and isfinite(timing)):
            raise InputError(
                f"timing: True, False or a moment of time.monotonic(). Received {timing!r}."
            )
        object.__setattr__(self, "polygons", choose_format(self.polygons))

    @property
    def files(self) -> list[Path]:
        """Files that are read for the map, besides the scene and its reference."""
        colors = Path(self.colors) if isinstance(self.colors, (str, Path)) else None
        return [file for file in (area_file(self.aoi), colors) if file]

    @property
    def needs_confidence(self) -> bool:
        """Whether the probability of the mapped class is kept for an output."""
        return self.confidence or self.suggest > 0

    def unused_notes(self, has_reference: bool) -> list[str]:
        """Describes options that do nothing without another one.

        Args:
            has_reference: Whether the map is scored against a reference.

        Returns:
            A note for each.
        """
        notes = []
        if self.min_area and not self.polygons:
            notes.append("The least area is not used, as no polygons are asked for.")
        if self.boundary_width != BOUNDARY_WIDTH and not has_reference:
            notes.append("The width of boundaries is not used, as there is no reference.")
        return notes

    def clock(self, activity: str = "start", seconds: float = 0) -> Clock | None:
        """Starts the clock of a map.

        Args:
            activity: What is done first.
            seconds: For how long it has been done already.

        Returns:
            The clock, None where no timing is asked for.
        """
        if self.timing is False:
            return None
        begun = time.monotonic() if self.timing is True else self.timing
        return Clock(begun - seconds, activity)

    @property
    def described(self) -> dict[str, Any]:
        """Values of all options by their names, as a report holds them."""
        values = {name: v.name if isinstance(v, Path) else v for name, v in vars(self).items()}
        return values | {"aoi": name_area(self.aoi), "timing": bool(self.timing)}
