"""The tab that labels images."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio

from segment.app.jobs.job import Kind
from segment.app.jobs.labelling import Labelled, LabelSettings, label_uploads
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
from segment.app.pages.html import show_note, show_problem, show_progress, status
from segment.app.pages.results import show_labels
from segment.app.uploads.visitors import identify_visitor

KIND: Kind = "classify"


def make_classify_tab(models: OfferedModels, jobs: Jobs, samples: Mapping[str, Path]) -> None:
    """Fills the tab that is being built.

    Args:
        models: Models to choose from.
        jobs: Jobs of the server.
        samples: Sample photographs by name, see `write_photographs`.
    """
    with gradio.Row():
        with gradio.Column(scale=1, min_width=300):
            images = make_upload("Images: GeoTIFF, PNG or JPEG", "multiple")
            gradio.HTML(
                '<p class="note">Or a sample, drawn by a program:</p>', visible=bool(samples)
            )
            choices = make_samples(samples)
            model = make_model(models, "classify")
            with gradio.Accordion("Settings", open=False):
                bands = make_bands("those of the training")
                scale = make_scale()
                augment = gradio.Checkbox(
                    False, label="Average flips and turns: surer, eight times the time"
                )
            with gradio.Row():
                start = gradio.Button("Classify", variant="primary")
                cancel = gradio.Button("Cancel")
        with gradio.Column(scale=2, min_width=320):
            progress = make_status()
            result = gradio.HTML(value=_HINT)

    def classify(
        uploads: Any, model: str, bands: str, augment: bool, scale: str, request: gradio.Request
    ) -> Iterator[tuple[Any, Any]]:
        files, visitor = as_paths(uploads), identify_visitor(request)
        jobs.withdraw(visitor, KIND)  # its turn has come
        if not files:
            yield (
                status(show_problem("No image given. Drop one, or choose it.")),
                gradio.skip(),
            )
            return
        job = jobs.begin(visitor, KIND)
        try:
            found = yield from job.watch(
                lambda: label_uploads(
                    job, models, jobs.received, files, LabelSettings(model, bands, augment, scale)
                ),
                lambda: (
                    show_progress(job, "Classifying", "images"),
                    show_labels(job.result) if job.result else gradio.skip(),
                ),
            )
            yield status(announced="Classified."), *show(found)
        except Exception as error:
            yield status(show_problem(job.message(error))), ""

    def show(found: Labelled) -> tuple[str]:
        return (show_labels(found),)

    run_in_turn(
        start,
        cancel,
        classify,
        show,
        [images, model, bands, augment, scale],
        [progress, result],
        jobs,
        KIND,
    )
    for choice, file in zip(choices, samples.values(), strict=True):
        choice.click(
            lambda file=file: [str(file)],
            None,
            images,
            api_visibility="private",
            show_progress="hidden",
        )


_HINT = show_note(
    "Drop an image and press Classify: its label, the likeliest others and what the network looked"
    " at appear here."
)
