"""A PostgreSQL with an environment's databases, new for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needs import needs
from tests.support.next_database import EnvironmentDatabase, environment_database


@pytest.fixture
@needs("PostgreSQL")
def database(tmp_path: Path) -> Iterator[EnvironmentDatabase]:
    """Give the databases of an environment that has nothing yet."""
    with environment_database(tmp_path) as made:
        yield made
