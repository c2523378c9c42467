"""A usage service on a new database, SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.usage.service import UsageService
from tests.support.databases import database_url as database_url
from tests.support.databases import postgres_server as postgres_server
from tests.support.usage import MakeService


@pytest.fixture
def make_service(database_url: str, tmp_path: Path) -> Iterator[MakeService]:
    """Give what makes a service with these limits."""
    with ExitStack() as opened:

        def make(limits: str) -> UsageService:
            file = tmp_path / "limits.yaml"
            file.write_text(limits)
            service = UsageService(database_url, file)
            opened.callback(service.close)
            return service

        yield make
