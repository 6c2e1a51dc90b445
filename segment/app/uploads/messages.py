"""What the library says, as the page and the API say it."""

import logging
import re
from pathlib import Path

import gradio

_log = logging.getLogger(__name__)
_LONGEST_LINE = 500  # letters of the log
_FLAG = re.compile(r"(?<!\S)--(?=[a-z])")


def rephrase(sentence: str, folder: Path) -> str:
    """Without where the server keeps its files, and with options named as the settings are: `bands`, not `--bands`."""
    return _FLAG.sub("", re.sub(re.escape(str(folder)) + r"/(?:[\w-]+/)*", "", sentence))


def refuse(sentence: str) -> gradio.Error:
    """The error to raise for a fault of a visitor: shown as it is, and one line in the server's log."""
    log_refusal("call", sentence)
    return gradio.Error(sentence, print_exception=False)


def log_refusal(request: str, sentence: str) -> None:
    """Writes one line to the server's log about a request that was refused, whatever letters are in it."""
    _log.warning("%s: %s", *(repr(text)[1:-1][:_LONGEST_LINE] for text in (request, sentence)))
