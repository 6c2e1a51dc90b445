"""Folder of the finished blocks of a scene, from which the same command continues."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

from segment.core.disk import clear_folder, make_folder, remove_empty, writable
from segment.core.lock import alone

_MAKING = threading.Lock()  # else one thread removes an empty folder that another is about to use
_ATTEMPTS, _PAUSE = 10, 0.05  # seconds; a worker that is not waited for may be writing a block


class BlockFolder:
    """A folder for the blocks of an output, two levels down in a hidden folder beside it.

    Blocks that are made of anything else have another folder, because a worker may still be
    computing one for a command that was ended.

    Attributes:
        path: Path of the folder, valid in any process.
        done: Whether the output is finished, so that blocks are removed when the folder is closed.
            False at first; the owner sets it.
        keep: Whether blocks are kept for the next call unless `done` is set.
    """

    def __init__(self, output: Path, name: str, belongs: str, keep: bool = True):
        """Names the folder, which `open` makes.

        Args:
            output: Folder of the output.
            name: Name of the output that is made of the blocks.
            belongs: Description of what the blocks are made of.
            keep: Whether blocks are kept for the next call unless `done` is set.
        """
        self.path = (
            output.absolute()
            / f".{name}.blocks.partial"
            / sha256(belongs.encode()).hexdigest()[:16]
        )
        self.done, self.keep = False, keep
        self._stack = ExitStack()

    def open(self) -> None:
        """Makes the folder, or continues with what is in it.

        Blocks of the same output that are made of anything else are removed.

        Raises:
            InputError: If the folder cannot be written to, or another process is at the same work.
        """
        self._stack.enter_context(self._opened())

    def close(self) -> None:
        """Releases the folder if it is open, and removes it unless blocks are kept."""
        self._stack.close()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        every, output = self.path.parent, self.path.parent.parent
        with _MAKING:
            made = make_folder(output)
            with writable(output):
                every.mkdir(exist_ok=True)  # else another thread would remove the empty folder
        try:
            with alone(output / every.name[1 : -len(".partial")]):
                with writable(output):
                    # a process that held the lock until now may have removed it
                    every.mkdir(exist_ok=True)
                    clear_folder(every, keep=self.path.name if self.keep else None)
                    self.path.mkdir(exist_ok=True)
                try:
                    yield
                finally:
                    if (
                        self.done
                        or not self.keep
                        or not self.path.is_dir()
                        or not any(self.path.iterdir())
                    ):
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
