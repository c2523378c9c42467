"""Submodules are exported at their commit, or refused with their path."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bot.errors import PermanentError, TransientError
from bot.git.command import Git
from bot.git.mirror import Mirror
from tests.support.broken_copies import BROKEN
from tests.support.commits import add_submodule
from tests.support.exported import DATA, export
from tests.support.forge import Forge, Repository
from tests.support.world import World

pytestmark = pytest.mark.slow


@pytest.fixture
def library(forge: Forge) -> Repository:
    library = forge.repository("ann/library")
    library.push({"lib.py": "old = 1\n", "data/x.csv": DATA})
    return library


@pytest.mark.parametrize("relative", [True, False])
def test_a_submodule_is_there_at_its_commit(
    mirror: Mirror, repository: Repository, library: Repository, target: Path, forge: Forge, relative: bool
) -> None:
    repository.push({"app/run.py": "import lib"})
    commit = add_submodule(
        repository, library, "app/lib", "../library.git" if relative else f"{forge.url}/ann/library.git"
    )
    library.push({"lib.py": "new = 2\n"})
    expected = {"run.py": "import lib", "lib/lib.py": "old = 1\n", "lib/data/x.csv": DATA}
    assert export(mirror, commit, target, "app") == expected
    shutil.rmtree(library.bare)  # it is kept: nothing more is asked for the same commit
    assert export(mirror, commit, target, "app") == expected


def test_a_submodule_of_a_submodule_is_there(
    mirror: Mirror, repository: Repository, library: Repository, target: Path, forge: Forge
) -> None:
    outer = forge.repository("ann/outer")
    outer.push({"outer.py": "1"})
    add_submodule(outer, library, "inner", "../library.git")
    commit = add_submodule(repository, outer, "deps/outer", "../outer.git")
    found = export(mirror, commit, target)
    assert found["deps/outer/inner/lib.py"] == "old = 1\n"
    assert found["deps/outer/outer.py"] == "1"


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_a_copy_of_a_submodule_that_is_broken_is_made_anew(
    harm: Callable[[Path], object], mirror: Mirror, repository: Repository, library: Repository, target: Path
) -> None:
    commit = add_submodule(repository, library, "lib", "../library.git")
    expected = export(mirror, commit, target)
    harm(mirror.folder / "modules/ann+library")
    with suppress(TransientError):
        export(mirror, commit, target)
    assert export(mirror, commit, target) == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://elsewhere.example.org/ann/library.git", "lib: this folder is a submodule from https://elsewhere"),
        ("ext::sh -c touch% /tmp/x", "lib: this folder is a submodule from ext::sh"),
        ("../../../etc/x.git", "lib: this folder is a submodule from"),
        (
            "../missing.git",
            "lib: this folder is a submodule, and its commit .* fetched from ann/missing",
        ),
    ],
)
def test_a_submodule_that_cannot_be_had_is_refused_with_its_path(
    mirror: Mirror, repository: Repository, library: Repository, target: Path, url: str, said: str
) -> None:
    commit = add_submodule(repository, library, "lib", url)
    with pytest.raises(PermanentError, match=said):
        export(mirror, commit, target)
    assert not target.exists()


def test_a_gitmodules_that_git_cannot_read_is_said(mirror: Mirror, repository: Repository, target: Path) -> None:
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    (repository.work / ".gitmodules").write_text("path = lib\n[submodule\n")
    repository.git("add", ".gitmodules")
    repository.git("commit", "--quiet", "--message", "x")
    repository.git("push", "--quiet", "origin", "HEAD:master")
    mirror.refresh()
    with pytest.raises(PermanentError, match=r"^\.gitmodules cannot be read, .*bad config line 2 in \.gitmodules$"):
        export(mirror, repository.git("rev-parse", "HEAD"), target)


def test_a_submodule_beside_the_app_is_nobodys_concern(
    mirror: Mirror, repository: Repository, library: Repository, target: Path
) -> None:
    repository.push({"app/run.py": "1"})
    commit = add_submodule(repository, library, "lib", "https://elsewhere.example.org/x/y.git")
    assert export(mirror, commit, target, "app") == {"run.py": "1"}


def test_a_submodules_commit_that_is_gone_is_refused(
    mirror: Mirror, repository: Repository, library: Repository, target: Path
) -> None:
    commit = add_submodule(repository, library, "lib", "../library.git", "1" * 40)
    with pytest.raises(PermanentError, match="lib: this folder is a submodule, and its commit 111111111111 cannot be"):
        export(mirror, commit, target)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/ann/app.git", "ann/app"),
        ("https://github.com/ann/app", "ann/app"),
        ("http://user@GitHub.com/ann/app/", "ann/app"),
        ("git@github.com:ann/app.git", "ann/app"),
        ("ssh://git@github.com/ann/app.git", "ann/app"),
        ("https://github.com.example.org/ann/app", None),
        ("https://github.com/ann/app/extra", None),
        ("https://github.com@example.org/ann/app", None),
        ("file:///ann/app", None),
        ("/ann/app", None),
        ("-oProxyCommand=x", None),
        ("https://github.com/../ann/app", None),
    ],
)
def test_urls_of_the_forge_in_any_form_name_its_repository(tmp_path: Path, url: str, name: str | None) -> None:
    settings = World(tmp_path, GITHUB_URL="https://github.com").settings
    assert Git(settings).repository_at(url) == name
