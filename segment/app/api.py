"""The HTTP API of the app: labelling and mapping, for Gradio's client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gradio
from gradio.events import api

from segment.app.jobs.job import Job, Kind
from segment.app.jobs.labelling import LabelSettings, label_uploads
from segment.app.jobs.mapping import Settings, map_upload
from segment.app.jobs.models import OfferedModels
from segment.app.jobs.queue import AT_ONCE, Jobs
from segment.app.uploads.visitors import identify_visitor, refuse
from segment.core.choices import OVERLAP

T = TypeVar("T")


def make_api(models: OfferedModels, jobs: Jobs) -> None:
    """Adds the endpoints /classify and /map to the page that is being built.

    Args:
        models: Models to choose from.
        jobs: Jobs of the server.
    """

    def classify(
        images: list[dict],  # type: ignore[type-arg]
        request: gradio.Request,
        model: str = "",
        augment: bool = False,
        bands: str = "",
        scale: str = "",
    ) -> list[dict]:  # type: ignore[type-arg]
        files = [_path(image) for image in (images if isinstance(images, list) else [images])]
        settings = LabelSettings(model or models.names("classify")[0], bands, augment, scale)
        job = jobs.begin(identify_visitor(request), "classify", instead=False)
        found = _finish(
            job,
            lambda: label_uploads(job, models, jobs.received, files, settings, pictures=False),
        )
        return [
            {
                "image": p.image,
                "labels": dict(p.labels),
                "given": p.given,
                "unsure": p.unsure,
                "problem": p.problem,
                "notes": p.notes,
            }
            for p in found.predictions
        ]

    def map_scene(  # noqa: PLR0913 - its parameters are options
        scene: dict,  # type: ignore[type-arg]
        request: gradio.Request,
        model: str = "",
        overlap: float = OVERLAP,
        augment: bool = False,
        resample: bool | None = None,
        bands: str = "",
        gsd: float | None = None,
        scale: str = "",
        nodata: str = "",
    ) -> tuple[dict, dict, dict]:  # type: ignore[type-arg]
        file = _path(scene)
        name = model or models.names("segment")[0]
        settings = Settings(name, overlap, augment, resample, bands, gsd, scale, nodata)
        job = jobs.begin(identify_visitor(request), "map", instead=False)
        found = _finish(job, lambda: map_upload(job, models, jobs.received, file, None, settings))
        assert found.files.polygons is not None
        return (
            found.files.report | {"notes": found.notes},
            _file(found.files.classes),
            _file(found.files.polygons),
        )

    endpoints: tuple[tuple[Callable[..., Any], Kind, str], ...] = (
        (classify, "classify", _CLASSIFY),
        (map_scene, "map", _MAP),
    )
    for function, kind, description in endpoints:
        api(
            function,
            api_name=kind,
            api_description=description,
            concurrency_limit=AT_ONCE[kind],
            concurrency_id=kind,
        )


_CLASSIFY = (
    "Labels images. images: uploaded files (gradio_client.handle_file). model: by name, the first"
    " by default. bands: those of the model in its order, such as 4,3,2; by default those it"
    " learned from. scale: how more than 8 bits become 8: auto (the default), never, LOW,HIGH or"
    " 2%,98%. Returns for each {image, labels: {label: probability}, given: [label], unsure:"
    " whether none may apply, problem: null or a sentence, notes: [how the image was read]}."
)
_MAP = (
    "Maps a scene. scene: an uploaded file (gradio_client.handle_file). model: by name, the first"
    " by default. overlap: of tiles, 0 to 0.5. bands: those of the model in its order, such as"
    " 4,3,2; all but alpha by default. resample: true for the pixel size the model learned from,"
    " false for pixels as they are; by default only pixels outside the model's range are resampled."
    " gsd: metres per pixel, by default what the file says. scale: how more than 8 bits become 8:"
    " auto (the default), never, LOW,HIGH or 2%,98%. nodata: a value such as 0 or a range such as"
    " 0-3, by default what the file declares. Returns the report, the class raster"
    " (GeoTIFF) and the polygons (GeoPackage)."
)


def _path(upload: Any) -> Path:
    path = upload.get("path") if isinstance(upload, dict) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise refuse("Files must be uploaded first. Pass them through gradio_client.handle_file.")
    return Path(path)


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def _finish(job: Job, work: Callable[[], T]) -> T:
    try:
        return job.do(work)
    except Exception as error:
        raise refuse(job.message(error)) from error
