"""The folder that workers put the finished blocks of a scene into, and that the same command goes on from."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segment.core.output import alone, clear_folder, make_folder, remove_empty, writable

_BELONGS = "belongs.json"


class BlockFolder:
    """done: to be set when nothing of it is needed any more."""

    done = False


def block_folder(output: Path, name: str) -> Path:
    """The hidden folder inside `output` for the blocks of what becomes `name`, by a path that is right in any process."""
    return output.absolute() / f".{name}.blocks.partial"


@contextmanager
def open_block_folder(path: Path, belongs: str, keep: bool = True) -> Iterator[BlockFolder]:
    """Makes such a folder, or takes up what is in it.

    belongs: says what the blocks are made of; those of anything else are taken away. keep: what is there when the body fails,
    or ends without setting `done`, stays for the next call.

    Raises InputError when it cannot be written to, or when another process is at the same work.
    """
    folder, output, belonging = BlockFolder(), path.parent, path / _BELONGS
    made = make_folder(output)
    with writable(output):
        path.mkdir(exist_ok=True)
    with alone(path, "the blocks of a map are given out by one process."):
        with writable(output):
            if not (keep and belonging.is_file() and belonging.read_bytes() == belongs.encode()):
                clear_folder(path)
                belonging.write_bytes(belongs.encode())
        try:
            yield folder
        finally:
            if folder.done or not keep or not any(entry.is_dir() for entry in path.iterdir()):
                shutil.rmtree(path, ignore_errors=True)  # a worker that was given up for dead may write into it
                remove_empty(made)
