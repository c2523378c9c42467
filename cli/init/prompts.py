"""The questions of `dppctl init`: on the terminal, or answered by flags and `--yes`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from cli.errors import InputError


class Questions:
    """Asks a person, or, with --yes, takes the default."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    @property
    def is_silent(self) -> bool:
        """Return whether nobody is asked."""
        return self._yes

    def note(self, line: str) -> None:
        """Say something that a person needs to know for the next question; nobody is told with --yes."""
        if not self._yes:
            click.echo(line)

    def text(self, question: str, flag: str, default: str | None = None) -> str:
        """Ask for a line of text. Raises InputError for --yes without a default; `flag` answers it in a script."""
        if self._yes:
            if default is None:
                raise InputError(f"{question}: nobody is asked with --yes; give {flag}")
            return default
        with _answered(question, flag):
            return str(click.prompt(question, default=default)).strip()

    def secret(self, question: str, flag: str) -> str:
        """Ask for a line that is not shown. Raises InputError for --yes."""
        if self._yes:
            raise InputError(f"{question}: nobody is asked with --yes; give {flag}")
        with _answered(question, flag):
            return str(click.prompt(question, hide_input=True)).strip()

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """Ask for yes or no; `default`: what Enter means. Raises InputError where nobody can be asked."""
        if self._yes:
            return True
        with _answered(question, "--yes"):
            return click.confirm(question, default=default)


@contextmanager
def _answered(question: str, flag: str) -> Iterator[None]:
    """Raise InputError when the answer is the end of the input, as in a script; at a terminal it is Ctrl-C."""
    try:
        yield
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise InputError(f"{question}: nobody answers; give {flag}") from None
