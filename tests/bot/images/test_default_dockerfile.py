"""The Dockerfile that stands in for one that an app does not have."""

import os
from pathlib import Path

import pytest

from bot.images.builders.interface import BuildError
from bot.images.default_dockerfile import default_dockerfile
from bot.images.runtime import runtime_context
from tests.support.environment import REPOSITORY
from tests.support.workloads import write_files


def test_an_app_without_requirements_is_its_files_on_the_runtime(tmp_path: Path) -> None:
    assert default_dockerfile("example.org/runtime", tmp_path) == (
        "FROM example.org/runtime\nCOPY --chown=1000:1000 . ./\n"
    )


@pytest.mark.parametrize(
    "requirements",
    [
        "pandas",
        "pandas==2.1.0\n# a comment\n\nlxml>=4 # another\n",
        "a[b,c] ~= 1.0 ; python_version > '3'",
        "pandas==2 \\\n --hash=sha256:00",
        "--index-url https://example.org/simple\npandas",
    ],
)
def test_requirements_of_an_index_are_installed_before_the_files_are_there(tmp_path: Path, requirements: str) -> None:
    text = default_dockerfile("example.org/runtime", write_files(tmp_path, {"requirements.txt": requirements}))
    assert text.index("-r requirements.txt") < text.index("COPY --chown=1000:1000 . ./")
    assert "--refresh" not in text
    assert text.endswith("USER 1000:1000\n")


@pytest.mark.parametrize(
    "requirements", ["-r more.txt", "pandas\n-e .", "./package", "name @ file:package", "package.tar.gz"]
)
def test_requirements_that_lead_to_files_are_installed_when_those_are_there(tmp_path: Path, requirements: str) -> None:
    app = {"requirements.txt": requirements, "more.txt": "", "package/setup.py": "", "package.tar.gz": ""}
    text = default_dockerfile("example.org/runtime", write_files(tmp_path, app))
    assert text.index("-r requirements.txt") > text.index("COPY --chown=1000:1000 . ./")
    assert "--refresh" in text, "uv's cache is shared by builds and does not see what changed in a folder"
    assert text.endswith("USER 1000:1000\n")


def test_requirements_that_an_image_cannot_have_are_refused_with_their_line(tmp_path: Path) -> None:
    write_files(tmp_path, {"requirements.txt": "pandas\n-e ../lib\n"})
    with pytest.raises(BuildError, match=r"^requirements.txt:2: ../lib leads out of the workload's folder"):
        default_dockerfile("example.org/runtime", tmp_path)


def test_the_runtime_is_built_from_the_lock_that_runs_use_here(tmp_path: Path) -> None:
    lock = REPOSITORY / "cluster" / "local" / "dpp"
    dockerfile = runtime_context(tmp_path / "context", lock)
    assert dockerfile.read_bytes() == (REPOSITORY / "images" / "runtime" / "Dockerfile").read_bytes()
    for name in ("requirements.txt", "overrides.txt", "uv.txt"):
        assert (dockerfile.parent / name).read_bytes() == (lock / name).read_bytes()
    assert (dockerfile.parent / "uv.txt").read_text().strip() in (REPOSITORY / "requirements.txt").read_text()


def test_the_runtime_images_files_can_be_read_whatever_umask_the_bot_has(tmp_path: Path) -> None:
    lock = REPOSITORY / "cluster" / "local" / "dpp"
    before = os.umask(0o077)
    try:
        context = runtime_context(tmp_path / "context", lock).parent
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in context.iterdir()} == {0o644}
    assert context.stat().st_mode & 0o777 == 0o755
