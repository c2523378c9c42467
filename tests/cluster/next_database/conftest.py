"""An environment's databases, new for each test, on a PostgreSQL that is there for all of them."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.databases import postgres_server as postgres_server
from tests.support.needs import needs
from tests.support.next_database import EnvironmentDatabase, environment_database


@pytest.fixture(autouse=True)
def _no_running_loop() -> Iterator[None]:
    """Hide the loop that a browser of an earlier test keeps in this thread: what runs in pods makes one of its own.

    https://docs.python.org/3/library/asyncio-extending.html
    """
    found = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(found)


@pytest.fixture
@needs("PostgreSQL")
def database(postgres_server: str) -> Iterator[EnvironmentDatabase]:
    """Give the databases of an environment that has nothing yet."""
    with environment_database(postgres_server) as made:
        yield made
