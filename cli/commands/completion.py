"""`dppctl completion`: what a shell has to know to complete dppctl's commands."""

import click
from click.shell_completion import get_completion_class

_LINES = {
    "bash": 'eval "$(dppctl completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(dppctl completion zsh)"     # in ~/.zshrc',
    "fish": "dppctl completion fish | source    # in ~/.config/fish/config.fish",
}
_HELP = "Print what SHELL has to know to complete commands, pipelines, apps, environments and pods.\n\n\b\n"


@click.command(help=_HELP + "\n".join(_LINES.values()))
@click.argument("shell", type=click.Choice(list(_LINES)))
def completion(shell: str) -> None:
    """Print the script of click's for this shell: https://click.palletsprojects.com/en/stable/shell-completion/."""
    from cli.main import dppctl

    made = get_completion_class(shell)
    assert made  # noqa: S101 (click knows these shells)
    click.echo(made(dppctl, {}, "dppctl", "_DPPCTL_COMPLETE").source())
