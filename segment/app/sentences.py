"""What the library says, as the page and the API say it."""

import re
from pathlib import Path

_FLAG = re.compile(r"(?<!\S)--(?=[a-z])")


def rephrase(sentence: str, folder: Path) -> str:
    """Without where the server keeps its files, and with options named as the settings are: `bands`, not `--bands`."""
    return _FLAG.sub("", re.sub(re.escape(str(folder)) + r"/(?:[\w-]+/)*", "", sentence))
