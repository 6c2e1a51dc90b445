"""Outputs that appear complete or not at all: written to a temporary path, then renamed."""

import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segment.core.disk import PARTIAL, make_folder, remove, remove_empty, writable
from segment.core.errors import InputError, is_utf8, printable
from segment.core.lock import alone, is_lock

_REPLACED, _MOVING = ".replaced", "moving"
# bytes: limit of file systems, less what temporary names add
_LONGEST_NAME = 255 - len(f".{_REPLACED}")
_KERAS = f"{PARTIAL}.keras"  # Keras requires this suffix


def is_unfinished(name: str) -> bool:
    """Checks whether a name is that of an unfinished output.

    Args:
        name: Name of a file or folder.

    Returns:
        Whether a process that is killed leaves files or folders of that name.
    """
    return name.endswith((PARTIAL, _REPLACED, _KERAS)) or is_lock(name)


def refuse_existing(path: Path, overwrite: bool, ours: Collection[str] = ()) -> None:
    """Checks that an output may be written to a path.

    Args:
        path: File or folder to write.
        overwrite: Whether an existing output may be replaced.
        ours: Names of the entries that a folder to be replaced may hold. A folder with anything
            else in it, apart from unfinished outputs, is not replaced even with `overwrite`.

    Raises:
        InputError: If `path` exists and may not be replaced, is a link, contains the working
            folder, or is below a file. Also if it is not UTF-8, or its name is too long for the
            temporary file beside it.
    """
    if not is_utf8(path):
        raise InputError(f"{printable(path)}: path is not UTF-8. Choose another place.")
    if (length := len(os.fsencode(path.name))) > _LONGEST_NAME:
        raise InputError(
            f"{path}: name of {length} bytes, at most {_LONGEST_NAME} are possible. Shorten it."
        )
    if not os.path.lexists(path):
        above = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
        if not above.is_dir():
            raise InputError(f"{above} is a file, not a folder. Choose another place.")
        return
    if not overwrite:
        raise InputError(f"{path} exists. Add --overwrite to replace it, or choose another place.")
    if path.is_symlink():
        raise InputError(
            f"{path} is a link, which is not replaced. Give the path that it leads to."
        )
    if ours and not path.is_dir():
        raise InputError(f"{path} is a file, the output is a folder. Choose another place.")
    if path.is_dir():
        if Path.cwd().is_relative_to(path.resolve()):
            raise InputError(
                f"{path} is the current folder, which cannot be replaced. Run the command"
                " elsewhere, or choose another place."
            )
        for entry in sorted(path.iterdir()):
            if entry.name not in ours and not is_unfinished(entry.name):
                raise InputError(
                    f"{path} holds {entry.name}, which is not an earlier output: --overwrite"
                    " does not replace the folder. Choose another place, or empty it."
                )


@contextmanager
def staged(target: Path, overwrite: bool = False, ours: Collection[str] = ()) -> Iterator[Path]:
    """Provides a temporary path beside `target`, which becomes `target` on success.

    The body may make a file or a folder there; it is removed on failure. Missing parent folders of
    `target` are created, and removed again on failure if they are still empty.

    Args:
        target: File or folder to write.
        overwrite: Whether an existing output may be replaced.
        ours: As in `refuse_existing`.

    Yields:
        The temporary path.

    Raises:
        InputError: As in `refuse_existing`, and if another process is writing the same target.
    """
    refuse_existing(target, overwrite, ours)
    made = make_folder(target.parent)
    partial, replaced = (
        target.with_name(f".{target.name}{ending}") for ending in (PARTIAL, _REPLACED)
    )
    try:
        with alone(target):  # a partial file was left by a process that was killed
            if os.path.lexists(replaced) and not os.path.lexists(target):
                replaced.rename(target)
            refuse_existing(target, overwrite, ours)  # it may have been created meanwhile
            remove(partial)
            remove(replaced)
            try:
                yield partial
                if target.is_dir():
                    target.rename(replaced)
                os.replace(partial, target)
                remove(replaced)
            except BaseException:
                if replaced.exists() and not target.exists():
                    replaced.rename(target)
                remove(partial)
                raise
    except BaseException:
        remove_empty(made)
        raise


@dataclass(frozen=True)
class Stage:
    """Folders that the body of `staged_files` writes to.

    Attributes:
        new: Its files become the outputs.
        work: Intermediate files from which a later call can continue.
    """

    new: Path
    work: Path


@contextmanager
def staged_files(
    folder: Path, names: Sequence[str], overwrite: bool = False, belongs: str | None = None
) -> Iterator[Stage]:
    """Provides a hidden folder inside `folder` to write files to.

    On success all files of its subfolder `new` move into `folder`, on failure none.

    Args:
        folder: Folder of the outputs. It is created if it does not exist.
        names: All files that the body may write. Existing ones are refused or, with `overwrite`,
            removed: an earlier file that the body does not write again is not kept beside the
            new ones.
        overwrite: Whether existing files may be replaced.
        belongs: Description of the work. If the body fails or is killed, the files in `work` are
            kept, and a later call with the same description finds them; a call with another
            description starts from the beginning. By default nothing is kept.

    Yields:
        The folders to write to.

    Raises:
        InputError: If an output exists, the folder cannot be written to, or another process is at
            the same work.
    """
    partial = folder / f".{names[0]}{PARTIAL}"
    belonging, moving = partial / "belongs.json", partial / _MOVING
    for name in names:
        refuse_existing(folder / name, overwrite)
    made = make_folder(folder)
    stage = Stage(partial / "new", partial / "work")
    moved: list[tuple[Path, Path]] = []
    try:
        with alone(folder / names[0]):
            for name in names:  # one may have been created meanwhile
                refuse_existing(folder / name, overwrite)
            with writable(folder):
                partial.mkdir(exist_ok=True)
            found = (
                belongs is not None
                and belonging.is_file()
                and belonging.read_bytes() == belongs.encode()
            )
            try:
                with writable(folder):
                    for entry in partial.iterdir():
                        if not found or entry not in (belonging, stage.work):
                            remove(entry)
                    for place in (stage.new, stage.work, partial / "replaced"):
                        place.mkdir(exist_ok=True)
                    belonging.write_bytes((belongs or "").encode())
                yield stage
                for name in names:
                    refuse_existing(folder / name, overwrite)
                with writable(folder):
                    replaced = [name for name in names if (folder / name).exists()]
                    new = [file.name for file in stage.new.iterdir()]
                    moving.write_text(json.dumps([new, replaced]))
                    earlier = [(folder / n, partial / "replaced" / n) for n in replaced]
                    for source, target in earlier + [
                        (f, folder / f.name) for f in sorted(stage.new.iterdir())
                    ]:
                        moved.append((source, target))
                        source.rename(target)
            except BaseException:
                for source, target in reversed(moved):
                    if target.exists() and not source.exists():
                        target.rename(source)
                moving.unlink(missing_ok=True)
                if belongs is None or not stage.work.is_dir() or not any(stage.work.iterdir()):
                    remove(partial)
                raise
            remove(partial)
    except BaseException:
        remove_empty(made)
        raise


def finish_moving(folder: Path, first: str) -> None:
    """Completes the move of `staged_files` if a process was killed during it.

    The files were complete and on their way to `folder`.

    Args:
        folder: As in `staged_files`.
        first: The first of the names in `staged_files`.

    Raises:
        InputError: If the folder cannot be written to, or another process is at the same work.
    """
    partial = folder / f".{first}{PARTIAL}"
    if not (partial / _MOVING).is_file():
        return
    with alone(folder / first), writable(folder):
        try:
            new, replaced = json.loads((partial / _MOVING).read_bytes())
        except ValueError:  # it breaks off, so that nothing was moved yet
            return
        for name in new:
            if (partial / "new" / name).exists():
                os.replace(partial / "new" / name, folder / name)
        for name in set(replaced) - set(new):
            remove(folder / name)
        remove(partial)
