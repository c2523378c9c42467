"""A new store for each test, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator

import pytest

from bot.store.store import Store
from tests.support.databases import database_url, postgres_server

__all__ = ["database_url", "postgres_server"]


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()
