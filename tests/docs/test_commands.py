"""Every command of a page is run by a test, and every command of ours has the options that a page gives it."""

import ast
import re
import shlex
from functools import cache

import click
import pytest

from benchmarks.__main__ import BENCHMARKS
from cli.main import COMMANDS, dppctl
from tests.support.docs.bindings import NO_COMMANDS, NOT_RUN, RUN_BY
from tests.support.docs.pages import GENERATED, PAGES, ROOT, Command, blocks, commands, text_of

_TYPES = ("types", "starts", "converses")  # of tests.support.docs.shell.Shell


@cache
def typed() -> dict[str, str]:
    """What the tests type, and where."""
    found = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        text = file.read_text()
        if not re.search(rf"\.({'|'.join(_TYPES)})\(", text):
            continue
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            command = node.args[0]
            if node.func.attr in _TYPES and isinstance(command, ast.Constant) and isinstance(command.value, str):
                found[command.value] = f"{file.relative_to(ROOT)}:{node.lineno}"
    return found


def is_run(command: Command) -> bool:
    """In prose its first words are enough: `helm rollback`, where `helm rollback RELEASE` is run."""
    known = {*typed(), *RUN_BY, *NOT_RUN}
    return command.text in known or (command.inline and any(one.startswith(f"{command.text} ") for one in known))


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_run(page: str) -> None:
    missing = [str(one) for one in commands(page) if not is_run(one)]
    assert not missing, "\n".join(["no test types (see tests/support/docs/bindings.py):", *missing])


@pytest.mark.parametrize("page", PAGES)
def test_what_stands_apart_on_a_page_is_commands_or_is_known_to_be_none(page: str) -> None:
    others = [one for one in blocks(page) if not one.is_commands and not one.lines[0].startswith(NO_COMMANDS)]
    assert [f"{page}:{one.line}: {one.lines[0]}" for one in others] == []


def test_nothing_is_run_or_excused_that_no_page_has() -> None:
    there = {one.text for page in PAGES for one in commands(page)}
    for command, where in {**typed(), **dict.fromkeys([*RUN_BY, *NOT_RUN], "tests/support/docs/bindings.py")}.items():
        assert command in there, f"{where}: no page has {command!r}"
    starts = [one.lines[0] for page in PAGES for one in blocks(page)]
    text = "".join(text_of(page) for page in PAGES)
    for beginning in NO_COMMANDS:
        assert f"`{beginning}" in text or any(one.startswith(beginning) for one in starts), beginning


@pytest.mark.parametrize("test", sorted(set(RUN_BY.values())))
def test_the_other_tests_are_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"def {name or 'test_'}" in (ROOT / file).read_text()


def test_the_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {one for text in {*RUN_BY, *NOT_RUN} for one in re.findall(r"\bmake ([a-z]+)", text)}
    assert named <= targets


def test_the_measures_are_there() -> None:
    named = set(re.findall(r"-m benchmarks --only ([\w-]+)", text_of(GENERATED)))
    assert named <= set(BENCHMARKS)


@pytest.mark.parametrize("page", PAGES)
def test_our_commands_have_the_options_of_a_page(page: str) -> None:
    context = click.Context(dppctl)
    for one in commands(page):
        program, *words = [word.strip("[]…") for word in shlex.split(one.text.replace("'", ""))]
        if not program.endswith("dppctl") or not words:
            continue
        assert words[0] in COMMANDS, f"{one}: there is no such command"
        command = dppctl.get_command(context, words[0])
        assert command
        named = {word.partition("=")[0] for word in words[1:] if re.match("--?[a-z]", word)}
        assert named <= options(command), str(one)


def test_options_in_prose_are_there() -> None:
    """`--keep 30m` in the table of docs/run.md."""
    context = click.Context(dppctl)
    ours = {option for name in COMMANDS for option in options(dppctl.get_command(context, name) or dppctl)}
    named = {
        option
        for page in ("docs/run.md", "docs/github.md", "docs/operations.md", "docs/what-is-deployed.md")
        for option in re.findall(r"`(--[a-z-]+)", text_of(page))
    }
    assert named - ours == {"--no-deploy"}  # in a commit's message


def test_every_command_of_ours_is_on_a_page() -> None:
    assert set(COMMANDS) <= {
        one.text.split()[1] for page in PAGES for one in commands(page) if one.text.startswith("dppctl ")
    }


def options(command: click.Command) -> set[str]:
    """Return those of a command, and of what a group has."""
    if isinstance(command, click.Group):
        return {"--help", "-h"}.union(*map(options, command.commands.values()))
    given = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return given | {"--help", "-h"}
