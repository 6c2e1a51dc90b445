"""Running the commands of aerial-segment in their own environment. Without QGIS in it."""

from __future__ import annotations

import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

ENVIRONMENT = "AERIAL_SEGMENT_ENVIRONMENT"
"""Name of the setting, and of the environment variable, that hold the folder of the environment."""

# of QGIS, or of the Python in it; the commands have their own
_OF_QGIS = (
    *("PYTHONPATH", "PYTHONHOME", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"),
    *("GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA"),
)
_SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"
_NOT_FOUND = (
    "{command} was not found. Install aerial-segment in a Python environment and name its folder"
    " under Settings, Options, Processing, Providers, Aerial segment."
)
_PATIENCE = 30  # seconds until a command that was stopped, but goes on, is killed


class CommandError(Exception):
    """A command that was not found, or that ended with an error. The message is for the user."""


def find_command(command: str, setting: str = "") -> str:
    """Finds a command.

    In the environment of the setting, else in that of the environment variable, else on the PATH,
    else where pipx and uv install commands, which programs with a window may not have on the PATH.

    Args:
        command: Name, such as "segment-predict".
        setting: Folder of a Python environment; empty if it is not set.

    Returns:
        The path of the command.

    Raises:
        CommandError: If it is nowhere, or not in the environment that is set.
    """
    for folder in filter(None, (setting, os.environ.get(ENVIRONMENT))):
        if found := shutil.which(command, path=os.pathsep.join((f"{folder}/{_SCRIPTS}", folder))):
            return found
        if folder == setting:
            raise CommandError(f"{folder} does not hold {command}. Choose another environment.")
    if found := shutil.which(command) or shutil.which(command, path=Path.home() / ".local" / "bin"):
        return found
    raise CommandError(_NOT_FOUND.format(command=command))


def as_text(command: Sequence[str]) -> str:
    """Returns a command as it is typed in a terminal."""
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)


def run_command(
    command: Sequence[str],
    report: Callable[[str], None],
    advance: Callable[[float], None],
    canceled: Callable[[], bool],
    *,
    begin: Callable[[str], None] | None = None,
    remark: Callable[[str], None] | None = None,
) -> list[str]:
    """Runs a command that takes `--progress json`.

    Args:
        command: Path of the command, and its arguments.
        report: Receives each message.
        advance: Receives the progress of the current task, 0 to 100.
        canceled: Whether to stop; asked several times a second.
        begin: Receives the name of each task.
        remark: Receives each line of stderr, such as the notes and problems of single scenes.

    Returns:
        The files that it reports to have written.

    Raises:
        CommandError: If the command ends with an error; its message is the command's own.
    """
    reports = _Reports(report, advance, begin or _ignore)
    name = Path(command[0]).stem
    errors: list[str] = []  # of the command itself, a line each
    remarks: list[str] = []

    def sort(line: str) -> None:
        if line.startswith(f"{name}: "):
            errors.append(line)
        else:
            remarks.append(line)
            (remark or _ignore)(line)

    environment = {k: v for k, v in os.environ.items() if k not in _OF_QGIS}
    window = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
    with subprocess.Popen(
        [*command, "--progress", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment | {"PYTHONIOENCODING": "utf-8"},
        text=True,
        encoding="utf-8",
        errors="replace",
        **window,
    ) as process:
        try:
            stopped = _follow(process, reports.take, sort, canceled)
            status = process.wait()
        except BaseException:
            process.kill()
            raise
    failed = status != 0 and not stopped
    for line in errors[:-1] if failed else errors:
        (remark or _ignore)(line)
    if failed:
        raise CommandError([f"{command[0]} ended with {status}.", *remarks, *errors][-1])
    return reports.files


def _follow(
    process: subprocess.Popen[str],
    take: Callable[[str], None],
    remark: Callable[[str], None],
    canceled: Callable[[], bool],
) -> bool:
    """Passes on the lines of stdout and stderr until a process ends; returns if it was stopped."""
    lines: queue.Queue[tuple[Callable[[str], None], str | None]] = queue.Queue()
    for stream, receive in ((process.stdout, take), (process.stderr, remark)):
        threading.Thread(target=_pass_on, args=(stream, receive, lines), daemon=True).start()
    is_open, deadline = 2, None
    while is_open:
        if deadline is None and canceled():
            process.terminate()  # what it had begun can be resumed, or is removed
            deadline = time.monotonic() + _PATIENCE
        elif deadline is not None and time.monotonic() > deadline:
            process.kill()
            break
        try:
            receive, line = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        if line is None:
            is_open -= 1
        elif line.strip():
            receive(line.strip())
    return deadline is not None


def _pass_on(
    stream: TextIO, receive: object, lines: queue.Queue[tuple[object, str | None]]
) -> None:
    for line in stream:
        lines.put((receive, line))
    lines.put((receive, None))


def _ignore(_: str) -> None:
    pass


class _Reports:
    """Passes on the reports of `--progress json`.

    Attributes:
        files: Files that were written.
    """

    def __init__(
        self,
        report: Callable[[str], None],
        advance: Callable[[float], None],
        begin: Callable[[str], None],
    ) -> None:
        self._report, self._advance, self._begin = report, advance, begin
        self._task = None
        self.files: list[str] = []

    def take(self, line: str) -> None:
        """Passes on a line of stdout."""
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            self._report(line)
        elif "message" in content:
            self._report(content["message"])
        elif "file" in content:
            self.files.append(content["file"])
        elif content.get("total"):
            if content["task"] != self._task:
                self._task = content["task"]
                self._begin(self._task)
            self._advance(100 * content["done"] / content["total"])
