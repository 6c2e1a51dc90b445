"""The filter in front of Gradio.

It refuses requests that would contact other servers, run programs on uploads, or fill memory or
disk.
"""

import errno
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio
from gradio import route_utils
from gradio.exceptions import InvalidPathError
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from segment.app.uploads.arrivals import Arrivals, Body
from segment.app.uploads.hosts import Hosts
from segment.app.uploads.messages import log_refusal, refuse
from segment.app.uploads.quota import ARRIVING, Quota
from segment.core.errors import InputError, explain

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:;"
    " object-src 'none'; form-action 'self'; frame-ancestors 'self'"
)
# Routes of Gradio that this page does not use: they would run programs on uploads, contact other
# servers, or write files.
_UNUSED = re.compile(
    r"/gradio_api/(process_recording|run-history|runs|proxy=|component_server|vibe|undo-vibe|dev/|deep_link)"
)
_UPLOAD = re.compile(r"/gradio_api/upload/?")
_WRONG_CALL = (
    "Calls give each parameter a value of its kind, as gradio_api/info lists them: another was"
    " sent."
)
_LONGEST_SESSION, _LONGEST_NUMBER = 200, 18
_LONGEST_CALL = 4 * 2**20  # bytes; 500 images with names of 255 characters need a fifth


@dataclass(frozen=True)
class Guard:
    """ASGI middleware that filters the requests to Gradio.

    Attributes:
        app: Gradio's ASGI application.
        quota: Room that uploads must fit into.
        hosts: Host names that requests may be addressed to.
        arrivals: Bodies that are arriving.
    """

    app: Any
    quota: Quota
    hosts: Hosts
    arrivals: Arrivals = field(default_factory=Arrivals)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes a request on to Gradio, or answers it with a refusal.

        Args:
            scope: ASGI scope.
            receive: Receives the next message of the client.
            send: Sends a message to the client.
        """
        if scope["type"] == "websocket":  # this page uses none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = False

        async def send_guarded(message: Any) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", _POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                ]
            await send(message)

        body: Body | None = None

        async def answer(sentence: str, status: int) -> None:
            """Ends the request with a message, or without one if an answer has begun."""
            log_refusal(f"{scope['method']} {scope['path']}", sentence)
            if started:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            await (body or Body(receive, self.arrivals.limits)).drain()
            await PlainTextResponse(sentence, status)(scope, receive, send_guarded)

        if fault := self.hosts.find_fault(scope["headers"]):
            return await answer(fault, 403)
        if ":/" in scope["path"] or _UNUSED.search(scope["path"]):
            return await answer("Not offered here.", 403)
        with ExitStack() as held:
            if scope["method"] == "POST":
                length = dict(scope["headers"]).get(b"content-length", b"")
                if not length.isdigit() or len(length) > _LONGEST_NUMBER:
                    return await answer(
                        "Requests say how long they are. Received one that does not. Send it"
                        " whole.",
                        411,
                    )
                upload = _UPLOAD.fullmatch(scope["path"])
                if not upload and int(length) > _LONGEST_CALL:
                    return await answer(
                        f"Calls have at most {_LONGEST_CALL:,} bytes. Received more. Upload files.",
                        413,
                    )
                try:
                    held.enter_context(self.arrivals.admit((scope.get("client") or [""])[0]))
                except InputError as error:
                    return await answer(str(error), 429)
                try:
                    if upload:
                        self.quota.require(int(length))
                    reservation = held.enter_context(self.quota.reserve()) if upload else None
                except InputError as error:
                    return await answer(str(error), 413)
                body = Body(receive, self.arrivals.limits, reservation)
            try:
                await self.app(scope, body.receive if body else receive, send_guarded)
            except ClientDisconnect:
                log_refusal(
                    f"{scope['method']} {scope['path']}",
                    "The visitor left before the request was whole.",
                )
            except Exception as error:  # not from our functions, whose errors Gradio answers
                if not (found := _explain_fault(error)):
                    raise
                await answer(*found)


def _explain_fault(error: Exception) -> tuple[str, int] | None:
    """Message and status for an error of Gradio at a request that is not as it should be.

    None for other errors.
    """
    # Starlette raises this for an error after an answer has begun.
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, HTTPException):
        return str(error.__cause__.detail), error.__cause__.status_code
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
        return "Names of files are shorter. Received a longer one.", 404
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return explain(OSError(error.errno, error.strerror)), 507  # without the path
    if isinstance(error, (LookupError, TypeError, ValueError)):
        return f"{_WRONG_CALL} ({type(error).__name__})", 400
    return None


def _find_function(blocks: gradio.Blocks, api_name: str | None, body: Any) -> Any:
    """What a call asks for.

    Raises HTTPException, which is answered, where there is no such function.
    """
    if body.session_hash and len(body.session_hash) > _LONGEST_SESSION:
        raise HTTPException(
            400,
            f"session_hash has at most {_LONGEST_SESSION} letters. Received"
            f" {len(body.session_hash)}.",
        )
    try:
        function = _get_fn(blocks, api_name, body)
    except (LookupError, route_utils.FnIndexInferError):
        function = None
    if function is None or function.fn is None:  # some run in the browser only
        raise HTTPException(
            404, "Calls name a function that gradio_api/info lists. Received another."
        )
    return function


_get_fn = route_utils.get_fn
vars(route_utils)["get_fn"] = _find_function


class _FilesOnly(route_utils.GradioMultiPartParser):
    """Accepts files, which go to the disk as they arrive, and no other fields.

    Those would be kept in memory.
    """

    def __init__(self, *arguments: Any, **options: Any):
        place = Path(options["upload_dir"]) / ARRIVING
        place.mkdir(parents=True, exist_ok=True)
        super().__init__(*arguments, **options | {"max_fields": 0, "upload_dir": place})

    async def parse(self) -> Any:
        """Parses the form; none of its files stays if one is incomplete or has the wrong name.

        Raises MultiPartException then. The right name is that of the field that Gradio looks for.
        """
        files: set[str] = set()
        try:
            form = await super().parse()
            found = {file.file.name for file in form.getlist("files") if not isinstance(file, str)}
            if len(found) < len(self._files_to_close_on_error):
                raise MultiPartException(
                    "An upload has parts named files: others were sent. Name them so."
                )
            files = found
            return form
        finally:
            for file in self._files_to_close_on_error:
                if file.name not in files:
                    file.close()
                    Path(file.name).unlink(missing_ok=True)


vars(route_utils)["GradioMultiPartParser"] = _FilesOnly


class Page(gradio.Blocks):
    """The page, whose refusals do not reveal where the server keeps its files."""

    async def preprocess_data(self, *arguments: Any, **options: Any) -> Any:
        """Turns what a call sent into values, with messages of our own for errors.

        Args:
            *arguments: As Gradio's method takes them.
            **options: As Gradio's method takes them.

        Returns:
            What Gradio's method returns.

        Raises:
            gradio.Error: If a file was not uploaded or is no longer kept, or a value is of the
                wrong kind.
        """
        try:
            return await super().preprocess_data(*arguments, **options)
        except gradio.Error:  # has a message already
            raise
        except (InvalidPathError, OSError) as error:
            raise refuse(
                "Files are uploaded first, and kept for an hour. Received none of that name."
                " Upload it."
            ) from error
        except Exception as error:  # in the conversion of what was sent
            raise refuse(_WRONG_CALL) from error
