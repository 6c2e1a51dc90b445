"""The folder that workers put the finished blocks of a scene into, and that the same command goes on from."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

from segment.core.lock import alone
from segment.core.outputs import clear_folder, make_folder, remove_empty, writable

_MAKING = threading.Lock()  # one thread takes away empty folders that another is about to write to
_ATTEMPTS, _PAUSE = 10, 0.05  # seconds; a worker that is not waited for may be writing its block


class BlockFolder:
    """A folder inside `output`, two hidden levels down, for the blocks of what becomes `name`.

    belongs: says what the blocks are made of. Those of anything else have another folder: a worker may still be at one for a
    command that was ended. keep: blocks stay for the next call unless `done` is set before the folder is closed.
    path: of the folder, right in any process.
    """

    def __init__(self, output: Path, name: str, belongs: str, keep: bool = True):
        self.path = output.absolute() / f".{name}.blocks.partial" / sha256(belongs.encode()).hexdigest()[:16]
        self.done, self.keep = False, keep
        self._stack = ExitStack()

    def open(self) -> None:
        """Makes it, or takes up what is in it; blocks of the same scene made of anything else are taken away.

        Raises InputError when it cannot be written to, or when another process is at the same work.
        """
        self._stack.enter_context(self._opened())

    def close(self) -> None:
        """Lets go of it, if it is open."""
        self._stack.close()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        every, output = self.path.parent, self.path.parent.parent
        with _MAKING:
            made = make_folder(output)
            with writable(output):
                every.mkdir(exist_ok=True)  # or another thread would take the empty folder away
        try:
            with alone(output / every.name[1 : -len(".partial")], "the blocks of a map are given out by one process."):
                with writable(output):
                    every.mkdir(exist_ok=True)  # a process that had it until now may have taken it away
                    clear_folder(every, keep=self.path.name if self.keep else None)
                    self.path.mkdir(exist_ok=True)
                try:
                    yield
                finally:
                    if self.done or not self.keep or not self.path.is_dir() or not any(self.path.iterdir()):
                        _remove(every)
        finally:
            with _MAKING:
                remove_empty(made)


def _remove(folder: Path) -> None:
    for _ in range(_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE)
