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
from segment.app.uploads.quota import ARRIVING, Quota
from segment.app.uploads.visitors import log_refusal, refuse
from segment.core.errors import InputError, explain

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:;"
    " object-src 'none'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
# Routes of Gradio that this page does not use: they would run programs on uploads, contact other
# servers, or write files.
_UNUSED = re.compile(
    r"/gradio_api/(process_recording|run-history|runs|proxy=|component_server|vibe|undo-vibe|dev/|deep_link)"
)
_UPLOAD = re.compile(r"/gradio_api/upload/?")
_WRONG_CALL = (
    "Wrong kind of value for a parameter. Send values of the kinds that gradio_api/info lists."
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
        answer = _Answer(scope, receive, send)
        with ExitStack() as held:
            body: Body | None = None
            try:
                body = self._admit(scope, receive, held)
                await self.app(scope, body.receive if body else receive, answer.send)
                return
            except ClientDisconnect:
                log_refusal(answer.request, "The visitor left before the request was whole.")
                return
            except HTTPException as refusal:
                sentence, status = str(refusal.detail), refusal.status_code
            except Exception as error:  # not from our functions, whose errors Gradio answers
                if not (found := _explain_fault(error)):
                    raise
                sentence, status = found
            await answer.refuse(sentence, status, body or Body(receive, self.arrivals.limits))

    def _admit(self, scope: Any, receive: Any, held: ExitStack) -> Body | None:
        """Checks a request before Gradio receives it.

        Returns the body of a POST, for which `held` keeps a place and, for uploads, room. Raises
        HTTPException for a request that is refused.
        """
        path = scope["path"]
        if fault := self.hosts.find_fault(scope["headers"]):
            raise HTTPException(403, fault)
        if ":/" in path or _UNUSED.search(path):
            raise HTTPException(403, "Not offered here.")
        if scope["method"] != "POST":
            return None
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit() or len(length) > _LONGEST_NUMBER:
            raise HTTPException(411, "Content-Length is missing. Send the request with its length.")
        upload = _UPLOAD.fullmatch(path)
        if not upload and int(length) > _LONGEST_CALL:
            raise HTTPException(
                413, f"Call of {int(length):,} bytes, at most {_LONGEST_CALL:,}. Upload files."
            )
        try:
            held.enter_context(self.arrivals.admit((scope.get("client") or [""])[0]))
        except InputError as error:
            raise HTTPException(429, str(error)) from error
        if not upload:
            return Body(receive, self.arrivals.limits)
        try:
            self.quota.require(int(length))
            reservation = held.enter_context(self.quota.reserve())
        except InputError as error:
            raise HTTPException(413, str(error)) from error
        return Body(receive, self.arrivals.limits, reservation)


class _Answer:
    """The answer to a request: that of Gradio with headers of ours, or a refusal."""

    def __init__(self, scope: Any, receive: Any, send: Any):
        self._scope, self._receive, self._send = scope, receive, send
        self._started = False

    @property
    def request(self) -> str:
        return f"{self._scope['method']} {self._scope['path']}"

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await self._send(message)

    async def refuse(self, sentence: str, status: int, body: Body) -> None:
        """Ends the request with a message, or without one if an answer has begun."""
        log_refusal(self.request, sentence)
        if self._started:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await body.drain()
        await PlainTextResponse(sentence, status)(self._scope, self._receive, self.send)


def _explain_fault(error: Exception) -> tuple[str, int] | None:
    """Message and status for an error of Gradio at a request that is not as it should be.

    None for other errors.
    """
    # Starlette raises this for an error after an answer has begun.
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, HTTPException):
        return str(error.__cause__.detail), error.__cause__.status_code
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
        return "File name is too long. Choose a shorter one.", 404
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
            f"session_hash has {len(body.session_hash)} letters, at most {_LONGEST_SESSION}.",
        )
    try:
        function = _get_fn(blocks, api_name, body)
    except (LookupError, route_utils.FnIndexInferError):
        function = None
    if function is None or function.fn is None:  # some run in the browser only
        raise HTTPException(404, "No such function. Call one that gradio_api/info lists.")
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
                raise MultiPartException("A part of the upload is not named files. Rename it.")
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
        """See `gradio.Blocks`; raises `gradio.Error` with a message of ours for wrong values."""
        try:
            return await super().preprocess_data(*arguments, **options)
        except gradio.Error:  # has a message already
            raise
        except (InvalidPathError, OSError) as error:
            raise refuse(
                "No such file: files must be uploaded first, and are removed after an hour. Upload"
                " it."
            ) from error
        except Exception as error:  # in the conversion of what was sent
            raise refuse(_WRONG_CALL) from error
