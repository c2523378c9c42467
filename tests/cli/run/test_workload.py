"""Where a workload comes from: a folder, or an archive that a real HTTP server on loopback serves."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cli.errors import InputError
from cli.run.limits import Limits
from cli.run.workload import open_workload
from tests.support.archives import SPEC, Link, make_tar, make_zip

GITHUB_LIKE = {"repo-0a1b2c/": None, "repo-0a1b2c/pipeline-spec.yaml": SPEC, "repo-0a1b2c/sub/pipeline-spec.yaml": SPEC}


class Site:
    """Answers each path with a status, headers and a body; `claimed` is the length it says the body has."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                status, headers, body = site.answers[self.path.partition("?")[0]]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def serves(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """The URL."""
        self.answers[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        return f"http://{self.host}{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def opened(where: str, tmp_path: Path, limits: Limits = Limits()) -> tuple[Path, list[str]]:  # noqa: B008
    """The workload's folder, and what was said."""
    said: list[str] = []
    pod = Path(tempfile.mkdtemp(dir=tmp_path))
    return open_workload(where, pod, limits, said.append), said


def refusal(where: str, tmp_path: Path, limits: Limits = Limits()) -> str:  # noqa: B008
    """The one line."""
    with pytest.raises(InputError) as caught:
        opened(where, tmp_path, limits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_used_in_place(tmp_path, monkeypatch):
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path)
    assert opened("app", tmp_path) == (tmp_path / "app", [])


def test_a_folder_that_is_missing_or_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    assert "doesn't exist" in refusal(str(tmp_path / "missing"), tmp_path)
    assert "is no folder" in refusal(str(tmp_path / "file"), tmp_path)


@pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar.gz"])
def test_an_archive_is_unpacked_in_the_pod(site, make, tmp_path):
    url = site.serves("/app", make({"pipeline-spec.yaml": SPEC, "data.csv": b"a\n"}))
    workload, said = opened(url, tmp_path)
    assert (workload / "pipeline-spec.yaml").read_bytes() == SPEC
    assert said[0] == f"Downloading {url}"
    assert said[-1].endswith("unpacked 2 files")
    assert [path.name for path in workload.parent.iterdir()] == ["workload"], "the archive itself is not kept"


def test_the_only_folder_of_an_archive_is_its_top(site, tmp_path):
    url = site.serves("/app", make_zip(GITHUB_LIKE))
    workload, _ = opened(url, tmp_path)
    assert (workload / "pipeline-spec.yaml").exists()


@pytest.mark.parametrize("inside", ["repo-0a1b2c/sub", "sub", "/sub/", "./sub", "s%75b"])
def test_the_path_after_the_hash_is_looked_up_from_the_top_and_from_the_only_folder(site, inside, tmp_path):
    url = site.serves("/app", make_tar(GITHUB_LIKE))
    workload, _ = opened(f"{url}#{inside}", tmp_path)
    assert workload.name == "sub"
    assert (workload / "pipeline-spec.yaml").exists()


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("missing", "holds no folder 'missing'"),
        ("repo-0a1b2c/pipeline-spec.yaml", "holds no folder"),
        ("..", "leaves the archive"),
        ("sub/../../..", "leaves the archive"),
        ("%2e%2e/%2e%2e", "leaves the archive"),
        ("%00", "leaves the archive"),
    ],
)
def test_a_path_after_the_hash_that_is_not_in_the_archive_is_refused(site, inside, reason, tmp_path):
    assert reason in refusal(site.serves("/app", make_zip(GITHUB_LIKE)) + "#" + inside, tmp_path)


def test_an_absolute_path_after_the_hash_stays_in_the_archive(site, tmp_path):
    assert "holds no folder" in refusal(site.serves("/app", make_zip(GITHUB_LIKE)) + "#" + str(tmp_path), tmp_path)


def test_redirects_are_followed(site, tmp_path):
    site.serves("/archive", make_zip({"pipeline-spec.yaml": SPEC}))
    workload, _ = opened(site.serves("/app", b"", 302, Location="/archive"), tmp_path)
    assert (workload / "pipeline-spec.yaml").exists()


def test_a_redirect_to_a_file_or_in_circles_is_refused(site, tmp_path):
    assert "something else than http" in refusal(site.serves("/a", b"", 302, Location="file:///etc/passwd"), tmp_path)
    assert "in circles" in refusal(site.serves("/b", b"", 302, Location="/b"), tmp_path)


@pytest.mark.parametrize("status", [404, 403, 500, 204])
def test_any_answer_but_200_is_refused_with_the_status(site, status, tmp_path):
    assert f"the server answers {status}" in refusal(site.serves("/app", b"", status), tmp_path)


def test_a_server_that_does_not_answer_is_one_line_with_the_reason(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/app.zip"
        assert refusal(url, tmp_path) == f"{url}: cannot download: Connection refused"


def test_a_server_that_is_silent_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("cli.run.workload.SILENCE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "silence" in refusal(f"http://127.0.0.1:{silent.getsockname()[1]}/", tmp_path)


def test_a_name_that_does_not_exist_and_a_host_that_speaks_no_tls_are_one_line(site, tmp_path):
    assert "cannot download" in refusal("http://no-such-host.invalid/app.zip", tmp_path)
    assert "certificate" in refusal(f"https://{site.host}/app.zip", tmp_path)


def test_a_connection_that_breaks_off_is_refused(site, tmp_path):
    archive = make_zip({"pipeline-spec.yaml": SPEC})
    url = site.serves("/app", archive[:-10], Content_Length=str(len(archive)))
    assert "cannot download: the connection broke off" in refusal(url, tmp_path)


def test_a_download_that_is_too_large_is_stopped(site, tmp_path):
    url = site.serves("/app", bytes(2_000_000))
    assert "larger than 1000000 bytes" in refusal(url, tmp_path, Limits(max_download_bytes=1_000_000))


def test_what_is_no_archive_or_hostile_is_one_line_with_the_url(site, tmp_path):
    url = site.serves("/app.zip", b"<!doctype html><title>Sign in</title>")
    assert refusal(url, tmp_path) == f"{url}: no zip or tar archive; it looks like a web page"
    url = site.serves("/evil.zip", make_tar({"../evil": b"x"}))
    assert refusal(url, tmp_path) == f"{url}: '../evil' leaves the folder"
    url = site.serves("/evil", make_zip({"pipeline-spec.yaml": Link("/etc/passwd")}))
    assert "leaves the folder" in refusal(url, tmp_path)


def test_user_password_and_query_are_used_but_not_shown(site, tmp_path):
    site.serves("/app", make_zip({"pipeline-spec.yaml": SPEC}))
    _, said = opened(f"http://me:secret@{site.host}/app?token=secret", tmp_path)
    assert "secret" not in "".join(said)
    assert site.asked == ["/app?token=secret"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://me:secret@127.0.0.1:{unused.getsockname()[1]}/app?token=secret"
        assert "secret" not in refusal(url, tmp_path)


@pytest.mark.parametrize(
    "where", ["ftp://host/x.zip", "file:///etc", "http://", "http://[::1/x", "http://host:99999/x"]
)
def test_other_urls_are_refused_before_anything_is_asked(where, tmp_path):
    refusal(where, tmp_path)


def test_a_pod_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot keep the download: No such file or directory"):
        open_workload("http://host/app.zip", tmp_path / "gone", Limits(), print)


def test_the_limits_are_settings(monkeypatch):
    assert Limits.from_environment() == Limits()
    monkeypatch.setenv("DPPCTL_MAX_DOWNLOAD_BYTES", "1")
    monkeypatch.setenv("DPPCTL_MAX_UNPACKED_BYTES", "2")
    monkeypatch.setenv("DPPCTL_MAX_ENTRIES", "3")
    assert Limits.from_environment() == Limits(1, 2, 3)


@pytest.mark.parametrize("value", ["10k", "-1", "0", "1.5", "²", " 1"])
def test_a_limit_that_is_no_number_is_one_line(value, monkeypatch):
    monkeypatch.setenv("DPPCTL_MAX_ENTRIES", value)
    with pytest.raises(InputError, match=r"DPPCTL_MAX_ENTRIES=.* is no whole number above 0"):
        Limits.from_environment()


def test_importing_it_loads_nothing_heavy():
    heavy = "{'requests', 'zipfile', 'tarfile'}"
    check = f"import sys, cli.run.workload; before = {heavy} & set(sys.modules); sys.exit(str(before) if before else 0)"
    subprocess.run([sys.executable, "-c", check], check=True)
