"""`dppctl list …`: what there is, as JSON. Each thing that can be listed is imported when it is asked for."""

import importlib

import click

COMMANDS = {
    "pods": ("cli.pods:pods", "What runs here, or is kept for a while."),
    "deployments": ("cli.deployments:deployments", "What was deployed, and with what result."),
}


class _Things(click.Group):
    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group("list", cls=_Things)
def list_() -> None:
    """List what there is, as JSON."""
