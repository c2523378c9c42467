"""A group of commands that are imported when they are called, so that `--help` is quick."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click

from cli.documented import DocumentedGroup
from cli.output_options import add_output_options


class LazyGroup(DocumentedGroup):
    """Knows of each command its module and what the group's help says of it; imports it on use."""

    def __init__(
        self,
        *arguments: Any,
        commands_by_name: Mapping[str, tuple[str, str]],
        sections: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Take `module:attribute` and the help text of each command by its name.

        sections: headings, each with the names of its commands in one text; left out: all are below one.
        """
        super().__init__(*arguments, **options)
        self._commands = commands_by_name
        self.sections = sections or {"Commands": " ".join(commands_by_name)}

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return their names."""
        return list(self._commands)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Return the command of this name, imported now; None: there is none."""
        if name not in self._commands:
            return None
        module, _, attribute = self._commands[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return add_output_options(command)

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the words begin with. Raises click.UsageError, with what was probably meant."""
        name = words[0]
        begun = [known for known in self._commands if known.startswith(name)]
        near = begun or difflib.get_close_matches(name, self._commands, n=3)
        if name not in self._commands and not name.startswith("-"):
            meant = f"did you mean {' or '.join(near)}?" if near else f"{context.command_path} --help lists them"
            context.fail(f"there is no command {name!r}; {meant}")
        return super().resolve_command(context, words)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write their names and texts, with nothing imported."""
        for heading, names in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self._commands[name][1]) for name in names.split()])
