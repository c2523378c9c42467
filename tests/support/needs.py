"""What tests need beside Python and git. It is declared where it is used, looked for before a test starts, and marked.

A test, a module (`pytestmark`) or a parameter says `pytest.mark.needs("openssl")`. pytest knows no marks of fixtures:
they say `@needs("openssl")`, below `@pytest.fixture`, and every test that uses them has the mark too. A component's
group is a marker (`-m buildah`), and all that need anything have the marker `program`, which `make check` leaves out.
Those without it run with a PATH of git, Python and BASICS: so a mark that was forgotten is noticed.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest

from cluster.local.databases import postgres, web_ui

F = TypeVar("F", bound=Callable[..., object])


def chromium() -> str | None:
    """Return the path of Chromium: of the one that has no window if it is there, as it takes a third less."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


GROUPS = {
    "browser": ("chromium",),
    "buildah": ("buildah", "runc", "busybox"),
    "cluster": ("a cluster",),
    "dpp": ("dpp",),
    "helm": ("helm",),
    "kubernetes": ("an API server",),
    "npm": ("npm",),
    "podman": ("podman", "podman-compose", "catatonit"),
    "postgres": ("PostgreSQL", "psql", "pg_dump", "Adminer"),
    "registry": ("docker-registry", "skopeo"),
    "ssh": ("ssh", "sshd"),
}
_OTHERS = (
    "apt",
    "bash",
    "caddy",
    "gcloud",
    "git-lfs",
    "gpg",
    "mmdebstrap",
    "groff",
    "openssl",
    "rclone",
    "root",
    "setpriv",
    "sqlite3",
    "ss",
    "ssh-keygen",
    "systemd-analyze",
)
_WANTED = {
    "a cluster": "KUBECONFIG and DPPCTL_TEST_CLUSTER_REGISTRY, a registry that the cluster pulls from",
    "an API server": "a cluster that DPPCTL_TEST_KUBECONFIG names (its API server is enough)",
    "root": "root, who builds images without further settings and may become others",
}
_FOUND: dict[str, Callable[[], object]] = {
    "Adminer": web_ui.adminer,
    "PostgreSQL": postgres.binaries,
    "chromium": chromium,
    "a cluster": lambda: os.environ.get("KUBECONFIG") and os.environ.get("DPPCTL_TEST_CLUSTER_REGISTRY"),
    "an API server": lambda: os.environ.get("DPPCTL_TEST_KUBECONFIG"),
    "dpp": lambda: True,  # it is installed when it is not in the cache
    "catatonit": lambda: shutil.which("catatonit", path=f"{os.environ['PATH']}:/usr/libexec/podman"),
    "helm": lambda: True,
    "root": lambda: os.geteuid() == 0,
    "sshd": lambda: shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin"),
}
BASICS = ("sh", "cat", "env", "setpriv", "sleep", "touch")
# In no archive of Debian's or Python's: where they are missing their tests are left out, and reported so, in any case.
_UNPACKAGED = ("gcloud",)
_declared: set[str] = set()  # by the test that runs
_components = pytest.StashKey[set[str]]()


def needs(*components: str) -> Callable[[F], F]:
    """Say that a fixture, and so each test that uses it, needs these components."""

    def declare(fixture: F) -> F:
        fixture.needs = components  # type: ignore[attr-defined]
        return fixture

    return declare


def require(found: object, what: str) -> None:
    """Skip the test unless this was found; with DPPCTL_REQUIRE_ALL=1 its absence is a failure."""
    if found:
        return
    if os.environ.get("DPPCTL_REQUIRE_ALL") == "1":
        pytest.fail(f"this machine lacks {what}, and DPPCTL_REQUIRE_ALL=1")
    pytest.skip(f"this machine lacks {what}")


def declared(component: str) -> None:
    """Fail when the test that runs uses a component that it does not declare: for what is found without PATH."""
    assert component in _declared, f'mark the test: pytest.mark.needs("{component}")'


def declare(*components: str) -> None:
    """Say what is used by a program that is no test, as a benchmark."""
    _declared.update(components)


def mark(item: pytest.Item) -> None:
    """Give the test the markers of what it and its fixtures need."""
    found = item.stash[_components] = set(_of(item))
    for group, members in GROUPS.items():
        if not found.isdisjoint(members):
            item.add_marker(group)
    if found:
        item.add_marker("program")


def begin(item: pytest.Item) -> None:
    """Skip the test when something that it needs is missing."""
    _declared.clear()
    _declared.update(item.stash[_components])
    for component in sorted(_declared):
        found = _FOUND[component]() if component in _FOUND else shutil.which(component)
        if not found and component in _UNPACKAGED:
            pytest.skip(f"this machine lacks {component}, which no archive has")
        require(found, _WANTED.get(component, component))


def take_away_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a test that needs nothing a PATH with git, Python and BASICS only, and no cache.

    By the test's own `monkeypatch`, so that what the test changes itself is undone before this is.
    """
    if not _declared:
        monkeypatch.setenv("PATH", _bare().name)
        monkeypatch.setenv("DPPCTL_CACHE_DIR", os.devnull)


@cache
def _bare() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix="dppctl-bare-")
    for name in ("git", *BASICS):
        if found := shutil.which(name):
            Path(folder.name, name).symlink_to(found)
    Path(folder.name, "python3").symlink_to(sys.executable)
    return folder


def _of(item: pytest.Item) -> Iterator[str]:
    known = {*_OTHERS, *(component for members in GROUPS.values() for component in members)}
    fixtures = getattr(item, "_fixtureinfo", None)
    every = [definition.func for name in fixtures.name2fixturedefs.values() for definition in name] if fixtures else []
    given = [getattr(function, "needs", ()) for function in every]
    for component in [
        name for names in (*given, *(found.args for found in item.iter_markers("needs"))) for name in names
    ]:
        assert component in known, f"{item.nodeid}: tests/support/needs.py does not know {component!r}"
        yield component
