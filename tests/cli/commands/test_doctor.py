"""`dppctl doctor`: it says what is there, and what it costs to lack the rest."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.support.command import Dppctl


def only(tmp_path: Path, *commands: str) -> str:
    """A PATH with these commands and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for command in commands:
        (folder / command).write_text("#!/bin/sh\necho version 2.40.3\n")
        (folder / command).chmod(0o755)
    return str(folder)


@pytest.mark.needs("buildah", "runc")
def test_each_component_is_listed_with_its_version_and_place(dppctl: Dppctl, tmp_path: Path) -> None:
    """Among the builders, one that works is told from one that does not."""
    done = dppctl("doctor", KUBECONFIG=str(tmp_path / "none"), DOCKER_HOST="unix:///none")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for name in ("Python", "git", "uv", "dpp", "Datasette"):
        assert any(line.startswith(f"found    {name}: ") for line in lines), name
    assert "found    free disk for data: " in done.stdout
    assert str(dppctl.data) in done.stdout
    assert re.search(
        r"^found    builder buildah: \d[\d.]+, isolation \w+, network \w+, a root of its own\b",
        done.stdout,
        re.MULTILINE,
    )
    assert "missing  builder docker (" in done.stdout
    assert "missing  builder buildkit (no cluster is configured: " in done.stdout
    assert "apps with a Dockerfile need one of the builders. To get it: install docker" in done.stdout


def test_what_is_missing_has_a_price_and_a_way_to_get_it(dppctl: Dppctl, tmp_path: Path) -> None:
    done = dppctl("doctor", PATH=only(tmp_path, "git"))
    assert done.returncode == 0
    assert "found    git: 2.40.3, " in done.stdout
    assert "missing  psql: no shell on PostgreSQL databases. To get it: install postgresql-client" in done.stdout
    assert "missing  Adminer: no web pages for PostgreSQL databases; psql works. To get it: " in done.stdout


def test_without_something_required_it_fails(dppctl: Dppctl, tmp_path: Path) -> None:
    done = dppctl("doctor", PATH=only(tmp_path))
    assert done.returncode == 1
    assert "missing  git: no deployments, no ops repo. To get it: install it" in done.stdout


def test_an_empty_cache_is_no_problem(dppctl: Dppctl, tmp_path: Path) -> None:
    done = dppctl("doctor", PATH=only(tmp_path, "git"), DPPCTL_CACHE_DIR=str(tmp_path / "nothing" / "here"))
    assert done.returncode == 0
    assert "missing  dpp: the first run makes it" in done.stdout
    assert not (tmp_path / "nothing").exists()


def test_programs_can_read_it(dppctl: Dppctl, tmp_path: Path) -> None:
    parts = json.loads(dppctl("doctor", "--output", "json", PATH=only(tmp_path, "git")).stdout)
    git = next(part for part in parts if part["name"] == "git")
    assert git == {
        "name": "git",
        "found": True,
        "what": f"2.40.3, {tmp_path}{os.sep}bin{os.sep}git",
        "without": "no deployments, no ops repo",
        "get": "",
        "required": True,
    }
