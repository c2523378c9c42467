"""A machine of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.stories.machine import Machine


@pytest.fixture
def machine(tmp_path: Path, runtime: DppEnvironment) -> Iterator[Machine]:
    machine = Machine(tmp_path, runtime)
    yield machine
    machine.close()
