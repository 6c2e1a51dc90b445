"""Running the commands of aerial-segment in their own environment. Without QGIS in it."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

ENVIRONMENT = "AERIAL_SEGMENT_ENVIRONMENT"
"""Name of the setting, and of the environment variable, that hold the folder of the environment."""

# of QGIS; the commands have libraries of their own
_OF_QGIS = ("PYTHONPATH", "PYTHONHOME", "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA")
_SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"
_NOT_FOUND = (
    "{command} was not found. Install aerial-segment in a Python environment and name its folder"
    " under Settings, Options, Processing, Providers, Aerial segment."
)


class CommandError(Exception):
    """A command that was not found, or that ended with an error. The message is for the user."""


def find_command(command: str, setting: str = "") -> str:
    """Finds a command: in the environment of the setting, in that of the variable, on the PATH.

    Args:
        command: Name, such as "segment-predict".
        setting: Folder of a Python environment; empty if it is not set.

    Returns:
        The path of the command.

    Raises:
        CommandError: If it is nowhere.
    """
    for folder in (setting, os.environ.get(ENVIRONMENT, "")):
        if folder:
            places = os.pathsep.join((str(Path(folder) / _SCRIPTS), folder))
            if found := shutil.which(command, path=places):
                return found
            if folder == setting:
                raise CommandError(f"{folder} does not hold {command}. Choose another environment.")
    if found := shutil.which(command):
        return found
    raise CommandError(_NOT_FOUND.format(command=command))


def run_command(
    command: Sequence[str],
    report: Callable[[str], None],
    advance: Callable[[float], None],
    canceled: Callable[[], bool],
) -> None:
    """Runs a command that takes `--progress json`.

    Args:
        command: Path of the command, and its arguments.
        report: Receives each message.
        advance: Receives the progress of the current task, 0 to 100.
        canceled: Whether to stop; asked several times a second.

    Raises:
        CommandError: If the command ends with an error; its message is the command's own.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _OF_QGIS}
    window = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
    process = subprocess.Popen(
        [*command, "--progress", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment | {"PYTHONIOENCODING": "utf-8"},
        text=True,
        encoding="utf-8",
        errors="replace",
        **window,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    errors: list[str] = []
    readers = [
        threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True),
        threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    stopped = False
    while True:
        if canceled() and not stopped:
            process.terminate()  # what it had begun can be resumed, or is removed
            stopped = True
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        if line is None:
            break
        _handle(line, report, advance)
    status = process.wait()
    for reader in readers:
        reader.join()
    if status and not stopped:
        raise CommandError(errors[-1].strip() if errors else f"{command[0]} ended with {status}.")


def _pass_on(stream: object, lines: queue.Queue[str | None]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        lines.put(line)
    lines.put(None)


def _handle(line: str, report: Callable[[str], None], advance: Callable[[float], None]) -> None:
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        report(line.rstrip())
    elif "message" in content:
        report(content["message"])
    elif content.get("total"):
        advance(100 * content["done"] / content["total"])
