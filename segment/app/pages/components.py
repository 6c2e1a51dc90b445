"""Gradio's components as this page needs them."""

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import gradio

from segment.app.jobs.queue import AT_ONCE, Jobs, Kind
from segment.app.pages.html import CANCELLED, TOO_LATE, WAITING, show_problem, tell
from segment.app.uploads.messages import refuse
from segment.app.uploads.visitors import identify_visitor

_UNDER_WAY = 0.5  # seconds; progress that is already on its way to the page would be shown over what comes before it
_DROP_HEIGHT = 170  # pixels; lower, and Gradio's label lies over its icon


def make_upload(label: str, file_count: Literal["single", "multiple"]) -> gradio.File:
    """A place to drop files."""
    return gradio.File(label=label, file_count=file_count, type="filepath", height=_DROP_HEIGHT)


def refuse_addresses(page: gradio.Blocks) -> None:
    """Fetches nothing that a visitor names by an address in place of uploading it, as Gradio would."""

    def guard(move: Callable[[str | None], Awaitable[str | None]]) -> Callable[[str | None], Awaitable[str | None]]:
        async def move_uploaded(path: str | None) -> str | None:
            if path is not None and "://" in str(path):
                raise refuse("Files are uploaded first. Received an address. Upload the file.")
            return await move(path)

        return move_uploaded

    for block in page.blocks.values():  # not by classes of our own: Gradio writes their interfaces beside them
        vars(block)["async_move_resource_to_block_cache"] = guard(block.async_move_resource_to_block_cache)


def make_status() -> gradio.HTML:
    """Where progress and problems are told: a `Status`. Gradio changes what differs, so what stays is not read out again."""
    template = '<div class="shown">${value.shown}</div><p role="status">${value.said}</p>'
    return gradio.HTML(html_template=template, value=tell(), elem_classes="status")


def make_bands(otherwise: str) -> gradio.Textbox:
    """Where bands are named. otherwise: those that are read where it stays empty."""
    return gradio.Textbox("", label="Bands to read, in the model's order, such as 4,3,2", placeholder=otherwise, max_lines=1)


def as_paths(uploads: Any) -> list[Path]:
    """The files that an upload holds: none, one or several."""
    if not uploads:
        return []
    return [Path(str(upload)) for upload in (uploads if isinstance(uploads, list) else [uploads])]


def run_in_turn(
    start: gradio.Button,
    cancel: gradio.Button,
    function: Callable[..., Any],
    show: Callable[[Any], tuple[Any, ...]],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    jobs: Jobs,
    kind: Kind,
) -> None:
    """`start` runs a function of this kind of jobs when its turn has come, and `cancel` ends it.

    outputs: the status first, which tells of both. show: fills the others with the result of a job.
    """
    kept = tuple(gradio.skip() for _ in outputs[1:])

    def wait(request: gradio.Request) -> Any:
        return WAITING if jobs.expect(identify_visitor(request), kind) else gradio.skip()

    def stop(request: gradio.Request) -> tuple[Any, ...]:
        """Says what became of the job, whatever came first: this, its end, or Gradio, which is told as well."""
        visitor = identify_visitor(request)
        job, waited = jobs.stop(visitor, kind), jobs.withdraw(visitor, kind)
        if waited or (job and job.cancelled):
            time.sleep(_UNDER_WAY)
            return CANCELLED, *kept
        if job is None:
            return gradio.skip(), *kept
        if job.error:
            return tell(show_problem(job.tell(job.error))), *kept
        return TOO_LATE, *show(job.result)  # of which the page may have seen nothing yet

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    waiting = start.click(wait, None, outputs[0], queue=False, **quiet)
    limit: dict[str, Any] = {"concurrency_limit": AT_ONCE[kind], "concurrency_id": kind}
    run = waiting.then(function, list(inputs), list(outputs), trigger_mode="once", **limit, **quiet)
    cancel.click(stop, None, list(outputs), cancels=[run], queue=False, **quiet)
