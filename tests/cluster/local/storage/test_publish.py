"""What a run publishes, and what it never does."""

import os
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.local.storage.publish import publish, storage_folder
from cluster.storage.written import WrittenItem, WrittenItems
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
