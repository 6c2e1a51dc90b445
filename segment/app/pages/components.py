"""Gradio components as this page needs them."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gradio

from segment.app.jobs.job import Kind
from segment.app.jobs.models import OfferedModels, Task
from segment.app.jobs.queue import AT_ONCE, Jobs
from segment.app.pages.html import (
    CANCELLED,
    TOO_LATE,
    WAITING,
    show_models,
    show_problem,
    status,
)
from segment.app.uploads.visitors import identify_visitor, refuse

# Seconds to wait before reporting that a job was cancelled: progress that is still on its way to
# the page would replace an earlier message.
_UNDER_WAY = 0.5
_DROP_HEIGHT = 170  # pixels; if lower, Gradio's label overlaps its icon


def make_upload(label: str, file_count: Literal["single", "multiple"]) -> gradio.File:
    """Makes a place to drop files.

    Args:
        label: Label of the component.
        file_count: Whether one file or several may be dropped.

    Returns:
        The Gradio component.
    """
    return gradio.File(label=label, file_count=file_count, type="filepath", height=_DROP_HEIGHT)


def refuse_addresses(page: gradio.Blocks) -> None:
    """Makes a page refuse addresses that visitors give in place of an upload.

    Gradio would fetch them.

    Args:
        page: Page whose components are changed.
    """

    def guard(
        move: Callable[[str | None], Awaitable[str | None]],
    ) -> Callable[[str | None], Awaitable[str | None]]:
        async def move_uploaded(path: str | None) -> str | None:
            if path is not None and "://" in str(path):
                raise refuse("Files must be uploaded first, not an address. Upload the file.")
            return await move(path)

        return move_uploaded

    # No subclasses, for which Gradio would write interface files beside their modules.
    for block in page.blocks.values():
        vars(block)["async_move_resource_to_block_cache"] = guard(
            block.async_move_resource_to_block_cache
        )


def make_status() -> gradio.HTML:
    """Makes the component that shows progress and problems; its value is a `Status`.

    Gradio replaces only what differs, so screen readers do not announce again what stays.

    Returns:
        The Gradio component.
    """
    template = '<div class="shown">${value.shown}</div><p role="status">${value.announced}</p>'
    return gradio.HTML(html_template=template, value=status(), elem_classes="status")


def make_bands(otherwise: str) -> gradio.Textbox:
    """Makes the field for bands to read.

    Args:
        otherwise: Describes the bands that are read when the field is empty.

    Returns:
        The Gradio component.
    """
    return gradio.Textbox(
        "",
        label="Bands to read, in the model's order, such as 4,3,2",
        placeholder=otherwise,
        max_lines=1,
    )


def make_scale() -> gradio.Textbox:
    """Makes the field for the scale of files of more than 8 bits.

    Returns:
        The Gradio component.
    """
    return gradio.Textbox(
        "",
        label="Scale of more than 8 bits: never, 2%,98% or 0,3000 (lowest, highest)",
        placeholder="auto",
        max_lines=1,
    )


def make_model(models: OfferedModels, task: Task) -> gradio.Dropdown:
    """Makes the choice of a model, with the classes of all models below it.

    Args:
        models: Models to choose from.
        task: What the models do.

    Returns:
        The Gradio component of the choice.
    """
    classes = models.classes(task)
    names = list(classes)
    choice = gradio.Dropdown(names, value=names[0], label="Model", interactive=True)
    gradio.HTML(show_models(classes))
    return choice


def make_samples(pictures: Mapping[str, Path]) -> list[gradio.Button]:
    """Makes a row of buttons with pictures.

    Args:
        pictures: Picture on each button, by its label.

    Returns:
        The buttons, in the same order.
    """
    with gradio.Row(elem_classes="samples"):
        return [
            gradio.Button(name, icon=picture, min_width=60) for name, picture in pictures.items()
        ]


def as_paths(uploads: Any) -> list[Path]:
    """Returns the files that an upload component holds.

    Args:
        uploads: Value of the component: None, one path or a list of paths.

    Returns:
        The paths: none, one or several.
    """
    if not uploads:
        return []
    return [Path(str(upload)) for upload in (uploads if isinstance(uploads, list) else [uploads])]


def run_in_turn(
    start: gradio.Button,
    cancel: gradio.Button,
    function: Callable[..., Any],
    show: Callable[[Any], tuple[Any, ...]],
    inputs: Sequence[Any] | set[Any],
    outputs: Sequence[Any],
    jobs: Jobs,
    kind: Kind,
) -> None:
    """Connects a button that runs a job when its turn comes, and one that cancels it.

    Args:
        start: Button that runs `function`.
        cancel: Button that ends it.
        function: Runs the job; takes the values of `inputs`, of a set in a dictionary by component,
            and yields those of `outputs`.
        show: Returns the values of all outputs but the first for the result of a job.
        inputs: Components that `function` reads.
        outputs: Components that `function` fills: first the status, which both buttons update.
        jobs: Jobs of the server.
        kind: Kind of work.
    """
    kept = tuple(gradio.skip() for _ in outputs[1:])

    def wait(request: gradio.Request) -> Any:
        return WAITING if jobs.expect(identify_visitor(request), kind) else gradio.skip()

    def stop(request: gradio.Request) -> tuple[Any, ...]:
        """Reports what happened to the job.

        This call, the end of the job and Gradio's own cancelling may come in any order.
        """
        visitor = identify_visitor(request)
        job, waited = jobs.stop(visitor, kind), jobs.withdraw(visitor, kind)
        if waited or (job and job.cancelled):
            time.sleep(_UNDER_WAY)
            return CANCELLED, *kept
        if job is None:
            return gradio.skip(), *kept
        if job.error:
            return status(show_problem(job.message(job.error))), *kept
        return TOO_LATE, *show(job.result)  # which the page may not have received yet

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    waiting = start.click(wait, None, outputs[0], queue=False, **quiet)
    limit: dict[str, Any] = {"concurrency_limit": AT_ONCE[kind], "concurrency_id": kind}
    run = waiting.then(function, inputs, list(outputs), trigger_mode="once", **limit, **quiet)
    cancel.click(stop, None, list(outputs), cancels=[run], queue=False, **quiet)
