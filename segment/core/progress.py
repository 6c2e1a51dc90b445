"""What long work tells of itself: lines and bars."""

import sys
from typing import Protocol

from segment.core.errors import printable


class Progress(Protocol):
    """Told by the library, shown by commands."""

    def say(self, line: str) -> None:
        """A line that stays: a finding, a finished epoch."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """`done` of `total` steps of a task are done; `note` is shown behind the bar."""


class Silent:
    """Shows nothing."""

    def say(self, line: str) -> None:
        pass

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        pass


class Console:
    """Lines on stdout, and bars with rate and time left on stderr when it is a terminal."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
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
        self._bars = RichProgress(*columns, console=console, transient=True, redirect_stdout=False, disable=not shown)
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> "Console":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        line = printable(line)
        if self._bars.console.is_terminal and sys.stdout.isatty():  # above the bars
            self._bars.console.print(line, markup=False, highlight=False)
        else:
            print(line, flush=True)

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
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
