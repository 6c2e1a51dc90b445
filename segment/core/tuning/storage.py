"""Databases of studies."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segment.core.errors import InputError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

# seconds; a trial has failed if its process sends no heartbeat for the latter
_HEARTBEAT, _SILENCE = 30, 90


def open_storage(url: str, make_tables: bool = True) -> "RDBStorage":
    """Opens the database of a study.

    Args:
        url: URL of the database, as SQLAlchemy takes it.
        make_tables: Whether tables are created if there are none.

    Returns:
        The database.

    Raises:
        Exception: As raised by SQLAlchemy and the drivers of databases, see `unusable`.
    """
    from optuna.storages import RDBStorage

    with quiet_optuna():
        storage = RDBStorage(
            url,
            engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {},
            heartbeat_interval=_HEARTBEAT,
            grace_period=_SILENCE,
            skip_table_creation=not make_tables,
        )
    if is_file(url):
        _take_turns(storage)
    return storage


def _take_turns(storage: "RDBStorage") -> None:
    """Makes SQLite lock the database when a transaction begins.

    Otherwise it locks at the first change and ignores the row locks of Optuna, so that two
    processes that see a waiting trial would both take it.
    """
    from sqlalchemy import event

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
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

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
    return InputError(
        f"{shown}: studies lie in a database to write to. Received: {problem}. {cure}."
    )


def is_file(storage: str) -> bool:
    """Checks whether a database is a file of SQLite.

    Processes on one machine can share such a file, but several machines cannot.

    Args:
        storage: URL of the database.

    Returns:
        Whether it is one of SQLite.
    """
    from sqlalchemy.engine import make_url

    return make_url(storage).get_backend_name() == "sqlite"


def absolute(storage: str) -> str:
    """Makes the path in the URL of a SQLite database absolute.

    Args:
        storage: URL of any database.

    Returns:
        The URL, valid in any working directory. A password in it is kept.
    """
    from sqlalchemy.engine import make_url

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
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise unusable(
            storage, error.__cause__ if isinstance(error.__cause__, Exception) else error
        ) from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hides the warnings that heartbeats and plots with matplotlib are experimental in Optuna."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
