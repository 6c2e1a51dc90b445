"""Visitors: who a request belongs to, what messages they see, and the log of refusals."""

import logging
import re
import secrets
from pathlib import Path

import gradio

_log = logging.getLogger(__name__)
_LONGEST_LINE = 500  # characters
_FLAG = re.compile(r"(?<!\S)--(?=[a-z])")


def identify_visitor(request: gradio.Request) -> str:
    """Returns the session of the page or of Gradio's client that sent a request.

    A request that names no session is a visitor of its own.

    Args:
        request: Request of Gradio.
    """
    return request.session_hash or secrets.token_urlsafe(16)


def rephrase(sentence: str, folder: Path) -> str:
    """Removes paths of the server from a message, and names options as the settings are named.

    Args:
        sentence: Message of the library, in which options are written as `--bands`.
        folder: Folder whose path is removed.

    Returns:
        The message, with `bands` in place of `--bands`.
    """
    return _FLAG.sub("", re.sub(re.escape(str(folder)) + r"/(?:[\w-]+/)*", "", sentence))


def refuse(sentence: str) -> gradio.Error:
    """Logs a fault of a visitor, and returns the error to raise for it.

    Args:
        sentence: Message, which is shown as it is, and is one line in the server's log.

    Returns:
        An error that Gradio shows, without a traceback in the log.
    """
    log_refusal("call", sentence)
    return gradio.Error(sentence, print_exception=False)


def log_refusal(request: str, sentence: str) -> None:
    """Logs a refused request in one line, whatever characters it contains.

    Args:
        request: What was requested.
        sentence: Why it was refused.
    """
    _log.warning("%s: %s", *(repr(text)[1:-1][:_LONGEST_LINE] for text in (request, sentence)))
