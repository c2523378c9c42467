"""A new store for each test, once on SQLite and once on PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.store.database import Database
from bot.store.store import Store
from cluster.local.databases import postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = postgres.scratch(tmp_path_factory.mktemp("postgres"))
    server = postgres.start(folder)
    yield f"postgresql+psycopg://{postgres.USER}:{server.password}@127.0.0.1:{server.port}"
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("PostgreSQL"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bot.sqlite"
    server: str = request.getfixturevalue("server")
    main, name = Database(f"{server}/postgres"), f"test_{abs(hash(str(tmp_path)))}"
    with main.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    main.close()
    return f"{server}/{name}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()
