"""Versions of a publication: which one the storage server reads, and when another is current."""

import http.client
import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from werkzeug.test import Client

from cluster.storage.folder_storage import FolderStorage
from cluster.storage.layout import Pointer, Prefix, switch
from cluster.storage.limits import POINTER_SECONDS
from cluster.storage.server import StorageApp
from tests.support.storage_servers import ServedStorage, of_a_laid_out_folder, of_environments
from tests.support.waiting import eventually
from tests.support.workloads import write_files

OLD, NEW = "20260101-000000-a", "20260102-000000-b"
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
DEPLOYED = Prefix.parse("ann+app/staging")
BIG = 20_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def client(root: Path) -> Client:
    return Client(StorageApp({"": FolderStorage(root, has_pointers=True)}).respond)


def point(root: Path, prefix: str, *releases: tuple[str, list[str]]) -> None:
    """Write the pointer after these releases, each with the paths that it made new."""
    pointer: Pointer | None = None
    for release, paths in releases:
        pointer = switch(pointer, release, paths, MOMENT)
    assert pointer
    (root / prefix / "current.json").write_bytes(pointer.write())


def test_each_path_is_read_from_the_release_that_the_pointer_names(root: Path, client: Client) -> None:
    write_files(
        root / "ann+app/staging/releases",
        {
            f"{OLD}/index.html": "the site",
            f"{OLD}/committees/all.csv": "old",
            f"{NEW}/committees/all.csv": "new",
            f"{NEW}/index.html": "of no path",
        },
    )
    point(root, "ann+app/staging", (OLD, [""]), (NEW, ["committees/"]))
    assert client.get("/ann+app/staging/").text == "the site"
    assert client.get("/ann+app/staging/committees/all.csv").text == "new"
    assert client.get("/ann+app/staging").headers["Location"] == "./staging/"
    assert client.get("/ann+app/staging/committees").status_code == 301
    assert client.get("/ann+app/staging/nothing").status_code == 404
    old = client.get(f"/ann+app/staging/releases/{OLD}/committees/all.csv")
    assert old.text == "old"
    assert "immutable" in old.headers["Cache-Control"]


def test_who_read_a_descriptor_reads_the_files_of_its_version_after_a_switch_too(
    root: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for release in (OLD, NEW):
        files = {f"committees/{name}": f"{name} of {release}" for name in ("datapackage.json", "rów 1.csv")}
        write_files(root / "ann+app/staging/releases" / release, {**files, "404.html": "none"})
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    point(root, "ann+app/staging", (OLD, [""]))
    stable = "http://data.example.org/ann+app/staging/committees/datapackage.json"
    where = urljoin(stable, client.get(urlsplit(stable).path).headers["Content-Location"])
    point(root, "ann+app/staging", (OLD, [""]), (NEW, [""]))
    now[0] += POINTER_SECONDS
    assert client.get(urlsplit(urljoin(stable, "rów 1.csv")).path).text == f"rów 1.csv of {NEW}"
    kept = client.get(urlsplit(urljoin(where, "rów 1.csv")).path)
    assert (kept.text, "immutable" in kept.headers["Cache-Control"]) == (f"rów 1.csv of {OLD}", True)
    assert "Content-Location" not in kept.headers, "that is where it is"
    found = client.get("/ann+app/staging/committees/rów 1.csv").headers["Content-Location"]
    assert found == f"../releases/{NEW}/committees/r%C3%B3w%201.csv"
    assert "Content-Location" not in client.get("/ann+app/staging/deep/er/page.html").headers


def test_a_storage_of_one_environment_has_its_pointer_at_the_top(root: Path, client: Client) -> None:
    write_files(root, {f"releases/{NEW}/numbers/all.csv": "1"})
    point(root, "", (NEW, ["numbers/"]))
    assert client.get("/numbers/all.csv").text == "1"
    names = [entry["name"] for entry in client.get("/?format=json").json["entries"]]
    assert names == ["numbers"]


def test_what_was_at_the_top_before_there_were_versions_stays(root: Path, client: Client) -> None:
    write_files(root, {f"releases/{NEW}/numbers/all.csv": "new", "numbers/all.csv": "old", "before/all.csv": "kept"})
    point(root, "", (NEW, ["numbers/"]))
    assert (client.get("/numbers/all.csv").text, client.get("/before/all.csv").text) == ("new", "kept")
    names = [entry["name"] for entry in client.get("/?format=json").json["entries"]]
    assert names == ["before", "numbers"]


def test_a_file_of_that_name_that_a_run_published_is_no_pointer(root: Path, client: Client) -> None:
    write_files(root, {"dppctl-worker-x/rates/current.json": '{"dollar": 3.6}', "dppctl-worker-x/rates/all.csv": "a"})
    assert client.get("/dppctl-worker-x/rates/all.csv").text == "a"
    assert client.get("/dppctl-worker-x/rates/current.json").json == {"dollar": 3.6}


def test_a_pointer_is_remembered_for_a_second_at_most(
    root: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(root / "ann+app/staging/releases", {f"{OLD}/a.csv": "old", f"{NEW}/a.csv": "new"})
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    point(root, "ann+app/staging", (OLD, [""]))
    assert client.get("/ann+app/staging/a.csv").text == "old"
    point(root, "ann+app/staging", (NEW, [""]))
    now[0] += POINTER_SECONDS
    assert client.get("/ann+app/staging/a.csv").text == "new"


def test_the_server_is_ready_while_its_folder_is_there(root: Path) -> None:
    client = Client(StorageApp({"": FolderStorage(root / "storage", has_pointers=True)}).respond)
    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)
    (root / "storage").mkdir()
    assert client.get("/readyz").status_code == 200


def test_a_path_of_the_url_may_come_with_the_request_or_not(root: Path) -> None:
    write_files(root, {"worker/a.csv": "a"})
    client = Client(StorageApp({"": FolderStorage(root)}, base="/data").respond)
    for path in ("/data/worker/a.csv", "/worker/a.csv"):
        assert client.get(path).text == "a", path


def test_a_sites_own_page_is_found_from_however_deep(root: Path, client: Client) -> None:
    write_files(root / "ann+app/staging/releases", {f"{NEW}/404.html": "of the site"})
    write_files(root, {"worker/404.html": "of the run"})
    point(root, "ann+app/staging", (NEW, [""]))
    deep = "a/b/c/d/e/f/g/h/page.html"
    for prefix, page in (("ann+app/staging", "of the site"), ("worker", "of the run")):
        answer = client.get(f"/{prefix}/{deep}")
        assert (answer.status_code, answer.text) == (404, page)


def test_pipes_are_no_files(root: Path, client: Client) -> None:
    write_files(root, {"worker/a.csv": "a"})
    os.mkfifo(root / "worker" / "pipe")
    assert client.get("/worker/pipe").status_code == 404
    assert [entry["name"] for entry in json.loads(client.get("/worker/?format=json").text)["entries"]] == ["a.csv"]


@pytest.mark.parametrize("way", [of_environments, of_a_laid_out_folder])
def test_who_reads_an_old_version_reads_it_to_its_end(
    way: Callable[[Path, Path], AbstractContextManager[ServedStorage]], tmp_path: Path
) -> None:
    old = write_files(tmp_path / "old", {"big.bin": "o" * BIG, "index.html": "old"})
    new = write_files(tmp_path / "new", {"big.bin": "n", "index.html": "new"})
    with way(tmp_path, old) as storage:
        parts = urlsplit(storage.url)
        with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
            connection.request("GET", f"{parts.path}big.bin")
            answer = connection.getresponse()
            begun = answer.read(10)
            storage.publish(new)
            eventually(lambda: storage.ask().text == "new", "the new version is shown", 10)
            assert begun + answer.read() == b"o" * BIG
