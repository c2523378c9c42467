"""The questions of `dppctl init`: on the terminal, or answered by flags and `--yes`."""

import click

from cli.errors import InputError


class Questions:
    """Asks a person, or, with --yes, takes the default."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def text(self, question: str, flag: str, default: str | None = None) -> str:
        """Ask for a line of text. Raises InputError for --yes without a default; `flag` answers it in a script."""
        if self._yes:
            if default is None:
                raise InputError(f"{question}: nobody is asked with --yes; give {flag}")
            return default
        return str(click.prompt(question, default=default)).strip()

    def secret(self, question: str, flag: str) -> str:
        """Ask for a line that is not shown. Raises InputError for --yes."""
        if self._yes:
            raise InputError(f"{question}: nobody is asked with --yes; give {flag}")
        return str(click.prompt(question, hide_input=True)).strip()

    def confirm(self, question: str) -> bool:
        """Ask for yes or no; Enter means yes."""
        if self._yes:
            return True
        return click.confirm(question, default=True)
