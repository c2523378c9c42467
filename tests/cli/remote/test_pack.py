"""A workload's folder becomes the same bytes for the same files, without what git or the person leaves out."""

import os
import socket
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.errors import InputError
from cli.remote.pack import PackedWorkload, pack
from tests.support.workloads import write_files
from worker.unpack import replace_contents

FILES = {"pipeline-spec.yaml": "a:\n  pipeline: []\n", "steps/load.py": "print()\n", "run.sh": "#!/bin/sh\n"}
NO_LIMIT = 2**30


def packed(folder: Path, notes: list[str] | None = None) -> PackedWorkload:
    return pack(folder, NO_LIMIT, [].append if notes is None else notes.append)


def names(workload: PackedWorkload) -> list[str]:
    workload.file.seek(0)
    with tarfile.open(fileobj=workload.file, mode="r:gz") as archive:
        return archive.getnames()


def test_the_same_files_are_the_same_bytes_and_others_are_not(tmp_path: Path) -> None:
    first, second = write_files(tmp_path / "first", FILES), write_files(tmp_path / "second", FILES)
    for folder in (first, second):
        (folder / "run.sh").chmod(0o755 if folder is first else 0o750)
    os.utime(second / "run.sh", (1, 1))
    before = packed(first)
    assert before.sha256 == packed(second).sha256
    (second / "run.sh").chmod(0o644)
    assert before.sha256 != packed(second).sha256
    assert names(before) == ["pipeline-spec.yaml", "run.sh", "steps", "steps/load.py"]


def test_a_worker_unpacks_it(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "workload", {**FILES, "empty/.gitkeep": "", "\u05d0" * 120 + ".txt": "long"})
    (folder / "run.sh").chmod(0o755)
    workload, unpacked = packed(folder), tmp_path / "unpacked"
    workload.file.seek(0)
    replace_contents(unpacked, workload.file)
    assert {path.relative_to(unpacked) for path in unpacked.rglob("*")} == {
        path.relative_to(folder) for path in folder.rglob("*")
    }
    assert (unpacked / "run.sh").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("files", "there"),
    [
        ({".gitignore": "data/\n*.log\n", "data/a.csv": "", "b.log": "", "c.txt": ""}, [".gitignore", "c.txt"]),
        ({".gitignore": "data/\n", ".dppctlignore": "!data/\n", "data/a": ""}, ["data", "data/a"]),
        ({".dppctlignore": "/a\n", "a": "", "b/a": ""}, ["b", "b/a"]),
        (
            {".gitignore": "*.txt\n", "b/.gitignore": "!keep.txt\n", "b/keep.txt": "", "b/x.txt": ""},
            ["b", "b/keep.txt"],
        ),
        ({".git/config": "", ".dpp/x": "", "a/__pycache__/x.pyc": "", "a/b": ""}, ["a", "a/b"]),
    ],
)
def test_what_is_ignored_is_left_out(tmp_path: Path, files: Mapping[str, str], there: list[str]) -> None:
    found = names(packed(write_files(tmp_path, files)))
    assert [name for name in found if not name.endswith("ignore") or name in there] == there


def test_the_repository_around_a_workload_has_a_say(tmp_path: Path) -> None:
    write_files(tmp_path, {".git/config": "", ".gitignore": "*.csv\n/app/data\n", "app/data/a": "", "app/b.csv": ""})
    (tmp_path / "app" / "c").touch()
    assert names(packed(tmp_path / "app")) == ["c"]


def test_links_are_followed_as_on_this_machine(tmp_path: Path) -> None:
    shared = write_files(tmp_path / "shared", {"common.py": "x = 1\n", "more/deep.py": ""})
    folder = write_files(tmp_path / "workload", {"a/b": ""})
    (folder / "common.py").symlink_to(shared / "common.py")
    (folder / "more").symlink_to(shared / "more")
    (folder / "gone").symlink_to("nowhere")
    (folder / "a" / "up").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "door"))
        notes: list[str] = []
        found = packed(folder, notes)
    assert names(found) == ["a", "a/b", "common.py", "more", "more/deep.py"]
    assert notes == [
        "a/up is left out: it links back to a folder that it is in",
        "door is left out: it is no file, but a socket, pipe or device",
        "gone is left out: it links to what is not there",
    ]


@pytest.mark.parametrize(
    ("files", "uses"),
    [
        ({"pipeline-spec.yaml": "- run: dump.to_sql\n"}, True),
        ({"deep/load.py": "os.environ['DPP_DB_ENGINE']\n"}, True),
        ({"pipeline-spec.yaml": "- run: dump.to_path\n", "README.md": "unlike to_sql\n"}, False),
    ],
)
def test_it_is_seen_whether_the_pipelines_name_a_database(tmp_path: Path, files: Mapping[str, str], uses: bool) -> None:
    assert packed(write_files(tmp_path, files)).uses_database is uses


def test_a_workload_that_is_too_large_is_told_with_its_largest_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 6):
        (tmp_path / f"{number}.bin").write_bytes(os.urandom(number * 100_000))
    with pytest.raises(InputError) as refused:
        pack(tmp_path, 2**20, print)
    assert str(refused.value) == (
        f"{tmp_path} has, packed, more than the 1 MiB that a cluster takes; the largest files: 5.bin (0.5 MiB), "
        "4.bin (0.4 MiB), 3.bin (0.3 MiB); name in .dppctlignore what the pipelines do not need"
    )
    monkeypatch.setattr("cli.remote.pack.MAX_ENTRIES", 4)
    with pytest.raises(InputError, match="has 5 files and folders, and a worker takes 4; name in"):
        packed(tmp_path)
    monkeypatch.setattr("cli.remote.pack.MAX_UNPACKED_BYTES", 2**20)
    monkeypatch.setattr("cli.remote.pack.MAX_ENTRIES", 5)
    with pytest.raises(InputError, match="has, more than the 1 MiB that a cluster takes; the largest files: 5"):
        packed(tmp_path)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, {".dppctlignore": "[\n!\n"})
    with pytest.raises(InputError, match="has a pattern that cannot be read"):
        packed(tmp_path)
