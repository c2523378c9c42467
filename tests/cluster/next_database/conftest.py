"""A PostgreSQL with an environment's databases, new for each test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

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
def database(tmp_path: Path) -> Iterator[EnvironmentDatabase]:
    """Give the databases of an environment that has nothing yet."""
    with environment_database(tmp_path) as made:
        yield made
