"""A group of commands that are imported when they are called, so that `--help` is quick."""

import importlib
from typing import Any

import click


class LazyGroup(click.Group):
    """Knows of each command where it is and what the group's help says of it; imports it on use."""

    def __init__(self, *arguments: Any, places: dict[str, tuple[str, str]], **options: Any) -> None:
        """places: by name, `module:attribute` and the help text, in the order to list them."""
        super().__init__(*arguments, **options)
        self._places = places

    def list_commands(self, _context: click.Context) -> list[str]:
        """Their names."""
        return list(self._places)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """The command of this name, imported now."""
        if name not in self._places:
            return None
        module, _, attribute = self._places[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Their names and texts, with nothing imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._places.items()])
