"""An open scene: checked before anything is computed, and written once its rows are finished."""

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.area_of_interest import open_area
from segment.annotations.areas import Area, describe_area
from segment.annotations.label_source import LabelSource
from segment.core.errors import InputError
from segment.core.labels.map_colors import Palette, recolor
from segment.core.maps.class_raster import write_class_raster
from segment.core.maps.scene_outputs import own_version
from segment.core.model.info import ModelInfo
from segment.core.pixels.geometry import Reduction
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.core.reports.map_pictures import plan_photograph, read_photograph, write_pictures
from segment.core.reports.timing import Clock
from segment.map_outputs.confidence import suggest_windows, write_confidence_raster
from segment.map_outputs.map_page import write_map_page
from segment.map_outputs.polygons import write_polygons
from segment.mapping.familiarity import describe_familiarity, find_unfamiliar
from segment.mapping.journal import CLASSES, CONFIDENCE, Journal
from segment.mapping.model_view import ModelView, check_scene
from segment.mapping.options import MapOptions
from segment.mapping.reference import Reference, open_reference
from segment.mapping.result import SceneMap
from segment.mapping.scale import Scale, choose_scale
from segment.mapping.tally import SceneTally


@dataclass(frozen=True)
class OpenScene:
    """An open scene that fits a model, how the model sees it, and what is asked for.

    Attributes:
        source: Scene as it was named.
        raster: The open scene.
        info: Description of the model.
        view: How the model sees the scene.
        reference: The open reference, or None.
        options: How the scene is mapped.
        palette: Colours that the map is drawn in.
        scale: Scale at which the model sees the scene.
        area: Part of the scene that is mapped.
        tally: Counts of the mapped pixels.
        photograph: Picture of the scene, which grows with the rows that are read; None where it is
            read from overviews.
    """

    source: Source
    raster: Raster
    info: ModelInfo
    view: ModelView
    reference: Reference | None
    options: MapOptions
    palette: Palette
    scale: Scale
    area: Area
    tally: SceneTally = field(repr=False)
    photograph: Reduction | None = field(repr=False)

    @property
    def grid(self) -> PixelGrid:
        """Grid of the map."""
        return self.area.grid(self.raster)

    def describe(self, identity: str, runtime: str) -> str:
        """Describes everything that the rows of the map depend on.

        Unfinished work is continued only where this is the same.

        Args:
            identity: Identity of the network, see `Model`.
            runtime: Runtime of the network, see `Model`.

        Returns:
            JSON text.
        """
        return json.dumps(
            {
                "version": own_version(),
                "scene": self.raster.identity,
                "model": [identity, runtime, self.info.model_dump(mode="json")],
                "plan": asdict(self.view.plan),
                "factor": self.scale.factor,
                "truth": self.reference and self.reference.identity,
                "augment": self.options.augment,
                "confidence": self.options.needs_confidence,
                "area": self.area.identity,
            }
        )

    def note_change(self, description: str, identity: str, runtime: str) -> list[str]:
        """Compares scene and reference with what they were when the work began.

        Args:
            description: What `describe` returned then.
            identity: As in `describe`.
            runtime: As in `describe`.

        Returns:
            A warning where they changed since, so that the map may show both states.
        """
        if self.describe(identity, runtime) == description:
            return []
        return [
            "Warning: files of the scene or of its reference changed while it was mapped. Map it"
            " again with --overwrite."
        ]

    def made_of(self, description: str) -> str:
        """Returns the digest by which the report shows what the map was made of.

        Args:
            description: What `describe` returned.

        Returns:
            SHA-256 of everything that the outputs depend on, in hexadecimal digits.
        """
        options, scale = self.options, self.scale
        polygons = options.polygons and [options.polygons, options.min_area]
        outputs = [polygons, options.confidence, options.suggest]
        colors = [c.map_color for c in self.palette.table.classes]
        width = [options.boundary_width] if self.reference else []
        ingredients = [description, *outputs, *colors, *width, scale.pixel, scale.notes]
        return hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()

    @property
    def settings(self) -> dict[str, Any]:
        """Options of the map, with what was chosen where nothing was asked for, for the report."""
        colors = self.options.colors and {c.name: c.map_color for c in self.palette.table.classes}
        return self.options.described | {
            "model_sha256": self.info.checksums.get("model.keras"),
            "bands": list(self.raster.bands),
            "nodata": self.raster.nodata,
            "tile": self.view.plan.tile,
            "factor": self.scale.factor,
            "truth": self.reference and self.reference.name,
            "colors": colors,
        }

    def write(
        self,
        folder: Path,
        journal: Journal,
        seconds: float,
        model: Path | None,
        clock: Clock | None,
        **details: Any,
    ) -> SceneMap:
        """Writes all outputs of finished rows: rasters, pictures, polygons and the report.

        Args:
            folder: Folder to write to.
            journal: Journal with all rows of the scene, which are counted in `tally`.
            seconds: Time that the rows took.
            model: Model folder, None for a model that was not loaded from one.
            clock: Clock whose times the report shows, or None.
            **details: Further keys of the report. `notes` are appended to those of the report. With
                `holes`, parts of the scene may be unreadable.

        Returns:
            Paths of the files and the report.

        Raises:
            InputError: If a file cannot be written, for example because the disk is full.
        """
        started, options = time.monotonic(), self.options
        if clock:
            clock.switch("outputs")
        files = SceneMap.planned(self.source, folder, options)
        with ThreadPoolExecutor(2) as pool:  # both read a small part of the scene
            seen = model, self.info, self.view.source, self.area
            compared, filled = pool.submit(find_unfamiliar, *seen), pool.submit(self._undeclared)
            preview = self._write_maps(files, journal, damaged="holes" in details)
            unfamiliar, warning = compared.result()
        report = self.tally.report(seconds + time.monotonic() - started)
        notes = [*self.info.notes, *self.area.report_notes, *report["notes"], *self.palette.notes]
        notes += self.options.unused_notes(self.reference is not None)
        notes += [*details.pop("notes", []), *warning, *filter(None, [filled.result()])]
        report |= {"unfamiliar": unfamiliar, "settings": self.settings, **details}
        if self.area.identity is not None:
            report["area_of_interest"] = describe_area(options.aoi, self.area)
        if files.suggestions:
            path, table = files.suggestions, self.palette.table
            rows = journal.file(CLASSES), journal.file(CONFIDENCE)
            found, fewer = suggest_windows(*rows, path, self.grid, table, options.suggest)
            report["suggestions"] = found
            notes += fewer
        if self.reference:
            notes += self.reference.notes
            if not report["pixels"]:
                notes.append(
                    "Warning: The reference labels no pixel of the map, so there are no scores."
                )
            table, width = self.info.class_table, options.boundary_width
            report |= self.reference.report(table, journal, width)
            if model is not None:
                tiles = self.raster, self.info.tile
                report |= describe_familiarity(model, *tiles, journal, self.area, notes)
        report["notes"] = notes
        if clock:
            report["timing"] = clock.report()
        listed = [file.name for file in files.files]
        write_map_page(files.page, report, self.palette.table, preview, listed)
        return files.written(report)

    def _undeclared(self) -> str | None:
        """Finds undeclared nodata in a dataset of its own, as threads cannot share one."""
        region = None if self.area.identity is None else self.area.region
        with suppress(InputError), self.source.open() as raster:
            return raster.undeclared_nodata(region)
        return None

    def _write_maps(self, files: SceneMap, journal: Journal, damaged: bool) -> NDArray[np.uint8]:
        """Writes all files but report and page, for which it returns the overlay."""
        grid, class_table, tally = self.grid, self.palette.table, self.tally
        with ThreadPoolExecutor(1) as pool:
            # while the rasters are compressed: what was not read for the map
            place = damaged, self.area.region, self.photograph
            photograph = pool.submit(read_photograph, self.source, *place)
            rows = journal.raw(CLASSES)
            write_class_raster(rows, files.classes, grid, class_table, tally.pixels, "land cover")
            if files.confidence:
                write_confidence_raster(journal.raw(CONFIDENCE), files.confidence, grid)
            drawn = grid, photograph.result(), class_table
            pictures = files.mask, files.overlay
            preview = write_pictures(files.classes, *drawn, *pictures, tally.shares)
        if path := files.polygons:
            least = self.options.min_area
            write_polygons(files.classes, grid, class_table, path, "land_cover", min_area=least)
        return preview


@contextmanager
def open_scene(
    source: Source, info: ModelInfo, options: MapOptions, mask: LabelSource | None = None
) -> Iterator[OpenScene]:
    """Opens a scene and its reference for mapping.

    Args:
        source: Scene.
        info: Description of the model.
        options: How the scene is mapped.
        mask: Reference mask or vector labels, or None.

    Yields:
        The open scene.

    Raises:
        InputError: If scene, reference, model and options do not fit together.
    """
    with ExitStack() as stack:
        raster = stack.enter_context(source.open(info.wanted_bands))
        source = source.as_opened(raster)
        check_scene(raster, info)
        area = open_area(options.aoi, raster)
        scale = choose_scale(raster, info, options.resample, options.gsd)
        table = info.class_table
        reference = stack.enter_context(open_reference(mask, raster, table)) if mask else None
        yield OpenScene(
            source=source,
            raster=raster,
            info=info,
            view=ModelView.of(source, raster, info, options, scale.factor, area),
            reference=reference,
            options=options,
            palette=recolor(table, options.colors),
            scale=scale,
            area=area,
            tally=SceneTally(raster, area, info, scale),
            photograph=plan_photograph(raster, area.region),
        )
