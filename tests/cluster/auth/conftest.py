"""An auth server for each test, on SQLite; some tests make one on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.auth import AuthWorld
from tests.support.databases import database_url, postgres_server

__all__ = ["database_url", "postgres_server"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AuthWorld]:
    """In mode token."""
    world = AuthWorld(tmp_path)
    yield world
    world.service.close()
