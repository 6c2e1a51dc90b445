"""The output folder of a tuning."""

from collections.abc import Sequence
from pathlib import Path

from segment.core.errors import InputError
from segment.core.outputs import is_unfinished, staged
from segment.core.reports.page import PAGE_FILE, REPORT_FILE

DATABASE, DEFAULTS_FILE, BEST_FILE, SPACE_FILE, TRIALS_FOLDER = (
    "study.db",
    "defaults.yaml",
    "best.yaml",
    "space.yaml",
    "trials",
)
_OURS = (DATABASE, DEFAULTS_FILE, BEST_FILE, SPACE_FILE, REPORT_FILE, PAGE_FILE, TRIALS_FOLDER)


def make_tuning_folder(output: Path, data: Sequence[Path], has_database: bool) -> None:
    """Makes the output folder of a tuning, and the folder of its trials in it.

    Args:
        output: Folder to make. It may exist already if it holds nothing but a tuning.
        data: Data folders. The output must not be in one of them.
        has_database: Whether the folder holds the database of the study, too.

    Raises:
        InputError: If the path is not a folder that can be written to, is in a data folder, holds
            something else, or has characters that the URL of a database cannot contain.
    """
    place = output.resolve()
    if has_database and (found := [sign for sign in "?{}%#" if sign in str(place)]):
        raise InputError(
            f"{output}: the path of a study has none of ? {{ }} % #. Received {found[0]}. Choose"
            " another --output."
        )
    if inside := [folder for folder in data if folder.resolve() in (place, *place.parents)]:
        raise InputError(
            f"{output}: must lie apart from the data. Received a place in {inside[0]}. Choose"
            " another --output."
        )
    if output.exists() and not output.is_dir():
        raise InputError(
            f"{output}: the output is a folder. Received a file. Choose another place."
        )
    held = {entry.name for entry in output.iterdir()} if output.exists() else set()
    strange = [
        name
        for name in held
        if name not in _OURS and not name.startswith(DATABASE) and not is_unfinished(name)
    ]
    work = output / TRIALS_FOLDER
    if work.is_symlink() or (
        work.is_dir() and any(work.iterdir()) and not held & {DATABASE, DEFAULTS_FILE}
    ):
        strange.append(TRIALS_FOLDER)  # not written by a tuning
    if strange:
        raise InputError(
            f"{output}: holds a tuning and nothing else. Received {min(strange)} in it. Choose"
            " another place."
        )
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{output}: must be a folder to write to. Received: {error.strerror}. Choose another"
            " place."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a text file of the folder, replacing an earlier one as a whole.

    Args:
        path: File to write.
        text: Content, encoded as UTF-8.
    """
    with staged(path, overwrite=True) as partial:
        partial.write_text(text, encoding="utf-8")
