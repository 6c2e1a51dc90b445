"""What is let through to Gradio: nothing that asks other servers, runs programs on uploads, or fills memory or disk."""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import gradio
from gradio import route_utils
from gradio.exceptions import InvalidPathError
from starlette.responses import PlainTextResponse

from segment.app.quota import Quota
from segment.core.errors import InputError

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:; object-src 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
# what Gradio offers beside and this page does not use: it would run programs on uploads, ask other servers, or write files
_UNUSED = re.compile(r"/gradio_api/(process_recording|run-history|runs|proxy=|component_server|vibe|undo-vibe|dev/|deep_link)")
_UPLOAD = re.compile(r"/gradio_api/upload/?")
_LONGEST_CALL = 4 * 2**20  # bytes; 500 images with names of 255 letters are a fifth of it


@dataclass(frozen=True)
class Guard:
    """Stands before Gradio. quota: what uploads have to fit into."""

    app: Any
    quota: Quota

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", _POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                ]
            await send(message)

        async def refuse(sentence: str, status: int) -> None:
            while (await receive()).get("more_body"):  # who is not listened to until the end hears no answer
                pass
            await PlainTextResponse(sentence, status)(scope, receive, send_guarded)

        with ExitStack() as held:
            if ":/" in scope["path"] or _UNUSED.search(scope["path"]):
                return await refuse("Not offered here.", 403)
            if scope["method"] == "POST":
                length = dict(scope["headers"]).get(b"content-length", b"")
                if not length.isdigit():
                    return await refuse("Requests say how long they are. Received one that does not. Send it whole.", 411)
                if _UPLOAD.fullmatch(scope["path"]):
                    try:
                        held.enter_context(self.quota.reserve(int(length)))
                    except InputError as error:
                        return await refuse(str(error), 413)
                elif int(length) > _LONGEST_CALL:
                    return await refuse(f"Calls have at most {_LONGEST_CALL:,} bytes. Received more. Upload files.", 413)
            await self.app(scope, receive, send_guarded)


class _FilesOnly(route_utils.GradioMultiPartParser):
    """Takes files, which go to the disk as they come, and no other fields, which would be kept in memory."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options | {"max_fields": 0})


vars(route_utils)["GradioMultiPartParser"] = _FilesOnly


class Page(gradio.Blocks):
    """The page, whose refusals do not tell where the server keeps its files."""

    async def preprocess_data(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().preprocess_data(*arguments, **options)
        except gradio.Error:  # a sentence already; they are ValueErrors, too
            raise
        except (InvalidPathError, OSError) as error:
            sentence = "Files are uploaded first, and kept for an hour. Received none of that name. Upload it."
            raise gradio.Error(sentence, print_exception=False) from error
        except ValueError as error:
            sentence = "Calls give each parameter a value of its kind, as gradio_api/info lists them. Received others. Mend them."
            raise gradio.Error(sentence, print_exception=False) from error
