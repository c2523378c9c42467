"""`dppctl doctor`: what of this machine is there, what is missing, what that costs and how to get it."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from cli.documented import command
from cli.limits import LOW_DISK_BYTES
from cli.listing import yaml_text
from cli.output_options import console, is_quiet
from cli.prerequisites.machine import git, program_version, python, uv, uv_program
from cli.prerequisites.missing import Missing


@dataclass(frozen=True)
class Component:
    """Something that dppctl uses; `without` says what it costs to lack it, `get` how to get it."""

    name: str
    found: bool
    what: str
    """Version and place."""
    without: str
    get: str
    required: bool = False


@command(
    examples="""
    dppctl doctor
    dppctl doctor --output json
    """,
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "text", "json", "yaml", "name"]),
    show_default="table on a terminal, else text",
    help="How to print it; text: a line each; name: of what is missing.",
)
def doctor(output: str | None) -> None:
    """Say what of this machine is there and what is missing, what that costs and how to get it.

    Exit code: 0, or 1 when something is missing that dppctl cannot do without.
    """
    parts = list(examine())
    missing = [part for part in parts if not part.found]
    match output or ("table" if sys.stdout.isatty() else "text"):
        case "json":
            click.echo(json.dumps([asdict(part) for part in parts], indent=1))
        case "yaml":
            click.echo(yaml_text([asdict(part) for part in parts]), nl=False)
        case "name":
            for part in missing:
                click.echo(part.name)
        case "table" if shown := missing if is_quiet() else parts:
            _table(shown)
        case _:
            for part in missing if is_quiet() else parts:
                click.echo(_line(part))
    sys.exit(any(part.required for part in missing))


def examine() -> Iterator[Component]:
    """Yield every part, the required ones first."""
    yield _required("Python", f"{sys.version.split()[0]}, {sys.executable}", python(), "nothing works")
    yield _required("git", _what("git"), git(), "no deployments, no ops repo")
    yield _required("uv", _what(uv_program()), uv(), "dpp's environment cannot be made")
    yield _runtime()
    yield from _postgres()
    yield _command("psql", "no shell on PostgreSQL databases", "install postgresql-client")
    yield _command("sqlite3", "no shell on SQLite databases", "install sqlite3")
    yield _adminer()
    yield _datasette()
    yield from _builders()
    yield _command("podman", "no apps with an image of their own", "install podman")
    yield from _disks()


def _required(name: str, what: str, missing: Missing | None, without: str) -> Component:
    return Component(name, missing is None, what, without, missing.get if missing else "", required=True)


def _command(name: str, without: str, get: str) -> Component:
    return Component(name, shutil.which(name) is not None, _what(name), without, get)


def _what(name: str | None) -> str:
    program = shutil.which(name) if name else None
    return f"{program_version([program, '--version'])}, {program}" if program else ""


def _runtime() -> Component:
    from cluster.local.folders import cache_dir
    from cluster.local.workers.dpp_environment import find_runtime

    runtime = find_runtime(cache_dir())
    without = "the first run makes it: about a minute, 60 MB to download"
    get = "dppctl run, or nothing: it comes by itself"
    if runtime is None:
        return Component("dpp", False, "", without, get)
    size = sum(file.lstat().st_size for file in runtime.folder.rglob("*"))
    return Component("dpp", True, f"{size / 10**6:.0f} MB, {runtime.folder}", without, get)


def _postgres() -> Iterator[Component]:
    from cluster.errors import ClusterError
    from cluster.local.databases import postgres

    without = "no --db postgres; SQLite and databases with a URL work"
    folder = postgres.binaries()
    what = f"{program_version([str(folder / 'postgres'), '--version'])}, {folder}" if folder else ""
    yield Component("PostgreSQL server", bool(folder), what, without, "install postgresql (its binaries are enough)")
    try:
        user = postgres.unprivileged_user()
    except ClusterError as error:
        yield Component("PostgreSQL's user", False, "", f"{without}: {error}", "useradd --system postgres")
        return
    if user:
        yield Component("PostgreSQL's user", True, f"{user}, for root may not run it", without, "")


def _adminer() -> Component:
    from cluster.local.databases.web_ui import adminer

    found = adminer()
    what = f"PHP {program_version([found[0], '--version'])}, {found[1]}" if found else ""
    return Component(
        "Adminer",
        bool(found),
        what,
        "no web pages for PostgreSQL databases; psql works",
        "install adminer, php-cli and php-pgsql",
    )


def _datasette() -> Component:
    from importlib.metadata import PackageNotFoundError, version

    without, get = "no web pages for SQLite databases", "pip install datasette"
    try:
        return Component("Datasette", True, version("datasette"), without, get)
    except PackageNotFoundError:
        return Component("Datasette", False, "", without, get)


def _builders() -> Iterator[Component]:
    """Try each builder, in a folder that is gone afterwards."""
    from bot.images.builders.choose import Options, probe

    without = "no images with it; apps with a Dockerfile need one of the builders"
    with tempfile.TemporaryDirectory(prefix="dppctl-doctor-") as folder:
        for found in probe(Options(Path(folder))):
            what = found.what.removeprefix(f"{found.name}: ")
            yield Component(f"builder {found.name}", found.works, what, without, found.get)


def _disks() -> Iterator[Component]:
    from cluster.local.folders import cache_dir, data_dir

    for name, folder, setting in (
        ("cache", cache_dir(), "DPPCTL_CACHE_DIR"),
        ("data", data_dir(), "DPPCTL_DATA_DIR"),
    ):
        existing = next(above for above in (folder, *folder.parents) if above.is_dir())
        free = shutil.disk_usage(existing).free
        yield Component(
            f"free disk for {name}",
            free > LOW_DISK_BYTES,
            f"{free / 10**9:.1f} GB free, {folder}",
            "runs may end with a full disk",
            f"free some, or let {setting} name another folder",
        )


def _line(part: Component) -> str:
    if part.found:
        return f"found    {part.name}: {part.what}"
    what = f" ({part.what})" if part.what else ""
    return f"missing  {part.name}{what}: {part.without}. To get it: {part.get}"


def _table(parts: list[Component]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for heading in ("", "", "what and where", "what lacking it costs", "how to get it"):
        table.add_column(heading, overflow="fold")
    for part in parts:
        mark = "[green]✓[/]" if part.found else "[red]✗[/]" if part.required else "[yellow]-[/]"
        missing = ("", "") if part.found else (part.without, part.get)
        table.add_row(mark, part.name, escape(part.what), *missing)
    console().print(table)
