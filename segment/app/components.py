"""Gradio's components as this page needs them."""

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import gradio

from segment.app.fragments import CANCELLED, show_note
from segment.app.jobs import AT_ONCE, Jobs, Kind

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
                raise gradio.Error("Files are uploaded first. Received an address. Upload the file.", print_exception=False)
            return await move(path)

        return move_uploaded

    for block in page.blocks.values():  # not by classes of our own: Gradio writes their interfaces beside them
        vars(block)["async_move_resource_to_block_cache"] = guard(block.async_move_resource_to_block_cache)


def make_status() -> gradio.HTML:
    """Where progress and problems are told; read out as they come."""
    return gradio.HTML(html_template='<div role="status" aria-live="polite">${value}</div>', value="", elem_classes="status")


def as_paths(uploads: Any) -> list[Path]:
    """The files that an upload holds: none, one or several."""
    if not uploads:
        return []
    return [Path(str(upload)) for upload in (uploads if isinstance(uploads, list) else [uploads])]


def run_in_turn(
    start: gradio.Button,
    cancel: gradio.Button,
    status: gradio.HTML,
    function: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    jobs: Jobs,
    kind: Kind,
) -> None:
    """`start` runs a function of this kind of jobs when its turn has come, and `cancel` ends it; `status` tells of both."""

    def stop(request: gradio.Request) -> str:
        if jobs.stop(str(request.session_hash), kind):
            time.sleep(_UNDER_WAY)
        return CANCELLED  # also where Gradio, which is told as well, came first, or the job still waited for its turn

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    waiting = start.click(lambda: show_note("Waiting for its turn."), None, status, queue=False, **quiet)
    limit: dict[str, Any] = {"concurrency_limit": AT_ONCE[kind], "concurrency_id": kind}
    run = waiting.then(function, list(inputs), list(outputs), trigger_mode="once", **limit, **quiet)
    cancel.click(stop, None, status, cancels=[run], queue=False, **quiet)
