"""Every command of ours that a page names is there, with the options that the page gives it."""

import re
import shlex
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS, dppctl

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "charts/*/README.md", "ops_repo_template/**/*.md", "examples/*/README.md")
    for page in ROOT.glob(pattern)
)
_INLINE = re.compile(r"`dppctl ([^`]+)`")
_BLOCK = re.compile(r"^ {4}(?:\$ )?(?:\.venv/bin/)?dppctl ([a-z].*)$", re.MULTILINE)


def commands(text: str) -> list[str]:
    """What is behind `dppctl` in a page, without comments."""
    return [re.split(r"\s#\s| \| | > ", one)[0] for one in _INLINE.findall(text) + _BLOCK.findall(text)]


def options(command: click.Command) -> set[str]:
    given = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return given | {"--help", "-h"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_are_there(page: Path) -> None:
    context = click.Context(dppctl)
    for text in commands(page.read_text()):
        words = [word.strip("[]…") for word in shlex.split(text.replace("'", ""))]
        if words[0].startswith("-"):
            assert set(words) <= options(dppctl), text
            continue
        assert words[0] in COMMANDS, f"`dppctl {text}`: there is no such command"
        command = dppctl.get_command(context, words[0])
        assert command
        named = {word.partition("=")[0] for word in words[1:] if re.match("--?[a-z]", word)}
        assert named <= options(command), f"`dppctl {text}`"


def test_every_command_is_on_a_page() -> None:
    named = {text.split()[0] for page in PAGES for text in commands(page.read_text())}
    assert set(COMMANDS) <= named
