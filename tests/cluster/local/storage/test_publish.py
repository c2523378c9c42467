"""What a run publishes, and what it never does."""

import http.client
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.local.sessions import record
from cluster.local.storage.publish import publish, storage_folder
from cluster.storage.written import WrittenItem, WrittenItems
from tests.support.sessions import StartRun
from tests.support.workloads import write_files

PACKAGE = {"data/committees/datapackage.json": '{"name": "_"}', "data/committees/all.csv": "a,b\n1,2\n"}


COMMITTEES = WrittenItem("data package", "data/committees", "committees/")
SITE = WrittenItem("site", "data/index.html", "")


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    (tmp_path / "workload").mkdir()
    return tmp_path / "workload"


@pytest.fixture
def target(data: Path) -> Path:
    return data / "storage" / "dppctl-worker-x"


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_what_was_written_is_copied_but_for_links_and_hidden_files(
    workload: Path, target: Path, tmp_path: Path
) -> None:
    secret = write_files(tmp_path / "secret", {"key": "hush"})
    write_files(workload, {**PACKAGE, "data/committees/.env": "hush", "data/bad/a.csv": "", "data/index.html": ""})
    (workload / "data/committees/key").symlink_to(secret / "key")
    (workload / "data/committees/folder").symlink_to(secret)
    os.mkfifo(workload / "data/committees/pipe")
    publish(workload, WrittenItems((SITE, COMMITTEES), left_out=("data/bad",)), target)
    assert set(files(target)) == {"index.html", "committees/datapackage.json", "committees/all.csv"}


@pytest.mark.parametrize("linked", ["data", "data/committees"])
def test_a_forged_item_that_is_a_link_is_not_published(
    linked: str, workload: Path, target: Path, tmp_path: Path
) -> None:
    write_files(tmp_path / "elsewhere", PACKAGE)
    (workload / linked).parent.mkdir(parents=True, exist_ok=True)
    (workload / linked).symlink_to(tmp_path / "elsewhere" / linked)
    with pytest.raises(ClusterError, match="the worker wrote no data/committees, as it says"):
        publish(workload, WrittenItems((COMMITTEES,)), target)
    assert not target.exists()


def test_publishing_again_replaces_what_was_there(workload: Path, target: Path) -> None:
    write_files(workload, PACKAGE)
    publish(workload, WrittenItems((COMMITTEES,)), target)
    write_files(workload, {"data/committees/all.csv": "changed\n"})
    assert files(target)["committees/all.csv"] == "a,b\n1,2\n", "the copy is a copy"
    (workload / "data/committees/more.csv").touch()
    publish(workload, WrittenItems((COMMITTEES,)), target)
    assert files(target)["committees/all.csv"] == "changed\n"
    assert [folder.name for folder in target.parent.iterdir()] == [target.name]


def test_a_storage_that_cannot_be_written_is_one_line_and_leaves_nothing(workload: Path, data: Path) -> None:
    write_files(workload, PACKAGE)
    data.mkdir()
    (data / "storage").touch()
    with pytest.raises(ClusterError, match=r"cannot publish to .*/storage/dppctl-worker-x: "):
        publish(workload, WrittenItems((COMMITTEES,)), storage_folder("dppctl-worker-x"))


Ask = Callable[..., tuple[int, Mapping[str, str], str]]


@pytest.fixture
def ask(start_run: StartRun, workload: Path, tmp_path: Path) -> Iterator[Ask]:
    """Asks the supervisor of a run for a path below the worker's folder, exactly as it is written."""
    worker, _, kept = start_run()
    write_files(workload, {**PACKAGE, "data/index.html": "<h1>שלום</h1>", "data/404.html": "<h1>Not here</h1>"})
    publish(workload, WrittenItems((SITE,)), storage_folder(worker.name))
    write_files(tmp_path, {"data/storage/dppctl-worker-other/secret.txt": "hush"})
    host, _, below = kept.storage_url.removeprefix("http://").partition("/")

    def asking(path: str, method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], str]:
        connection = http.client.HTTPConnection(host, timeout=20)
        connection.request(method, path if path.startswith("/") else f"/{below}{path}", headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), body

    yield asking
    record.stop(worker)


def test_a_site_is_served_with_its_own_page_for_what_is_not_there(ask: Ask) -> None:
    status, headers, body = ask("")
    assert (status, headers["Content-type"], body) == (200, "text/html; charset=utf-8", "<h1>שלום</h1>")
    assert ask("nothing.html")[::2] == (404, "<h1>Not here</h1>")
    assert ask("nothing.html", "HEAD")[::2] == (404, "")


def test_data_is_served_with_its_type_and_a_listing(ask: Ask) -> None:
    assert ask("committees/datapackage.json")[1]["Content-type"] == "application/json; charset=utf-8"
    status, headers, body = ask("committees/all.csv")
    assert (status, headers["Content-type"], body) == (200, "text/csv; charset=utf-8", "a,b\n1,2\n")
    assert 'href="all.csv"' in ask("committees/")[2]
    assert ask("committees")[0] == 301
    assert ask("committees/all.csv", "HEAD")[::2] == (200, "")


def test_nothing_can_be_changed_over_http(ask: Ask) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert ask("committees/all.csv", method)[0] == 501


def test_no_path_and_no_link_leads_out_of_the_storage(ask: Ask, data: Path, tmp_path: Path) -> None:
    mine = next(folder for folder in (data / "storage").iterdir() if folder.name != "dppctl-worker-other")
    secret = write_files(tmp_path / "secret", {"index.html": "hush"})
    (mine / "link.html").symlink_to(secret / "index.html")
    (mine / "folder").symlink_to(secret)
    (mine / "sub").mkdir()
    (mine / "sub" / "index.htm").symlink_to(secret / "index.html")
    for path in (
        "../dppctl-worker-other/secret.txt",
        "..%2fdppctl-worker-other/secret.txt",
        "%2e%2e/dppctl-worker-other/secret.txt",
        "/dppctl-worker-other/secret.txt",
        "//dppctl-worker-other/secret.txt",
        "/",
        "/etc/passwd",
        "/..%00/etc/passwd",
        "link.html",
        "folder/",
        "folder/index.html",
        "sub/",
        "%00",
    ):
        status, _, body = ask(path)
        assert status == 404, path
        assert "hush" not in body
        assert "root:" not in body


def test_a_page_of_another_host_cannot_read_it(ask: Ask) -> None:
    assert ask("", Host="evil.example:80")[0] == 403
    assert ask("", Host="localhost:80")[0] == 200
