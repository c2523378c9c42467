"""The options that every command has, before its name or after it: --quiet, --no-color and --debug; and what they mean.

What is said for people goes through `say`; a result, or an error, does not. They are kept with click's context, which
a command in a test's process leaves behind as it found it.
"""

from typing import TYPE_CHECKING, Any

import click

from bot.output import for_terminal
from cli.documented import DocumentedGroup

if TYPE_CHECKING:
    from rich.console import Console

_QUIET, _NO_COLOR = "dppctl.quiet", "dppctl.no_color"


def _keep(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given and parameter.name == "quiet":
        context.meta[_QUIET] = True
    elif given and parameter.name == "no_color":
        context.meta[_NO_COLOR] = True
        context.color = False


def _options() -> list[click.Parameter]:
    kept: dict[str, Any] = {"is_flag": True, "expose_value": False, "is_eager": True, "callback": _keep}
    return [
        click.Option(["-q", "--quiet"], help="Print the result and errors only.", **kept),
        click.Option(["--no-color"], help="Use no colors, as with NO_COLOR.", **kept),
        click.Option(["--debug"], help="Show the traceback of an error.", **kept),
    ]


def add_output_options(command: click.Command) -> click.Command:
    """Return the command with these options, and with them all that are below it; those that it has stay its own."""
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    command.params += [option for option in _options() if not known.intersection(option.opts)]
    if type(command) is DocumentedGroup:  # a LazyGroup does so itself, when one is called
        for below in command.commands.values():
            add_output_options(below)
    return command


def is_quiet() -> bool:
    """Return whether only the result and errors are wanted."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(_QUIET))


def say(line: str, *, err: bool = False) -> None:
    """Print a line for people, which is neither a result nor an error, unless they want quiet."""
    if not is_quiet():
        click.echo(for_terminal(line), err=err)


def note(line: str) -> None:
    """Say it on stderr, beside a result that a program may read."""
    say(line, err=True)


def console(*, stderr: bool = False, width: int | None = None) -> "Console":
    """Return rich's console, which knows NO_COLOR, FORCE_COLOR and the terminal; without colors by --no-color."""
    from rich.console import Console

    context = click.get_current_context(silent=True)
    no_color = bool(context and context.meta.get(_NO_COLOR))
    return Console(stderr=stderr, width=width, highlight=False, no_color=no_color or None)
