"""Databases that studies lie in."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segment.core.errors import InputError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_HEARTBEAT, _SILENCE = 30, 90  # seconds; a trial whose process has been silent for so long has failed


def open_storage(url: str, make_tables: bool = True) -> "RDBStorage":
    """The database at a URL, as SQLAlchemy takes it. make_tables: where there are none.

    Raises what SQLAlchemy and drivers do, see `unusable`.
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
    """Has SQLite lock the database where a transaction begins. It does so at the first change otherwise, and knows nothing of the
    rows that Optuna locks: two processes that see a trial waiting would both take it.
    """
    from sqlalchemy import event

    def begin(connection: Any) -> None:
        connection.connection.dbapi_connection.isolation_level = None  # else Python begins once more
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(storage.engine, "begin", begin)


def unusable(storage: str, error: Exception) -> InputError:
    """The error to raise when a database cannot be used; passwords stay unsaid."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if isinstance(error, StorageInternalError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # which says what the matter is
    problem, cure = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip("."), "Check it"
    try:
        url = make_url(storage)
        shown = url.render_as_string(hide_password=True)
        problem = problem.replace(storage, shown).replace(str(url.password or storage), "***")
        if isinstance(error.__cause__, ImportError):
            problem, cure = f"no driver ({error.__cause__})", "Install it; of PostgreSQL: pip install 'psycopg[binary]'"
    except (ArgumentError, ValueError):  # the port is no number
        shown = storage.rpartition("@")[2]
    return InputError(f"{shown}: studies lie in a database to write to. Received: {problem}. {cure}.")


def is_file(storage: str) -> bool:
    """Whether a database is one of SQLite, which processes of one machine may share, but not machines."""
    from sqlalchemy.engine import make_url

    return make_url(storage).get_backend_name() == "sqlite"


def absolute(storage: str) -> str:
    """The URL, as it is right in any folder."""
    from sqlalchemy.engine import make_url

    url = make_url(storage)
    if is_file(storage) and url.database and not url.database.startswith(("file:", ":")):
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


@contextmanager
def reachable(storage: str) -> Iterator[None]:
    """Turns the loss of a study's database into an InputError."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise unusable(storage, error.__cause__ if isinstance(error.__cause__, Exception) else error) from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without the warnings that heartbeats, and pictures by matplotlib, might change some day."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
