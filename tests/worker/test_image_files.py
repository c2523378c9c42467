"""A workload that is what the worker's image has."""

from pathlib import Path

import pytest

from tests.support.workloads import write_files
from worker.unpack import ArchiveError, copy_contents


def test_the_folder_holds_what_the_image_has_and_nothing_of_before(tmp_path: Path) -> None:
    image = write_files(tmp_path / "image", {"pipeline-spec.yaml": "{}", ".hidden/a.py": "1", "rows.py": "2"})
    (image / "link").symlink_to("rows.py")
    work = write_files(tmp_path / "work", {"old.csv": "x", "data/old.csv": "x"})
    copy_contents(work, image)
    assert sorted(path.name for path in work.iterdir()) == [".hidden", "link", "pipeline-spec.yaml", "rows.py"]
    assert (work / "link").is_symlink()
    (work / "rows.py").write_text("3")
    assert (image / "rows.py").read_text() == "2"


def test_what_cannot_be_a_workload_is_refused_and_the_folder_stays(tmp_path: Path) -> None:
    work = write_files(tmp_path / "work", {"old.csv": "x"})
    for source, words in ((Path("/"), "the image has no WORKDIR"), (tmp_path, "is to be a copy of")):
        with pytest.raises(ArchiveError, match=words):
            copy_contents(work, source)
    with pytest.raises(OSError, match="nowhere"):
        copy_contents(work, tmp_path / "nowhere")
    assert [path.name for path in work.iterdir()] == ["old.csv"]
