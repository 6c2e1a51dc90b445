"""Progress of long work: lines and bars, or JSON for other programs."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from segment.core.errors import printable

_WARNING = "Warning: "


class Progress(Protocol):
    """Interface through which the library reports progress; commands show it."""

    def say(self, line: str) -> None:
        """Reports a line that stays visible: a finding, a finished epoch.

        Args:
            line: Text of the line.
        """

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Reports that some steps of a task are done.

        Args:
            task: Name of the task.
            done: Steps done.
            total: Steps in total.
            note: Text shown after the bar.
        """


def printed_note(note: str, about: str = "") -> str:
    """Formats a note for `Progress.say`.

    Args:
        note: A sentence; that of a warning begins with "Warning: ".
        about: What it is about, such as a file; "" for all that is read.

    Returns:
        The line, which begins with "note: " or "warning: ".
    """
    kind = "warning" if note.startswith(_WARNING) else "note"
    return f"{kind}: {about}{': ' if about else ''}{note.removeprefix(_WARNING)}"


class Silent:
    """Progress that shows nothing."""

    def say(self, line: str) -> None:
        """Ignores a line.

        Args:
            line: Text of the line.
        """

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Ignores the steps of a task.

        Args:
            task: Name of the task.
            done: Steps done.
            total: Steps in total.
            note: Text after the bar.
        """


class JsonLines:
    """Progress for programs: each report is a line of JSON on stdout, flushed at once.

    A line is {"message": TEXT}, {"task": NAME, "done": N, "total": N, "note": TEXT}, or
    {"file": PATH}.
    """

    def say(self, line: str) -> None:
        """Prints a line as a message.

        Args:
            line: Text of the line.
        """
        print(json.dumps({"message": line}), flush=True)

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Prints how many steps of a task are done.

        Args:
            task: Name of the task.
            done: Steps done.
            total: Steps in total.
            note: Text about the last step.
        """
        state = {"task": task, "done": done, "total": total, "note": note}
        print(json.dumps(state), flush=True)

    def wrote(self, file: Path) -> None:
        """Prints the path of a file that was written, which messages may wrap or shorten.

        Args:
            file: The file.
        """
        print(json.dumps({"file": str(file.absolute())}), flush=True)


def say_result(progress: Progress, text: str, files: Iterable[Path]) -> None:
    """Reports what a command has made, and for other programs each of its files.

    Args:
        progress: Where it is reported.
        text: The result as a person reads it.
        files: The files that were written.
    """
    progress.say(text)
    if isinstance(progress, JsonLines):
        for file in files:
            progress.wrote(file)


class Console:
    """Progress on a terminal, used as a context manager.

    Lines go to stdout. Bars with rate and remaining time go to stderr if it is a terminal.
    """

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        console = RichConsole(stderr=True)
        shown = console.is_terminal
        self._bars = RichProgress(
            *columns, console=console, transient=True, redirect_stdout=False, disable=not shown
        )
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> "Console":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Prints a line, above the bars if there are any.

        Args:
            line: Text of the line. Characters that cannot be printed are escaped.
        """
        line = printable(line)
        if self._bars.console.is_terminal and sys.stdout.isatty():  # above the bars
            self._bars.console.print(line, markup=False, highlight=False)
        else:
            print(line, flush=True)

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Updates the bar of a task, which appears at its first step and disappears after its last.

        Args:
            task: Name of the task, shown before the bar.
            done: Steps done.
            total: Steps in total.
            note: Text shown after the bar.
        """
        if task not in self._tasks:
            if done >= total:
                return
            self._tasks[task] = self._bars.add_task(task, total=total, rate="", note="")
        number = self._tasks[task]
        speed = self._bars.tasks[self._bars.task_ids.index(number)].speed  # type: ignore[arg-type]
        rate = f"{speed:.1f}/s" if speed else ""
        self._bars.update(number, completed=done, total=total, note=note, rate=rate)  # type: ignore[arg-type]
        if done >= total:
            self._bars.remove_task(number)  # type: ignore[arg-type]
            del self._tasks[task]
