"""Studies that need not outlive the machine."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

import pytest


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Leaves it to the system when databases of this process reach the disk."""
    event = pytest.importorskip("sqlalchemy.event")
    from sqlalchemy.engine import Engine

    def relax(connection: sqlite3.Connection, _: object) -> None:
        with suppress(sqlite3.Error):  # the file is no database
            connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", relax)
    yield
    event.remove(Engine, "connect", relax)
