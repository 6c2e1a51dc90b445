"""The tab that maps scenes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio

from segment.app.jobs.job import Kind
from segment.app.jobs.mapping import Mapped, Settings, find_probabilities, map_upload
from segment.app.jobs.models import OfferedModels
from segment.app.jobs.queue import Jobs
from segment.app.pages.components import (
    as_paths,
    make_bands,
    make_model,
    make_samples,
    make_scale,
    make_status,
    make_upload,
    run_in_turn,
)
from segment.app.pages.html import Status, show_note, show_problem, show_progress, status
from segment.app.pages.results import show_areas, show_pixel
from segment.app.pages.viewer import MARK, make_viewer, show_viewer
from segment.app.uploads.visitors import identify_visitor
from segment.core.choices import OVERLAP

KIND: Kind = "map"

_RESAMPLE = {
    "resampled if the model does not know such pixels": None,
    "as they are": False,
    "as the model learned": True,
}

_PIXELS_AT_ONCE = 2  # each may have to decode a whole JPEG


def make_map_tab(models: OfferedModels, jobs: Jobs, samples: dict[str, Path]) -> None:
    """Fills the tab that is being built.

    Args:
        models: Models to choose from.
        jobs: Jobs of the server.
        samples: Folders of sample scenes by name, see `write_samples`.
    """
    with gradio.Row():
        with gradio.Column(scale=1, min_width=300):
            scene = make_upload("Scene: GeoTIFF, PNG or JPEG", "single")
            gradio.HTML('<p class="note">Or a sample scene, with its reference:</p>')
            choices = make_samples({name: place / "icon.jpg" for name, place in samples.items()})
            model = make_model(models, "segment")
            with gradio.Accordion("Settings", open=False):
                bands = make_bands("as the file names them")
                scale = make_scale()
                nodata = gradio.Textbox(
                    "",
                    label="Nodata: a value (0) or a range (0-3)",
                    placeholder="what the file declares",
                    max_lines=1,
                )
                overlap = gradio.Slider(
                    0, 0.5, OVERLAP, step=0.0625, label="Overlap of tiles, part of their edge"
                )
                augment = gradio.Checkbox(
                    False, label="Average flips and turns: better, eight times the time"
                )
                resample = gradio.Radio(
                    list(_RESAMPLE), value=next(iter(_RESAMPLE)), label="Pixels the model sees"
                )
                gsd = gradio.Number(
                    0,
                    label=(
                        "Metres per pixel, where the file says none or a wrong one; 0: as it says"
                    ),
                    minimum=0,
                )
                reference = make_upload("True mask of the scene, if there is one", "single")
            with gradio.Row():
                start = gradio.Button("Map", variant="primary")
                cancel = gradio.Button("Cancel")
        with gradio.Column(scale=2, min_width=320):
            progress = make_status()
            viewer = make_viewer()
            with gradio.Row(visible=False, elem_classes="place") as place:
                row = gradio.Number(0, label="Row", precision=0, minimum=0, min_width=80)
                column = gradio.Number(0, label="Column", precision=0, minimum=0, min_width=80)
                ask = gradio.Button("What is there?", min_width=180)
            pixel = make_status()
            areas = gradio.HTML(value=_HINT)

    def map_scene(values: dict[Any, Any], request: gradio.Request) -> Iterator[tuple[Any, ...]]:
        files, references = as_paths(values[scene]), as_paths(values[reference])
        visitor = identify_visitor(request)
        kept = (gradio.skip(),) * 4
        jobs.withdraw(visitor, KIND)  # its turn has come
        if not files:
            yield (
                status(show_problem("No scene given. Drop one, or choose a sample.")),
                *kept,
            )
            return
        job = jobs.begin(visitor, KIND)
        nothing = gradio.HTML(value="", visible=False), gradio.Row(visible=False), status(), ""
        yield show_progress(job, "Mapping", "tiles"), *nothing
        settings = Settings(
            values[model],
            values[overlap],
            values[augment],
            _RESAMPLE.get(values[resample]),
            values[bands],
            values[gsd] or None,
            values[scale],
            values[nodata],
        )
        try:
            mapped = yield from job.watch(
                lambda: map_upload(
                    job,
                    models,
                    jobs.received,
                    files[0],
                    references[0] if references else None,
                    settings,
                ),
                lambda: (show_progress(job, "Mapping", "tiles"), *kept),
            )
            yield status(announced="Mapped."), *show(mapped)
        except Exception as error:
            yield status(show_problem(job.message(error))), *nothing

    def show(mapped: Mapped) -> tuple[Any, ...]:
        return show_viewer(mapped), gradio.Row(visible=True), status(), show_areas(mapped)

    def look_up(row: float | None, column: float | None, request: gradio.Request) -> Status:
        job = jobs.last(identify_visitor(request), KIND)
        if job is None or not isinstance(job.result, Mapped):
            return status(show_problem("The map is no longer kept. Map the scene again."))
        if row is None or column is None:
            return status(show_problem("Row or column of the pixel is missing. Fill in both."))
        try:
            return show_pixel(
                job.result,
                int(row),
                int(column),
                find_probabilities(job.result, int(row), int(column)),
            )
        except Exception as error:
            return status(show_problem(job.message(error)))

    def look_up_click(event: gradio.EventData, request: gradio.Request) -> tuple[Any, Any, Status]:
        try:
            row, column = int(event.row), int(event.column)
        except (AttributeError, ArithmeticError, TypeError, ValueError):  # not sent by the page
            return gradio.skip(), gradio.skip(), look_up(None, None, request)
        return row, column, look_up(row, column, request)

    inputs = {scene, reference, model, bands, overlap, augment, resample, gsd, scale, nodata}
    outputs = [progress, viewer, place, pixel, areas]
    run_in_turn(start, cancel, map_scene, show, inputs, outputs, jobs, KIND)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    limit: dict[str, Any] = {"concurrency_limit": _PIXELS_AT_ONCE, "concurrency_id": "look_up"}
    viewer.click(look_up_click, None, [row, column, pixel], **limit, **quiet)
    gradio.on(
        [ask.click, row.submit, column.submit],
        look_up,
        [row, column],
        pixel,
        js=MARK,
        **limit,
        **quiet,
    )
    scene.clear(
        lambda: None, None, reference, **quiet
    )  # the mask belongs to the scene that is removed
    for choice, folder in zip(choices, samples.values(), strict=True):
        files = (str(folder / "scene.tif"), str(folder / "truth.tif"))
        choice.click(lambda files=files: files, None, [scene, reference], **quiet)


_HINT = show_note(
    "Drop a scene, or choose a sample, and press Map: scene, map and areas appear here."
)
