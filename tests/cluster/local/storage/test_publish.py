"""What a run publishes, and what it never does."""

import http.client
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.local.sessions import record
from cluster.local.storage.publish import Published, Ran, storage_folder
from cluster.local.storage.publish import publish as publish_unless_failed
from tests.support.sessions import StartRun
from tests.support.workloads import write_files

PACKAGE = {"data/committees/datapackage.json": '{"name": "_"}', "data/committees/all.csv": "a,b\n1,2\n"}


@pytest.fixture
def began(tmp_path: Path) -> float:
    """When the run began, by the clock of the file system."""
    (tmp_path / "clock").touch()
    return (tmp_path / "clock").stat().st_mtime


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    (tmp_path / "workload").mkdir()
    return tmp_path / "workload"


@pytest.fixture
def target(data: Path) -> Path:
    return data / "storage" / "dppctl-worker-x"


def publish(workload: Path, spec_folders: Sequence[Path], since: float, target: Path) -> list[Published]:
    return publish_unless_failed(workload, spec_folders, since, target)[0]


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def made_before(began: float, *paths: Path) -> None:
    for path in paths:
        os.utime(path, (began - 100, began - 100))


def test_a_data_package_is_copied_whole(workload: Path, began: float, target: Path) -> None:
    write_files(workload, {**PACKAGE, "data/committees/more/b.csv": "b\n", "data/other.csv": "not in a package\n"})
    assert publish(workload, [workload], began, target) == [Published("data package", "data/committees", "committees/")]
    assert set(files(target)) == {"committees/datapackage.json", "committees/all.csv", "committees/more/b.csv"}


def test_packages_of_an_earlier_run_are_not_published(workload: Path, began: float, target: Path) -> None:
    write_files(workload, PACKAGE)
    made_before(began, *(workload / name for name in PACKAGE))
    assert publish(workload, [workload], began, target) == []
    assert not target.exists()


def test_a_file_time_in_whole_seconds_is_new_enough(workload: Path, began: float, target: Path) -> None:
    write_files(workload, PACKAGE)
    os.utime(workload / "data/committees/datapackage.json", (int(began), int(began)))
    assert publish(workload, [workload], began, target)


def test_a_site_is_the_whole_of_data(workload: Path, began: float, target: Path) -> None:
    write_files(workload, {**PACKAGE, "data/index.html": "<h1>Hello</h1>", "data/ribbons.css": "a {}"})
    assert publish(workload, [workload], began, target) == [
        Published("site", "data/index.html", ""),
        Published("data package", "data/committees", "committees/"),
    ]
    assert set(files(target)) == {"index.html", "ribbons.css", "committees/datapackage.json", "committees/all.csv"}


def test_a_site_of_which_one_page_is_new_is_published(workload: Path, began: float, target: Path) -> None:
    write_files(workload, {"data/index.html": "old", "data/list/1.html": "new"})
    made_before(began, workload / "data/index.html")
    assert publish(workload, [workload], began, target) == [Published("site", "data/index.html", "")]
    made_before(began, workload / "data/list/1.html")
    assert publish(workload, [workload], began, target) == []


def test_what_a_spec_folder_below_wrote_keeps_its_place(workload: Path, began: float, target: Path) -> None:
    write_files(workload / "budget", PACKAGE)
    write_files(workload, {"data/index.html": "root"})
    assert publish(workload, [workload / "budget", Path(), Path("budget")], began, target) == [
        Published("data package", "budget/data/committees", "budget/committees/"),
        Published("site", "data/index.html", ""),
    ]
    assert set(files(target)) == {
        "budget/committees/datapackage.json",
        "budget/committees/all.csv",
        "index.html",
    }


def test_a_package_in_data_itself_is_the_root(workload: Path, began: float, target: Path) -> None:
    write_files(workload, {"data/datapackage.json": "{}", "data/a.csv": "a\n", "data/sub/datapackage.json": "{}"})
    assert publish(workload, [workload], began, target) == [
        Published("data package", "data", ""),
        Published("data package", "data/sub", "sub/"),
    ]
    assert set(files(target)) == {"datapackage.json", "a.csv", "sub/datapackage.json"}


def test_links_hidden_files_and_pipes_are_left_out(workload: Path, began: float, target: Path, tmp_path: Path) -> None:
    secret = write_files(tmp_path / "secret", {"key": "hush", "datapackage.json": "{}"})
    write_files(workload, {**PACKAGE, "data/committees/.env": "hush", "data/committees/.git/config": "hush"})
    package = workload / "data" / "committees"
    (package / "key").symlink_to(secret / "key")
    (package / "folder").symlink_to(secret)
    (package / "round").symlink_to(package)
    (package / "missing").symlink_to("nowhere")
    (workload / "data" / "outside").symlink_to(secret)
    os.mkfifo(package / "pipe")
    assert len(publish(workload, [workload], began, target)) == 1
    assert set(files(target)) == {"committees/datapackage.json", "committees/all.csv"}


@pytest.mark.parametrize("linked", ["data", "data/committees/datapackage.json", "data/index.html"])
def test_what_is_only_a_link_is_not_published(
    linked: str, workload: Path, began: float, target: Path, tmp_path: Path
) -> None:
    elsewhere = write_files(tmp_path / "elsewhere", {**PACKAGE, "data/index.html": "hush"})
    (workload / linked).parent.mkdir(parents=True, exist_ok=True)
    (workload / linked).symlink_to(elsewhere / linked)
    assert publish(workload, [workload], began, target) == []


def test_a_spec_folder_outside_of_the_workload_is_not_published(
    workload: Path, began: float, target: Path, tmp_path: Path
) -> None:
    write_files(tmp_path / "elsewhere", PACKAGE)
    assert publish(workload, [Path("../elsewhere"), tmp_path / "elsewhere"], began, target) == []


def test_publishing_again_replaces_what_was_there(workload: Path, began: float, target: Path) -> None:
    write_files(workload, PACKAGE)
    publish(workload, [workload], began, target)
    write_files(workload, {"data/committees/all.csv": "changed\n"})
    assert files(target)["committees/all.csv"] == "a,b\n1,2\n", "the copy is a copy"
    (workload / "data/committees/more.csv").touch()
    publish(workload, [workload], began, target)
    assert files(target)["committees/all.csv"] == "changed\n"
    assert [folder.name for folder in target.parent.iterdir()] == [target.name]


def test_a_storage_that_cannot_be_written_is_one_line_and_leaves_nothing(
    workload: Path, began: float, data: Path
) -> None:
    write_files(workload, PACKAGE)
    data.mkdir()
    (data / "storage").touch()
    with pytest.raises(ClusterError, match=r"cannot publish to .*/storage/dppctl-worker-x: "):
        publish(workload, [workload], began, storage_folder("dppctl-worker-x"))


def test_what_a_failed_pipeline_wrote_is_left_out_also_of_a_site(workload: Path, began: float, target: Path) -> None:
    write_files(workload, {**PACKAGE, "data/index.html": "page", "data/bad/datapackage.json": '{"hash": "1"}'})
    for name, when in (("committees/datapackage.json", 10), ("index.html", 11), ("bad/datapackage.json", 20)):
        os.utime(workload / "data" / name, (began + when + 0.5, began + when + 0.5))
    ran = [Ran(began, began + 14, True, "1"), Ran(began + 15, began + 25, False)]
    found, left_out = publish_unless_failed(workload, [workload], began, target, ran)
    assert [each.source for each in found] == ["data/index.html", "data/committees"]
    assert left_out == ["data/bad"]
    assert set(files(target)) == {"index.html", "committees/datapackage.json", "committees/all.csv"}


def test_a_package_of_a_pipeline_that_succeeded_meanwhile_is_known_by_its_hash(
    workload: Path, began: float, target: Path
) -> None:
    write_files(workload, {"data/a/datapackage.json": '{"hash": "1"}', "data/b/datapackage.json": '{"hash": "2"}'})
    write_files(workload, {"data/c/datapackage.json": "[", "data/index.html": "whose?"})
    ran = [Ran(began - 1, began + 60, False), Ran(began - 1, began + 60, True, "1")]
    found, left_out = publish_unless_failed(workload, [workload], began, target, ran)
    assert [each.source for each in found] == ["data/a"]
    assert left_out == ["data/index.html", "data/b", "data/c"]
    assert set(files(target)) == {"a/datapackage.json"}


Ask = Callable[..., tuple[int, Mapping[str, str], str]]


@pytest.fixture
def ask(start_run: StartRun, workload: Path, tmp_path: Path) -> Iterator[Ask]:
    """Asks the supervisor of a run for a path below the worker's folder, exactly as it is written."""
    worker, _, kept = start_run()
    write_files(workload, {**PACKAGE, "data/index.html": "<h1>שלום</h1>", "data/404.html": "<h1>Not here</h1>"})
    publish(workload, [workload], time.time() - 10, storage_folder(worker.name))
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
