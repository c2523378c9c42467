"""What is exported is what the commit holds: real repositories."""

import os
import stat
from pathlib import Path

import pytest

from bot.errors import PermanentError, TransientError
from bot.git.mirror import Mirror
from tests.support.exported import DATA, export
from tests.support.forge import Repository, git

pytestmark = pytest.mark.slow


def test_attributes_remove_and_change_nothing(mirror: Mirror, repository: Repository, target: Path) -> None:
    files = {
        ".gitattributes": "/tests export-ignore\n*.py export-ignore\nid export-subst ident\n*.txt text eol=crlf\n",
        "tests/deep/a.csv": DATA,
        "run.py": "print()\n",
        "id": "$Format:%H$ $Id$\n",
        "dos.txt": "a\nb\n",
    }
    commit = repository.push(files)
    assert export(mirror, commit, target) == {
        name: git(repository.bare, "show", f"{commit}:{name}") + "\n" for name in files
    }


def test_modes_links_and_an_empty_tree_stay(mirror: Mirror, repository: Repository, target: Path) -> None:
    empty = repository.push({})
    (repository.work / "run.sh").write_text("#!/bin/sh\n")
    (repository.work / "run.sh").chmod(0o755)
    (repository.work / "latest").symlink_to("data/a.csv")
    commit = repository.push({"data/a.csv": DATA})
    before = os.umask(0o077)
    try:
        export(mirror, commit, target)
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((target / name).stat().st_mode) for name in ("run.sh", "data", "data/a.csv")}
    assert modes == {"run.sh": 0o755, "data": 0o755, "data/a.csv": 0o644}
    assert os.readlink(target / "latest") == "data/a.csv"
    assert export(mirror, empty, target) == {}


def test_a_large_file_is_the_same(mirror: Mirror, repository: Repository, target: Path) -> None:
    content = os.urandom(5 * 2**20 + 1)
    (repository.work / "big").write_bytes(content)
    commit = repository.push_all()
    mirror.refresh()
    mirror.files(commit, "").export(target)
    assert (target / "big").read_bytes() == content


@pytest.mark.parametrize("link", ["../../etc", "/etc/passwd", "data/../../x"])
def test_links_that_lead_out_are_refused_and_leave_nothing(
    mirror: Mirror, repository: Repository, target: Path, link: str
) -> None:
    (repository.work / "link").symlink_to(link)
    commit = repository.push({"data/a": "1"})
    with pytest.raises(PermanentError, match="link: this symbolic link leads out"):
        export(mirror, commit, target)
    assert not target.exists()


def make_tree(repository: Repository, *entries: tuple[str, bytes, str]) -> str:
    """Return a commit of a tree that no git would make."""
    content = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(identity) for mode, name, identity in entries)
    (repository.work / "tree").write_bytes(content)
    tree = repository.git("hash-object", "-t", "tree", "-w", "--literally", "tree")
    commit = repository.git("commit-tree", tree, "-m", "odd")
    repository.git("push", "--quiet", "--force", "origin", f"{commit}:refs/heads/master")
    return commit


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"caf\xe9.csv", r"caf\\xe9.csv: the name of this file is not UTF-8; rename it"),
        (b"..", r"\.\.: no file can have this name"),
        (b".GIT", r"\.GIT: no file can have this name"),
        (b"x" * 300, "x: cannot be written: File name too long"),
    ],
)
def test_names_that_no_file_can_have_are_refused(
    mirror: Mirror, repository: Repository, target: Path, name: bytes, said: str
) -> None:
    repository.push({"a": "1"})
    blob = repository.git("rev-parse", "HEAD:a")
    commit = make_tree(repository, ("100644", name, blob))
    with pytest.raises(PermanentError, match=said):
        export(mirror, commit, target)
    assert not target.exists()


def test_nothing_is_written_through_a_link_of_the_same_name(
    mirror: Mirror, repository: Repository, target: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    repository.push({"inner/evil": "1", "link": str(tmp_path / "outside")})
    link, inner = repository.git("rev-parse", "HEAD:link"), repository.git("rev-parse", "HEAD:inner")
    commit = make_tree(repository, ("120000", b"a", link), ("40000", b"a", inner))
    with pytest.raises(PermanentError, match="a: cannot be written: File exists"):
        export(mirror, commit, target)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_full_disk_is_for_another_try(
    mirror: Mirror, repository: Repository, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.push({"a": "1" * 3000})
    monkeypatch.setattr("bot.git.export.os.fchmod", _full)
    with pytest.raises(TransientError, match="a: cannot be written: No space left on device"):
        export(mirror, commit, target)
    assert not target.exists()


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")
