"""A machine of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.runtime import Runtime
from tests.sync.machine import Machine


@pytest.fixture
def machine(tmp_path: Path, runtime: Runtime) -> Iterator[Machine]:
    machine = Machine(tmp_path, runtime)
    yield machine
    machine.git.close()
