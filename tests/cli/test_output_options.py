"""The options that every command has, wherever they stand."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from bot.errors import DppctlError
from cli.main import dppctl, main
from cli.output_options import console, is_quiet, say


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield each command with what is typed for it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def test_every_command_has_them_once() -> None:
    for typed, command in commands(dppctl):
        given = [name for parameter in command.params for name in parameter.opts]
        assert {"--quiet", "--no-color", "--debug"} <= set(given), typed
        assert len(given) == len(set(given)), typed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "pods", "-o", "table"], "No pods; `dppctl run` starts some\n"),
        (["-q", "list", "pods", "-o", "table"], ""),
        (["list", "--quiet", "pods", "-o", "table"], ""),
        (["list", "pods", "-o", "table", "-q"], ""),
        (["list", "pods", "-q"], "[]\n"),  # what a program reads
    ],
)
def test_quiet_is_the_result_alone(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.setenv("DPPCTL_DATA_DIR", str(tmp_path_factory.mktemp("data")))
    assert CliRunner().invoke(dppctl, words).output == said
    assert not is_quiet()


@pytest.mark.parametrize("words", [["--no-color", "list"], ["list", "--no-color"]])
def test_no_color_is_as_no_color_of_the_environment(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    group = dppctl.get_command(click.Context(dppctl), "list")
    assert isinstance(group, click.Group)

    @click.command()
    def painted() -> None:
        console().print("[red]gone[/]")
        say(click.style("gone", "red"))

    find = type(group).get_command
    monkeypatch.setattr(type(group), "get_command", lambda *given: painted if given[2] == "painted" else find(*given))
    monkeypatch.setattr(type(group), "resolve_command", click.Group.resolve_command)
    assert "\x1b" in CliRunner().invoke(dppctl, ["list", "painted"], color=True).output
    assert CliRunner().invoke(dppctl, [*words, "painted"], color=True).output == "gone\ngone\n"


def test_what_somebody_says_moves_nothing_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "the cluster says: \x1b]52;c;ZXZpbA==\x07\x1b[2Jgone\u202e"  # into the clipboard; the screen away

    def fail(**_: object) -> None:
        say(said)
        raise DppctlError(said)

    monkeypatch.setattr("cli.main.dppctl.main", fail)
    with pytest.raises(SystemExit):
        main()
    shown = "the cluster says: ]52;c;ZXZpbA==gone\\u202e\n"
    assert capsys.readouterr() == (shown, f"dppctl: {shown}")
