"""A PostgreSQL server of one test's or benchmark's own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.local.databases import postgres


@contextmanager
def new_database(folder: Path) -> Iterator[str]:
    """Start a server and make a database; its SQLAlchemy URL."""
    scratch = postgres.scratch(folder)
    server = postgres.start(scratch)
    try:
        yield f"postgresql+psycopg://{postgres.USER}:{server.password}@127.0.0.1:{server.port}/postgres"
    finally:
        server.stop()
        shutil.rmtree(scratch)
