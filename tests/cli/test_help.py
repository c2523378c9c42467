"""Help has examples that can be typed, on a terminal of 80 columns, and manual pages say the same."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.documented import Documented
from cli.main import COMMANDS, SECTIONS, dppctl

COLUMNS = 80
HEAVY = {  # packages that take more to import than all that help needs
    "aiohttp", "alembic", "apprise", "authlib", "cryptography", "email", "flask", "git", "github", "gunicorn", "jinja2",
    "keyring", "kubernetes", "pydantic", "requests", "rich", "ruamel", "sqlalchemy", "structlog", "urllib3", "yaml",
}  # fmt: skip


def commands(context: click.Context) -> Iterator[click.Context]:
    """Yield all of ours, each with those that lead to it."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            found = context.command.get_command(context, name)
            assert found
            yield from commands(click.Context(found, info_name=name, parent=context))


EVERY = list(commands(click.Context(dppctl, info_name="dppctl", **dppctl.context_settings)))


def typed(example: str) -> list[str]:
    """Return the words that dppctl gets from a shell, without comment, pipes and redirections."""
    bare = example.replace('eval "$(', "").replace(')"', " ") if example.startswith("eval") else example
    lexer = shlex.shlex(bare, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((number for number, word in enumerate(words) if word in ("|", "<", ">")), len(words))
    return words[:end]


def parsed(words: list[str]) -> click.Context:
    """Return the context of the command that words name. Raises click.UsageError; files need not be there."""
    context = EVERY[0]
    while isinstance(context.command, click.Group) and words and not words[0].startswith("-"):
        name, command, words = context.command.resolve_command(context, words)
        assert command
        context = click.Context(command, info_name=name, parent=context)
    given, rest, _ = context.command.make_parser(context).parse_args(words)
    if "help" not in given:
        for parameter in context.command.params:
            if not isinstance(parameter.type, click.Path):
                parameter.process_value(context, given.get(str(parameter.name)))
    assert rest == []
    return context


def test_every_command_has_examples_that_can_be_typed() -> None:
    for context in EVERY:
        command = context.command
        assert isinstance(command, Documented), context.command_path
        assert 1 <= len(command.examples) <= 4, context.command_path
        for example in command.examples:
            found = parsed(typed(example)[1:])
            assert f"dppctl {' '.join(typed(example)[1:])}".startswith(found.command_path)
            assert found.command_path.startswith(context.command_path)


def test_what_is_no_option_or_value_is_noticed() -> None:
    for example in ("dppctl run --clusta x", "dppctl completion tcsh", "dppctl rollback ann/data", "dppctl rnu"):
        with pytest.raises(click.UsageError):
            parsed(typed(example)[1:])


def test_help_fits_in_a_terminal_and_ends_with_the_examples() -> None:
    for context in EVERY:
        command = context.command
        assert isinstance(command, Documented)
        done = CliRunner().invoke(dppctl, [*context.command_path.split()[1:], "--help"], terminal_width=COLUMNS)
        lines = done.output.splitlines()
        assert lines[-len(command.examples) - 1 :] == ["Examples:", *(f"  {line}" for line in command.examples)]
        assert [line for line in lines if len(line) > COLUMNS] == []


def test_many_options_stand_under_headings_and_each_is_there() -> None:
    for context in EVERY:
        command = context.command
        assert isinstance(command, Documented)
        flags = [flag for option in command.params for flag in option.opts]
        named = " ".join(command.headings.values()).split()
        assert [flag for flag in named if flag not in flags or named.count(flag) > 1] == []
        options = [option for option in command.params if isinstance(option, click.Option) and option.expose_value]
        assert command.headings or len(options) <= 9, context.command_path


def test_every_command_stands_in_one_section() -> None:
    assert sorted(" ".join(SECTIONS.values()).split()) == sorted(COMMANDS)


def test_help_and_a_run_here_import_nothing_heavy() -> None:
    names = {context.command.callback.__module__ for context in EVERY}
    names |= {"cli.run.local_run", "cli.run.workload", "cluster.local.sessions.supervisor_process"}
    code = f"import sys, {', '.join(sorted(names))}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY & set(loaded) == set()


@pytest.mark.needs("groff")
def test_every_command_has_a_manual_page_that_groff_has_nothing_to_say_of(tmp_path: Path) -> None:
    done = CliRunner().invoke(dppctl, ["man-pages", str(tmp_path)])
    assert f"Wrote {len(EVERY)} pages to {tmp_path}/man1" in done.output
    pages = sorted((tmp_path / "man1").iterdir())
    assert {page.name for page in pages} == {f"{one.command_path.replace(' ', '-')}.1" for one in EVERY}
    command = ["groff", "-Kutf8", "-man", "-ww", "-Tutf8", "-P-cbou"]
    shown = {}
    for page in pages:
        ran = subprocess.run([*command, str(page)], capture_output=True, text=True, check=True)
        assert ran.stderr == ""
        shown[page.name] = ran.stdout
    run = shown["dppctl-run.1"]
    assert "dppctl run --cluster office ./dump-to-db    # on a cluster: dppctl login" in run
    assert "--workload" in run
    assert "-h, --help" in run
    assert "dppctl-list-pods(1)" in shown["dppctl-list.1"]
