"""Files that Git LFS keeps are exported with their content, or refused: with and without the real git-lfs."""

import hashlib
import json
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot.errors import PermanentError, TransientError
from bot.git.command import Git
from bot.git.export import Files
from bot.git.lfs import read_pointer
from bot.git.mirror import Mirror
from bot.git.origin import Origin
from tests.support.certificates import make_authority
from tests.support.exported import DATA, export, files_of, pointer_of
from tests.support.forge import Repository, git
from tests.support.serving import in_thread
from tests.support.world import World


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
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        href = f"{scheme}://127.0.0.1:{self.server.server_address[1]}/content"
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
    for away in (files, replace(files, origin=replace(files.origin, url=f"{url}/ann/404.git"))):  # a name is no status
        with pytest.raises(TransientError):
            away.export(target)
    handler.status = 200
    files.export(target)
    assert files_of(target)["data/a.csv"] == DATA
    path, authorization = handler.seen[-1]
    assert path == "/ann/app.git/info/lfs/objects/batch"
    assert (authorization or "").startswith("Basic ")
    assert "t0ken" not in (mirror.folder / "config").read_text()


@pytest.mark.needs("git-lfs", "openssl")
def test_over_tls_the_certificate_is_known_by_the_setting(
    mirror: Mirror, repository: Repository, target: Path, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path / "authority")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Lfs,), {"seen": []}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    commit = repository.push({"a.csv": pointer_of(DATA)})
    mirror.refresh()
    url = f"https://127.0.0.1:{server.server_port}"
    with in_thread(server):
        for ca in ("", str(authority.ca)):
            settings = World(tmp_path / f"web{bool(ca)}", GITHUB_URL=url, GITHUB_TOKEN="t0ken", GITHUB_CA=ca).settings
            files = Files(Git(settings), Origin(mirror.folder, mirror.folder, f"{url}/ann/app.git"), commit)
            if ca:
                files.export(target)
            else:
                with pytest.raises(PermanentError, match="DPPCTL_GITHUB_CA"):
                    files.export(target)
    assert files_of(target)["a.csv"] == DATA
