"""What is exported is what the commit holds: real repositories, with and without the real git-lfs."""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot.errors import PermanentError, TransientError
from bot.git.command import Git
from bot.git.export import Files
from bot.git.lfs import read_pointer
from bot.git.mirror import Mirror
from bot.git.origin import Origin
from tests.support.broken_copies import BROKEN
from tests.support.forge import Forge, Repository, git
from tests.support.serving import in_thread
from tests.support.world import World

DATA = "a,b\n1,2\n3,4\n"


def pointer_of(content: str) -> str:
    oid = hashlib.sha256(content.encode()).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


def files_of(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def export(mirror: Mirror, commit: str, target: Path, path: str = "") -> dict[str, str]:
    mirror.refresh()
    mirror.files(commit, path).export(target)
    return files_of(target)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


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


# Git LFS


@pytest.mark.parametrize(
    "text",
    [
        DATA,
        "",
        pointer_of(DATA) + "\n",
        pointer_of(DATA).rstrip("\n"),
        pointer_of(DATA).replace("sha256", "sha1"),
        pointer_of(DATA).replace("oid", "x", 1),
        "see " + pointer_of(DATA),
    ],
)
def test_only_the_exact_form_is_a_pointer(text: str) -> None:
    assert read_pointer(text.encode()) is None


def test_a_pointer_is_recognised() -> None:
    found = read_pointer(pointer_of(DATA).encode())
    assert found == (hashlib.sha256(DATA.encode()).hexdigest(), len(DATA), False)


def test_without_git_lfs_a_pointer_is_refused_with_its_path(
    mirror: Mirror, repository: Repository, target: Path
) -> None:
    commit = repository.push({"app/data/a.csv": pointer_of(DATA), "app/b": "1", "other/c.csv": pointer_of("c")})
    with pytest.raises(
        PermanentError, match=r"app/data/a\.csv: Git LFS keeps this file, and the program git-lfs is not"
    ):
        export(mirror, commit, target, "app")
    assert not target.exists()
    commit = repository.push({"app/data/a.csv": DATA})
    assert export(mirror, commit, target, "app") == {"data/a.csv": DATA, "b": "1"}


@pytest.fixture
def lfs(repository: Repository) -> Repository:
    """A repository whose CSV files Git LFS keeps; pushed by git-lfs itself."""
    git(repository.work, "lfs", "install", "--local")
    return repository


@pytest.mark.needs("git-lfs")
def test_with_git_lfs_the_file_itself_is_there_and_fetched_once(mirror: Mirror, lfs: Repository, target: Path) -> None:
    commit = lfs.push(
        {".gitattributes": "*.csv filter=lfs diff=lfs merge=lfs -text\n", "app/a.csv": DATA, "b.csv": "b"}
    )
    assert git(lfs.bare, "show", f"{commit}:app/a.csv") == pointer_of(DATA).strip()
    assert export(mirror, commit, target, "app") == {"a.csv": DATA}
    assert export(mirror, commit, target)["b.csv"] == "b"
    shutil.rmtree(lfs.bare / "lfs")
    assert export(mirror, commit, target, "app") == {"a.csv": DATA}


@pytest.mark.needs("git-lfs")
def test_what_the_server_has_not_got_is_refused_with_its_path(
    mirror: Mirror, repository: Repository, target: Path
) -> None:
    commit = repository.push({"a.csv": pointer_of(DATA)})
    with pytest.raises(PermanentError, match=r"a\.csv: Git LFS keeps this file, and its content"):
        export(mirror, commit, target)
    assert not target.exists()


class _Lfs(BaseHTTPRequestHandler):
    """https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md, as much as a download takes."""

    status = 200
    seen: list[tuple[str, str | None]]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers["Authorization"]))
        href = f"http://127.0.0.1:{self.server.server_address[1]}/content"
        objects = [{**found, "actions": {"download": {"href": href}}} for found in asked["objects"]]
        self._send(json.dumps({"transfer": "basic", "objects": objects}).encode())

    def do_GET(self) -> None:
        self._send(DATA.encode())

    def _send(self, body: bytes) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", "application/vnd.git-lfs+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def lfs_server() -> Iterator[tuple[type[_Lfs], str]]:
    handler = type("Handler", (_Lfs,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with in_thread(server):
        yield handler, f"http://127.0.0.1:{server.server_port}"


@pytest.mark.needs("git-lfs")
def test_over_http_the_forges_server_is_asked_with_the_token_whatever_lfsconfig_says(
    mirror: Mirror, repository: Repository, target: Path, lfs_server: tuple[type[_Lfs], str], tmp_path: Path
) -> None:
    handler, url = lfs_server
    (tmp_path / "web").mkdir()
    web = Git(World(tmp_path / "web", GITHUB_URL=url, GITHUB_TOKEN="t0ken").settings)
    stranger = "[lfs]\n\turl = http://127.0.0.1:9/elsewhere\n\tfetchexclude = *\n"
    commit = repository.push({"data/a.csv": pointer_of(DATA), ".lfsconfig": stranger})
    mirror.refresh()
    files = Files(web, Origin(mirror.folder, mirror.folder, f"{url}/ann/app.git"), commit)
    handler.status = 503
    with pytest.raises(TransientError):
        files.export(target)
    handler.status = 200
    files.export(target)
    assert files_of(target)["data/a.csv"] == DATA
    path, authorization = handler.seen[-1]
    assert path == "/ann/app.git/info/lfs/objects/batch"
    assert (authorization or "").startswith("Basic ")
    assert "t0ken" not in (mirror.folder / "config").read_text()


# Submodules


@pytest.fixture
def library(forge: Forge) -> Repository:
    library = forge.repository("ann/library")
    library.push({"lib.py": "old = 1\n", "data/x.csv": DATA})
    return library


def add_submodule(repository: Repository, library: Repository, path: str, url: str, commit: str | None = None) -> str:
    """Commit what `git submodule add` does; that is a script which needs half of a system."""
    said = f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'
    (repository.work / ".gitmodules").write_text(said)
    repository.git("add", "--all")
    commit = commit or library.git("rev-parse", "HEAD")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    repository.git("commit", "--quiet", "--message", "a submodule")
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/master")
    return repository.git("rev-parse", "HEAD")


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
