"""The folder that workers put the finished blocks of a scene into, and that the same command goes on from."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

from segment.core.output import alone, clear_folder, make_folder, remove_empty, writable


class BlockFolder:
    """A folder inside `output`, two hidden levels down, for the blocks of what becomes `name`.

    belongs: says what the blocks are made of. Those of anything else have another folder: a worker may still be at one for a
    command that was ended. keep: blocks stay for the next call unless `done` is set before the folder is closed.
    path: of the folder, right in any process.
    """

    def __init__(self, output: Path, name: str, belongs: str, keep: bool = True):
        self.path = output.absolute() / f".{name}.blocks.partial" / sha256(belongs.encode()).hexdigest()[:16]
        self.done, self.keep = False, keep
        self._stack, self._is_open = ExitStack(), False

    def open(self) -> None:
        """Makes it, or takes up what is in it, once; blocks of the same scene made of anything else are taken away.

        Raises InputError when it cannot be written to, or when another process is at the same work.
        """
        if not self._is_open:
            self._stack.enter_context(self._opened())
            self._is_open = True

    def close(self) -> None:
        """Lets go of it, if it is open."""
        self._stack.close()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        every, output = self.path.parent, self.path.parent.parent
        made = make_folder(output)
        with writable(output):
            every.mkdir(exist_ok=True)
        with alone(every, "the blocks of a map are given out by one process."):
            with writable(output):
                clear_folder(every, keep=self.path.name if self.keep else None)
                self.path.mkdir(exist_ok=True)
            try:
                yield
            finally:
                if self.done or not self.keep or not any(self.path.iterdir()):
                    shutil.rmtree(every, ignore_errors=True)  # a worker that was given up for dead may write into it
                    remove_empty(made)
