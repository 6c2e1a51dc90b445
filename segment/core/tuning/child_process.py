"""A command that ends when the process that started it does.

python -m segment.core.tuning.child_process MODULE FUNCTION ARGUMENTS...

Its parent holds the other end of its standard input, and the system closes that even where the parent is killed.
"""

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_TOGETHER = "KERAS_DISTRIBUTION_"  # variables by which machines join in one training, which this one is not


def start_attended(
    module: str,
    function: str,
    arguments: Sequence[str],
    complaints: IO[bytes],
    *,
    environment: Mapping[str, str] | None = None,
    start: Path | None = None,
    is_apart: bool = False,
) -> "subprocess.Popen[bytes]":
    """Starts a console command, `function` of `module`, in a process of its own.

    complaints: a file that gets its stderr. environment: besides that of this process. start: the folder that it is in, that of
    this process by default. is_apart: whether a Ctrl-C in the terminal does not reach it.
    """
    command = [sys.executable, "-P", "-m", __name__, module, function, *arguments]  # -P: no modules of the folder one is in
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        env={**{k: v for k, v in os.environ.items() if not k.startswith(_TOGETHER)}, **(environment or {})},
        cwd=start,
        start_new_session=is_apart,
    )


def _end_with_parent() -> None:
    os.read(0, 1)  # not sys.stdin, whose lock Python waits for when it ends
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    module, function, sys.argv[1:] = sys.argv[1], sys.argv[2], sys.argv[3:]
    getattr(importlib.import_module(module), function)()
