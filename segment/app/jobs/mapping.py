"""Mapping of an uploaded scene, and probabilities of its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segment.app.jobs.job import Job, JobProgress, check_augment
from segment.app.jobs.map_pictures import MapPictures, write_pictures
from segment.app.jobs.map_position import MapPosition, find_position
from segment.app.jobs.models import OfferedModels
from segment.app.uploads.formats import SCENE_PIXELS, admit, choose_bands, choose_scale
from segment.app.uploads.visitors import rephrase
from segment.core.choices import OVERLAP
from segment.core.errors import InputError
from segment.core.inputs.scene_scales import scale_sources
from segment.core.model.runtime import Model
from segment.core.raster.nodata import Nodata, parse_nodata
from segment.core.raster.sources import Source, as_source
from segment.mapping.predict import predict_scene
from segment.mapping.result import SceneMap
from segment.mapping.scale import check_gsd
from segment.mapping.window import predict_probabilities


@dataclass(frozen=True)
class Settings:
    """How a scene is mapped; see `segment.predict_scene`.

    Attributes:
        model: Name that the model is offered under.
        overlap: Fraction of a tile's edge that it shares with its neighbour, 0 to 0.5.
        augment: Whether to average over flips and quarter turns.
        resample: Whether the scene is brought to the pixel size that the model learned from. None:
            only if its own is outside the range of the model.
        bands: Bands to read, see `choose_bands`.
        gsd: Ground sampling distance in metres per pixel. None: what the file says.
        scale: How more than 8 bits become 8, see `choose_scale`.
        nodata: Value or range that means "no data", see `parse_nodata`; empty for none.
    """

    model: str
    overlap: float = OVERLAP
    augment: bool = False
    resample: bool | None = None
    bands: str = ""
    gsd: float | None = None
    scale: str = ""
    nodata: str = ""

    def check(self) -> None:
        """Checks the values.

        Raises:
            InputError: If `overlap`, `resample`, `augment`, `gsd`, `scale` or `nodata` has a value
                that it cannot have.
        """
        choose_scale(self.scale)
        if not isinstance(self.overlap, (int, float)) or not 0 <= self.overlap <= 0.5:
            raise InputError(
                f"overlap: {self.overlap!r} is not a fraction of a tile's edge. Choose 0 to 0.5."
            )
        if self.resample not in (None, True, False):
            raise InputError(f"resample: {self.resample!r} is unknown. Choose true, false or null.")
        check_augment(self.augment)
        check_gsd(self.gsd)
        self.parse_nodata()

    def parse_nodata(self) -> Nodata | None:
        """Parses `nodata`.

        Returns:
            The value or range, None for none.

        Raises:
            InputError: If it is neither.
        """
        if not isinstance(self.nodata, str):
            raise InputError(f"nodata: {self.nodata!r} is not text. Write e.g. 0 or 0-3.")
        return parse_nodata(self.nodata.strip() or None)


@dataclass(frozen=True)
class Mapped:
    """A scene that was mapped.

    Attributes:
        files: Files of the map, and its report.
        source: The scene, as it was admitted, with its scale.
        model: Model that mapped it.
        settings: How it was mapped.
        pictures: The scene, its map and the confidence of the map as pictures.
        position: Where the pixels of the scene are on the ground, None where the file does not say.
    """

    files: SceneMap
    source: Source
    model: Model
    settings: Settings
    pictures: MapPictures
    position: MapPosition | None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the scene."""
        return self.files.report["height"], self.files.report["width"]

    @property
    def notes(self) -> list[str]:
        """Remarks in the report, without the folder of the job."""
        return [
            rephrase(note, self.pictures.photograph.parent) for note in self.files.report["notes"]
        ]

    @property
    def downloads(self) -> dict[str, Path]:
        """Files to offer for download, by their descriptions."""
        files = self.files
        assert files.polygons is not None and files.confidence is not None
        return {
            "Class raster (GeoTIFF)": files.classes,
            "Picture of the map (PNG)": files.mask,
            "Overlay with legend (JPEG)": files.overlay,
            "Polygons (GeoPackage)": files.polygons,
            "Confidence (GeoTIFF)": files.confidence,
            "Page to print or hand on (HTML)": files.page,
            "Report (JSON)": files.report_file,
        }


def map_upload(
    job: Job,
    models: OfferedModels,
    received: Sequence[Path],
    scene: Path,
    reference: Path | None,
    settings: Settings,
) -> Mapped:
    """Maps an uploaded scene, and writes the results into the folder of a job.

    Args:
        job: Job that the scene is mapped for.
        models: Models to choose from.
        received: Folders that uploads may be in, see `admit`.
        scene: Uploaded scene.
        reference: Uploaded mask of the true classes, for scores: of the scene's size, or on any
            grid if both are georeferenced. None for no scores.
        settings: How to map it.

    Returns:
        The map, with its pictures.

    Raises:
        InputError: As `admit` and `predict_scene` do, or if a setting has a value that it cannot
            have.
        Interrupted: If the job is cancelled.
    """
    settings.check()
    source = as_source(
        admit(scene, received, job.folder / "scene", SCENE_PIXELS, choose_bands(settings.bands)),
        nodata=settings.parse_nodata(),
    )
    mask = (
        None
        if reference is None
        else admit(reference, received, job.folder / "truth", SCENE_PIXELS)
    )
    model = models.load("segment", settings.model)
    (source,) = scale_sources([source], choose_scale(settings.scale), model.info.pixels)
    files = predict_scene(
        source,
        model,
        job.folder / "map",
        truth=mask,
        scale="never",  # in addition to that of the source
        overlap=settings.overlap,
        augment=settings.augment,
        resample=settings.resample,
        gsd=settings.gsd,
        confidence=True,
        polygons=True,
        resume=False,
        progress=JobProgress(job),
    )
    job.check()
    pictures = write_pictures(job.folder, source, model.info, files)
    return Mapped(files, source, model, settings, pictures, find_position(source))


def find_probabilities(mapped: Mapped, row: int, column: int) -> dict[str, float] | None:
    """Computes the probabilities of the classes at a pixel of a scene.

    Args:
        mapped: Scene that was mapped.
        row: Row of the pixel, from 0.
        column: Column of the pixel, from 0.

    Returns:
        Probabilities 0 to 1 by class name, the likeliest first. None where the scene has no data.

    Raises:
        InputError: If the pixel is not in the scene.
    """
    height, width = mapped.size
    if not (0 <= row < height and 0 <= column < width):
        raise InputError(
            f"Row {row}, column {column} is outside the scene, which has rows 0 to {height - 1},"
            f" columns 0 to {width - 1}. Choose a pixel within."
        )
    settings = mapped.settings
    found = predict_probabilities(
        mapped.source,
        mapped.model,
        row,
        column,
        1,
        1,
        scale="never",  # in addition to that of the source
        overlap=settings.overlap,
        augment=settings.augment,
        resample=settings.resample,
        gsd=settings.gsd,
    )[0, 0]
    if np.isnan(found).any():
        return None
    names = mapped.model.info.class_table.names
    return {names[i]: float(found[i]) for i in np.argsort(-found, kind="stable")}
