"""Where a study is kept: its output folder and its database."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

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
# seconds; a trial has failed if its process sends no heartbeat for the latter
_HEARTBEAT, _SILENCE = 15, 60
_RETRIES = 3  # of the settings of such a trial


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
            f"{output}: {found[0]} in the path cannot be part of a database's URL. Choose another"
            " --output."
        )
    if inside := [folder for folder in data if folder.resolve() in (place, *place.parents)]:
        raise InputError(
            f"{output}: the output is inside the data folder {inside[0]}. Choose another --output."
        )
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file. Choose a folder as --output.")
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
            f"{output}: {min(strange)} in it is not of a tuning. Choose another --output."
        )
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{output}: cannot be written: {error.strerror}. Choose another --output."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a text file of the folder, replacing an earlier one as a whole.

    Args:
        path: File to write.
        text: Content, encoded as UTF-8.
    """
    with staged(path, overwrite=True) as partial:
        partial.write_text(text, encoding="utf-8")


def open_storage(url: str, make_tables: bool = True) -> RDBStorage:
    """Opens the database of a study.

    Args:
        url: URL of the database, as SQLAlchemy takes it.
        make_tables: Whether tables are created if there are none.

    Returns:
        The database.

    Raises:
        Exception: As raised by SQLAlchemy and the drivers of databases, see `unusable`.
    """
    with quiet_optuna():
        storage = RDBStorage(
            url,
            engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {},
            heartbeat_interval=_HEARTBEAT,
            grace_period=_SILENCE,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES),
            skip_table_creation=not make_tables,
        )
    if is_file(url):
        _take_turns(storage)
    return storage


def _take_turns(storage: RDBStorage) -> None:
    """Makes SQLite lock the database when a transaction begins.

    Otherwise it locks at the first change and ignores the row locks of Optuna, so that two
    processes that see a waiting trial would both take it.
    """

    def begin(connection: Any) -> None:
        # else Python begins a second transaction
        connection.connection.dbapi_connection.isolation_level = None
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(storage.engine, "begin", begin)


def unusable(storage: str, error: Exception) -> InputError:
    """Builds the error to raise if a database cannot be used.

    Args:
        storage: URL of the database.
        error: Error of SQLAlchemy, Optuna or a driver.

    Returns:
        The error. Its message hides passwords.
    """
    if isinstance(error, StorageInternalError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # which has the reason
    problem, cure = (
        (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip("."),
        "Check it",
    )
    try:
        url = make_url(storage)
        shown = url.render_as_string(hide_password=True)
        problem = problem.replace(storage, shown).replace(str(url.password or storage), "***")
        if isinstance(error.__cause__, ImportError):
            problem, cure = (
                f"no driver ({error.__cause__})",
                "Install it; of PostgreSQL: pip install 'psycopg[binary]'",
            )
    except (ArgumentError, ValueError):  # e.g. a port that is not a number
        shown = storage.rpartition("@")[2]
    return InputError(f"{shown}: the database of studies cannot be used: {problem}. {cure}.")


def is_file(storage: str) -> bool:
    """Checks whether a database is a file of SQLite.

    Processes on one machine can share such a file, but several machines cannot.

    Args:
        storage: URL of the database.

    Returns:
        Whether it is one of SQLite.
    """
    return make_url(storage).get_backend_name() == "sqlite"


def absolute(storage: str) -> str:
    """Makes the path in the URL of a SQLite database absolute.

    Args:
        storage: URL of any database.

    Returns:
        The URL, valid in any working directory. A password in it is kept.
    """
    url = make_url(storage)
    if is_file(storage) and url.database and not url.database.startswith(("file:", ":")):
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


@contextmanager
def reachable(storage: str) -> Iterator[None]:
    """Turns the loss of a study's database into an InputError.

    Args:
        storage: URL of the database.

    Raises:
        InputError: If the database fails while the context is open.
    """
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise unusable(
            storage, error.__cause__ if isinstance(error.__cause__, Exception) else error
        ) from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hides the warnings that heartbeats and plots with matplotlib are experimental in Optuna."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
