"""dpp's Python with the hooks, for tests that compare values."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.quick.comparing import DppPython


@pytest.fixture(scope="module")
def dpp_python(runtime: DppEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., DppPython]]:
    """`dpp_python("lines")` runs that module of tests/support/quick until the tests of the module are over."""
    started: list[DppPython] = []

    def start(module: str, **environment: str) -> DppPython:
        hooks: Path = tmp_path_factory.mktemp("quick") / "hooks"
        started.append(DppPython(runtime.bin, hooks, module, **environment))
        return started[-1]

    yield start
    for process in started:
        process.close()
