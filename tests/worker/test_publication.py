"""What a run publishes, and what it never does."""

import io
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.workloads import write_files
from worker.publication import EndedPipeline, Item, Publication, find_written, stage, tar_of

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


def written(
    workload: Path, since: float, folders: Sequence[str] = (".",), ran: Sequence[EndedPipeline] = ()
) -> Publication:
    return find_written(workload, folders, since, ran)


def paths(publication: Publication) -> list[str]:
    return [path for _, path in publication.files()]


def made_before(began: float, *paths: Path) -> None:
    for path in paths:
        os.utime(path, (began - 100, began - 100))


def tar(publication: Publication) -> bytes:
    size, write_to = tar_of(publication)
    content = io.BytesIO()
    write_to(content.write)
    assert len(content.getvalue()) == size
    return content.getvalue()


def test_a_data_package_is_copied_whole(workload: Path, began: float) -> None:
    write_files(workload, {**PACKAGE, "data/committees/more/b.csv": "b\n", "data/other.csv": "not in a package\n"})
    assert list(written(workload, began).items) == [Item("data package", "data/committees", "committees/")]
    assert set(paths(written(workload, began))) == {
        "committees/datapackage.json",
        "committees/all.csv",
        "committees/more/b.csv",
    }


def test_packages_of_an_earlier_run_are_not_published(workload: Path, began: float) -> None:
    write_files(workload, PACKAGE)
    made_before(began, *(workload / name for name in PACKAGE))
    assert written(workload, began).items == ()


def test_a_file_time_in_whole_seconds_is_new_enough(workload: Path, began: float) -> None:
    write_files(workload, PACKAGE)
    os.utime(workload / "data/committees/datapackage.json", (int(began), int(began)))
    assert written(workload, began).items


def test_a_site_is_the_whole_of_data(workload: Path, began: float) -> None:
    write_files(workload, {**PACKAGE, "data/index.html": "<h1>Hello</h1>", "data/ribbons.css": "a {}"})
    assert list(written(workload, began).items) == [
        Item("site", "data/index.html", ""),
        Item("data package", "data/committees", "committees/"),
    ]
    assert set(paths(written(workload, began))) == {
        "index.html",
        "ribbons.css",
        "committees/datapackage.json",
        "committees/all.csv",
    }


def test_a_site_of_which_one_page_is_new_is_published(workload: Path, began: float) -> None:
    write_files(workload, {"data/index.html": "old", "data/list/1.html": "new"})
    made_before(began, workload / "data/index.html")
    assert list(written(workload, began).items) == [Item("site", "data/index.html", "")]
    made_before(began, workload / "data/list/1.html")
    assert written(workload, began).items == ()


def test_what_a_spec_folder_below_wrote_keeps_its_place(workload: Path, began: float) -> None:
    write_files(workload / "budget", PACKAGE)
    write_files(workload, {"data/index.html": "root"})
    found = written(workload, began, ["budget", "", "./budget"])
    assert list(found.items) == [
        Item("data package", "budget/data/committees", "budget/committees/"),
        Item("site", "data/index.html", ""),
    ]
    assert set(paths(found)) == {
        "budget/committees/datapackage.json",
        "budget/committees/all.csv",
        "index.html",
    }


def test_a_package_in_data_itself_is_the_root(workload: Path, began: float) -> None:
    write_files(workload, {"data/datapackage.json": "{}", "data/a.csv": "a\n", "data/sub/datapackage.json": "{}"})
    assert list(written(workload, began).items) == [
        Item("data package", "data", ""),
        Item("data package", "data/sub", "sub/"),
    ]
    assert set(paths(written(workload, began))) == {"datapackage.json", "a.csv", "sub/datapackage.json"}


def test_links_hidden_files_and_pipes_are_left_out(workload: Path, began: float, tmp_path: Path) -> None:
    secret = write_files(tmp_path / "secret", {"key": "hush", "datapackage.json": "{}"})
    write_files(workload, {**PACKAGE, "data/committees/.env": "hush", "data/committees/.git/config": "hush"})
    package = workload / "data" / "committees"
    (package / "key").symlink_to(secret / "key")
    (package / "folder").symlink_to(secret)
    (package / "round").symlink_to(package)
    (package / "missing").symlink_to("nowhere")
    (workload / "data" / "outside").symlink_to(secret)
    os.mkfifo(package / "pipe")
    assert len(written(workload, began).items) == 1
    assert set(paths(written(workload, began))) == {"committees/datapackage.json", "committees/all.csv"}


@pytest.mark.parametrize("linked", ["data", "data/committees/datapackage.json", "data/index.html"])
def test_what_is_only_a_link_is_not_published(linked: str, workload: Path, began: float, tmp_path: Path) -> None:
    elsewhere = write_files(tmp_path / "elsewhere", {**PACKAGE, "data/index.html": "hush"})
    (workload / linked).parent.mkdir(parents=True, exist_ok=True)
    (workload / linked).symlink_to(elsewhere / linked)
    assert written(workload, began).items == ()


def test_a_spec_folder_outside_of_the_workload_is_not_published(workload: Path, began: float, tmp_path: Path) -> None:
    write_files(tmp_path / "elsewhere", PACKAGE)
    assert written(workload, began, ["../elsewhere", str(tmp_path / "elsewhere")]).items == ()


def test_what_a_failed_pipeline_wrote_is_left_out_also_of_a_site(workload: Path, began: float) -> None:
    write_files(workload, {**PACKAGE, "data/index.html": "page", "data/bad/datapackage.json": '{"hash": "1"}'})
    for name, when in (("committees/datapackage.json", 10), ("index.html", 11), ("bad/datapackage.json", 20)):
        os.utime(workload / "data" / name, (began + when + 0.5, began + when + 0.5))
    ran = [EndedPipeline(began, began + 14, True, "1"), EndedPipeline(began + 15, began + 25, False)]
    found = written(workload, began, ran=ran)
    assert [each.source for each in found.items] == ["data/index.html", "data/committees"]
    assert list(found.left_out) == ["data/bad"]
    assert set(paths(found)) == {"index.html", "committees/datapackage.json", "committees/all.csv"}


def test_a_package_of_a_pipeline_that_succeeded_meanwhile_is_known_by_its_hash(workload: Path, began: float) -> None:
    write_files(workload, {"data/a/datapackage.json": '{"hash": "1"}', "data/b/datapackage.json": '{"hash": "2"}'})
    write_files(workload, {"data/c/datapackage.json": "[", "data/index.html": "whose?"})
    ran = [EndedPipeline(began - 1, began + 60, False), EndedPipeline(began - 1, began + 60, True, "1")]
    found = written(workload, began, ran=ran)
    assert [each.source for each in found.items] == ["data/a"]
    assert list(found.left_out) == ["data/index.html", "data/b", "data/c"]
    assert set(paths(found)) == {"a/datapackage.json"}


def test_descriptors_come_after_what_they_describe(workload: Path, began: float) -> None:
    """So whoever copies files one by one shows a data package once all of it is there, and then the site."""
    write_files(workload, {**PACKAGE, "data/a/datapackage.json": "{}", "data/z.css": "", "data/index.html": ""})
    (workload / "data/a/z.csv").touch()
    assert paths(written(workload, began)) == [
        "z.css",
        "a/z.csv",
        "committees/all.csv",
        "a/datapackage.json",
        "committees/datapackage.json",
        "index.html",
    ]


def test_the_tar_has_the_files_whatever_their_names(workload: Path, began: float) -> None:
    odd = {"data/a/datapackage.json": "{}", "data/a/" + "long/" * 60 + "דבר.csv": "a\nרק\n", "data/a/empty": ""}
    write_files(workload, odd)
    (workload / "data/a" / os.fsdecode(b"\xe9.csv")).write_text("latin")
    with tarfile.open(fileobj=io.BytesIO(tar(written(workload, began)))) as found:
        content = {member.name: found.extractfile(member) for member in found if member.isreg()}
        assert {name.encode("utf8", "surrogateescape"): file and file.read() for name, file in content.items()} == {
            b"a/datapackage.json": b"{}",
            ("a/" + "long/" * 60 + "דבר.csv").encode(): "a\nרק\n".encode(),
            b"a/empty": b"",
            b"a/\xe9.csv": b"latin",
        }


def test_a_file_that_became_shorter_or_a_link_ends_the_tar_too_soon(workload: Path, began: float) -> None:
    write_files(workload, PACKAGE)
    size, write_to = tar_of(written(workload, began))
    (workload / "data/committees/all.csv").write_text("")
    content = io.BytesIO()
    with pytest.raises(OSError, match="shorter"):
        write_to(content.write)
    assert len(content.getvalue()) < size
    (workload / "data/committees/all.csv").unlink()
    (workload / "data/committees/all.csv").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        write_to(content.write)


def test_a_publication_is_staged_whole_and_again(workload: Path, began: float, tmp_path: Path) -> None:
    write_files(workload, PACKAGE)
    found, folder = written(workload, began), tmp_path / "publication"
    for _ in range(2):
        stage(found, folder)
    assert json.loads((folder / "items.json").read_text()) == {
        "items": [{"kind": "data package", "source": "data/committees", "path": "committees/"}],
        "left_out": [],
    }
    staged = folder / "files/committees/all.csv"
    assert staged.samefile(workload / "data/committees/all.csv")
    assert sorted(path.name for path in (folder / "files").rglob("*.*")) == ["all.csv", "datapackage.json"]
    stage(Publication(workload), folder)
    assert not list((folder / "files").iterdir())
