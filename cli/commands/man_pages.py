"""`dppctl man-pages`: the manual pages, made of the texts of `--help`."""

import shutil
from pathlib import Path

import click

from cli.documented import command


@command(
    "man-pages",
    examples="""
    dppctl man-pages                          # below ~/.local/share/man
    dppctl man-pages /usr/local/share/man     # as root, for everybody
    """,
)
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
def man_pages(folder: Path | None) -> None:
    """Write the manual pages into FOLDER (left out: ~/.local/share/man), so that `man dppctl-run` shows one.

    Do it again after an update: they are of the version that wrote them.
    """
    from importlib.metadata import version

    from cli.main import dppctl
    from cli.man_pages import man_pages as made

    top = folder or Path.home() / ".local/share/man"
    pages = top / "man1"
    pages.mkdir(parents=True, exist_ok=True)
    count = 0
    context = click.Context(dppctl, info_name="dppctl", **dppctl.context_settings)
    for name, page in made(dppctl, context, version("dppctl")):
        (pages / f"{name}.1").write_text(page, encoding="utf-8")
        count += 1
    click.echo(f"Wrote {count} pages to {pages}; `man dppctl-run` shows one")
    if not _is_searched(top):
        hint = f'export MANPATH="{top}:"'
        click.echo(f"man does not look there yet; put this into your shell's own file: {hint}", err=True)


def _is_searched(folder: Path) -> bool:
    """Return whether man finds pages below a folder; also where there is no manpath to ask."""
    from bot.process import ask
    from bot.program_environment import listed_environment
    from cli.limits import VERSION_SECONDS

    if not (program := shutil.which("manpath")):
        return True
    asked = ask([program, "-q"], listed_environment("MANPATH"), VERSION_SECONDS, separate=True)
    searched = [Path(found).resolve() for found in asked.out.strip().split(":")]
    return asked.code != 0 or folder.resolve() in searched
