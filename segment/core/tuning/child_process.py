"""Child processes that end when their parent process ends.

Usage: python -m segment.core.tuning.child_process MODULE FUNCTION ARGUMENTS...

The parent holds the other end of the child's standard input. The operating system closes it even if
the parent is killed.
"""

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

# variables that join processes in one distributed training; a child is not part of it
_TOGETHER = "KERAS_DISTRIBUTION_"


def start_child(
    module: str,
    function: str,
    arguments: Sequence[str],
    errors: IO[bytes],
    *,
    environment: Mapping[str, str] | None = None,
    start: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Starts a console command in a child process that ends when this process ends.

    Args:
        module: Module that has the command.
        function: Function of the command in that module.
        arguments: Command-line arguments.
        errors: File that receives stderr of the child. Its stdout is discarded.
        environment: Environment variables in addition to those of this process, of which those
            that join processes in one distributed training are left out.
        start: Working directory of the child; that of this process by default.

    Returns:
        The child process. It runs until it is done or its stdin is closed.
    """
    # -P: no imports from the working directory
    command = [sys.executable, "-P", "-m", __name__, module, function, *arguments]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(_TOGETHER)},
            **(environment or {}),
        },
        cwd=start,
        start_new_session=True,  # Ctrl-C in the terminal is left to this process
    )


def _end_with_parent() -> None:
    os.read(0, 1)  # not sys.stdin, whose lock Python would wait for at exit
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    module, function, sys.argv[1:] = sys.argv[1], sys.argv[2], sys.argv[3:]
    getattr(importlib.import_module(module), function)()
