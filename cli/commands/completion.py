"""`dppctl completion`: what a shell has to know to complete dppctl's commands."""

import click
from click.shell_completion import get_completion_class

from cli.documented import command


@command(
    examples="""
    eval "$(dppctl completion bash)"     # in ~/.bashrc
    eval "$(dppctl completion zsh)"      # in ~/.zshrc
    dppctl completion fish | source      # in ~/.config/fish/config.fish
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what SHELL has to know to complete commands, pipelines, apps, environments and pods."""
    from cli.main import dppctl

    # https://click.palletsprojects.com/en/stable/shell-completion/
    made = get_completion_class(shell)
    assert made  # noqa: S101 (click knows these shells)
    click.echo(made(dppctl, {}, "dppctl", "_DPPCTL_COMPLETE").source())
