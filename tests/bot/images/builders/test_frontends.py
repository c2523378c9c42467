"""A Dockerfile has no program but BuildKit's own read it, unless that was allowed."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.images.builders.buildkit.builder import BuildKit
from bot.images.builders.buildkit.job import Cluster
from bot.images.builders.docker import Docker
from bot.images.builders.frontends import check_frontend
from bot.images.builders.interface import BuildError, Order
from tests.support.builders import built

EVIL = "evil.example.org/frontend:1"


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(tmp_path, tmp_path / "Dockerfile", "localhost/x:1")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"# syntax={EVIL}\nFROM scratch\n", 1),
        (f"#Syntax = {EVIL} \r\nFROM scratch\n", 1),
        (f"\ufeff# escape=`\n# check=skip=all\n# syntax={EVIL}\nFROM scratch\n", 3),
        (f"#!/usr/bin/env docker\n\n// syntax={EVIL}\nFROM scratch\n", 3),
        (f'{{"syntax": "{EVIL}"}}\nFROM scratch\n', 1),
        (f'{{"x": 1, "s\\u0079ntax": "{EVIL}"}}', 1),
        (f'#!/bin/x\n{{"syntax": "docker/dockerfile:1", "x": {"9" * 5_000}, "syntax": "{EVIL}"}}', 1),
        (f"#\fsyntax={EVIL}\nFROM scratch\n", 1),
        (f"# check=skip=all\n#\u2028\u00a0syntax={EVIL}\nFROM scratch\n", 2),
    ],
)
def test_a_frontend_is_refused_unless_it_is_allowed(order: Order, text: str, line: int) -> None:
    with pytest.raises(
        BuildError, match=rf"^Dockerfile:{line}: syntax={EVIL} .*DPPCTL_DOCKERFILE_FRONTENDS name {EVIL}$"
    ):
        check_frontend(order, text, {"docker/dockerfile:1"})
    check_frontend(order, text, {EVIL, "docker/dockerfile:1"})


def test_so_is_json_that_is_too_deep_to_be_looked_at(order: Order) -> None:
    with pytest.raises(BuildError, match="JSON of too many levels"):
        check_frontend(order, '{"x": ' + "[" * 9_000 + "]" * 9_000 + f', "syntax": "{EVIL}"}}', ())


def test_what_names_none_is_left_alone(order: Order) -> None:
    check_frontend(order, f"# the syntax of a file\nFROM scratch\n# syntax={EVIL}\nRUN echo syntax={EVIL}\n", ())


@pytest.mark.parametrize("name", ["BUILDKIT_SYNTAX", "BUILDKIT_CACHE_MOUNT_NS"])
def test_a_build_argument_names_none_either(order: Order, name: str) -> None:
    order.dockerfile.write_text("FROM scratch\n")
    asked = replace(order, arguments={name: EVIL})
    for builder in (Docker(), BuildKit(Cluster())):
        with pytest.raises(BuildError, match=rf"^.dppctl.yaml: build: arguments: {name}: it steers the builder"):
            built(builder, asked)
    check_frontend(replace(order, arguments={"BUILDKIT_SYNTAX": EVIL}), "", {EVIL})
