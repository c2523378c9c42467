"""A new database for each test, once on SQLite and once on PostgreSQL: a conftest imports these two fixtures."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from cluster.local.databases import postgres


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a server, to which `/DATABASE` is added."""
    folder = postgres.scratch(tmp_path_factory.mktemp("postgres"))
    server = postgres.start(folder)
    yield f"postgresql+psycopg://{postgres.USER}:{server.password}@127.0.0.1:{server.port}"
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("PostgreSQL"))])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.sqlite"
    server: str = request.getfixturevalue("postgres_server")
    name = f"test_{abs(hash(str(tmp_path)))}"
    main = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with main.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    main.dispose()
    return f"{server}/{name}"
