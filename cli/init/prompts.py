"""The questions of `dppctl init`: on the terminal, or answered by flags and `--yes`."""

import click

from cli.errors import InputError


class Questions:
    """Asks a person, or, where nobody is to be asked, takes the default."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes
        self.asked = 0

    def text(self, question: str, flag: str, default: str | None = None) -> str:
        """One line. flag: what answers it in a script. Raises InputError when nobody is there to answer."""
        if self._yes:
            if default is None:
                raise InputError(f"{question}: nobody is asked with --yes; give {flag}")
            return default
        self.asked += 1
        return str(click.prompt(question, default=default)).strip()

    def secret(self, question: str, flag: str) -> str:
        """One line that is not shown."""
        if self._yes:
            raise InputError(f"{question}: nobody is asked with --yes; give {flag}")
        self.asked += 1
        return str(click.prompt(question, hide_input=True)).strip()

    def confirm(self, question: str) -> bool:
        """Enter means yes."""
        if self._yes:
            return True
        self.asked += 1
        return click.confirm(question, default=True)
