"""Which builder is taken, and what is said about the others."""

import os
from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.choose import BUILDERS, NAMES, NoBuilder, Options, choose, probe
from bot.images.builders.interface import BuildError, Order
from tests.support.builders import built
from tests.support.environment import use_kubeconfig


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """A machine without any builder."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    use_kubeconfig(monkeypatch, str(tmp_path / "kubeconfig"))
    return Options(tmp_path / "state")


def test_the_first_that_works_is_taken(state: Path) -> None:
    said: list[str] = []
    assert isinstance(choose("auto", Options(state.parent), said.append), Buildah)
    assert len(said) == 1
    assert said[0].startswith("builder: buildah 1.")


def test_docker_is_taken_when_buildah_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of a few lines stands in for docker, of which only the choice is tried."""
    (tmp_path / "docker").write_text('#!/bin/sh\ncase "$1" in version) echo 27.1.2;; *) echo buildx v0.16.1;; esac\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    (tmp_path / "sh").symlink_to("/bin/sh")
    said: list[str] = []
    choose("auto", Options(tmp_path / "state"), said.append)
    assert said == ["builder: docker 27.1.2, buildx 0.16.1; not buildah: No such file or directory"]


def test_without_any_an_app_with_a_dockerfile_is_refused_and_says_why(nothing: Options, tmp_path: Path) -> None:
    order = Order(context=tmp_path, dockerfile=tmp_path / "Dockerfile", destination="localhost/app:1")
    said: list[str] = []
    builder = choose("auto", nothing, said.append)
    assert said[0].startswith("builder: none works, so apps with a Dockerfile are refused; buildah: No such file")
    with pytest.raises(BuildError, match=r"no builder works here \(buildah: No such .*; docker: .*`dppctl doctor`"):
        built(builder, order)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_named_builder_that_does_not_work_is_an_error(nothing: Options, name: str) -> None:
    with pytest.raises(DppctlError, match=rf"^DPPCTL_BUILDER={name}: it does not work here: .*\. To get it: "):
        choose(name, nothing, print)


def test_none_builds_nothing(nothing: Options) -> None:
    assert isinstance(choose("none", nothing, print), NoBuilder)


def test_an_unknown_name_is_an_error_that_lists_the_known_ones(nothing: Options) -> None:
    with pytest.raises(DppctlError, match=r"'kaniko' is none of auto, buildah, docker, buildkit, none$"):
        choose("kaniko", nothing, print)
    assert NAMES[0] == "auto"


def test_every_builder_is_probed(nothing: Options) -> None:
    found = probe(nothing)
    assert [one.name for one in found] == list(BUILDERS)
    assert not any(one.works for one in found)
    assert all(one.what and one.get for one in found)
