"""What tests share: a real dpp runtime, workloads written in a few lines, the command line as a user has it."""

import gc
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from structlog.typing import EventDict

import bot.logs
from cluster.local.folders import cache_dir
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment
from tests.support.browser import browser as browser
from tests.support.browser import page as page
from tests.support.command import Dppctl, dppctl_in
from tests.support.environment import use_kubeconfig
from tests.support.forge import Forge
from tests.support.github.fake import FakeGitHub, fake_github
from tests.support.needs import GROUPS, begin, mark, needs, take_away_programs
from tests.support.order import in_order
from tests.support.stories.helm_cluster import Cluster
from tests.support.workloads import write_files

assert bot.logs  # which configures logging when it is imported
_LOGGING = structlog.get_config()  # as bot.logs has it where nobody calls `configure`


def pytest_configure(config: pytest.Config) -> None:
    os.environ["GIT_CONFIG_GLOBAL"] = str(Path(__file__).parent / "support" / "person.gitconfig")
    gc.disable()  # until all tests are collected, which leaves no garbage
    # No deadline: machines that have much else to do are no mistake. The same examples each time, so that a change
    # is not refused for what was there before it; `make fuzz` wants more of them, and others each time.
    settings.register_profile("dppctl", deadline=None, derandomize=True)
    settings.register_profile("fuzz", deadline=None, max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")))
    settings.load_profile("fuzz" if "FUZZ_EXAMPLES" in os.environ else "dppctl")
    for group, members in GROUPS.items():
        config.addinivalue_line("markers", f"{group}: needs {' or '.join(members)}; put by tests/support/needs.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a program, and put first what takes long."""
    for item in items:
        mark(item)
    items[:] = in_order(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what is there for all tests out of each look for garbage, which would take half a second."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    begin(item)


@pytest.fixture(autouse=True)
def _declared_programs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    take_away_programs(monkeypatch)


@pytest.fixture(scope="session")
@needs("dpp")
def runtime() -> DppEnvironment:
    """dpp's environment, from the cache that all runs on this machine share."""
    return ensure_dpp_environment(cache_dir(), None, print)


@pytest.fixture
def workload(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Writes a workload's files into a folder and gives the folder."""
    return lambda files: write_files(tmp_path / "workload", files)


@pytest.fixture
def dppctl(tmp_path: Path, runtime: DppEnvironment) -> Dppctl:
    """`dppctl("run", "all", cwd=folder)`; pods end with the command (DPPCTL_KEEP=0) unless a test says otherwise."""
    assert runtime.bin.is_dir()  # so that no command of a test prints how it is set up
    return dppctl_in(tmp_path / "data")


@pytest.fixture(autouse=True)
def _logging_as_commands_have_it() -> Iterator[None]:
    """A server that a test starts in its own process logs until the test ends."""
    yield
    structlog.configure(**_LOGGING)


@pytest.fixture
def warned() -> Iterator[list[EventDict]]:
    """The warnings and errors that are logged, each as it would be on its line."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as events:
        yield events
    structlog.configure(wrapper_class=before)


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """Bare repositories that tests push to."""
    return Forge(tmp_path)


@pytest.fixture
@needs("npm")
def github(forge: Forge) -> Iterator[FakeGitHub]:
    """GitHub on loopback; whatever it was asked and answered is as GitHub describes it."""
    with fake_github(forge) as github:
        yield github
        assert github.wrong == []


@pytest.fixture
@needs("an API server")
def kubeconfig(monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a kubeconfig whose cluster need not have a node."""
    found = os.environ["DPPCTL_TEST_KUBECONFIG"]
    use_kubeconfig(monkeypatch, found)
    return found


@pytest.fixture
@needs("helm")
def cluster(tmp_path: Path, kubeconfig: str) -> Iterator[Cluster]:
    """Two new namespaces in that cluster, and sync with helm beside them."""
    with closing(Cluster(tmp_path, kubeconfig)) as made:
        yield made
