"""`dppctl token`: the tokens by which a proxy knows people, made and revoked in the file that the proxy reads."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bot.model.account import SCOPES, Scope
from cli.errors import InputError

_FILE = click.option(
    "--file",
    required=True,
    envvar="DPPCTL_PROXY_TOKENS_FILE",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of the tokens; create makes it when it is not there.",
)


@click.group()
def token() -> None:
    """Make, list and revoke the tokens by which a proxy knows people.

    The file has hashes alone. The proxy sees a change of it by itself; on a cluster it is a Secret:

    kubectl create secret generic NAME --from-file=tokens.json --dry-run=client -o yaml | kubectl apply -f -
    """


@token.command()
@click.argument("name")
@click.option("--user", required=True, help="Whose runs they are: ann, or PROVIDER:NAME.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("read", "run", "ssh"),
    show_default=True,
    type=click.Choice(SCOPES),
    help="read: own runs and pods; run: upload, start, stop; deploy: act on the pages; ssh: terminals; admin: all.",
)
@_FILE
def create(name: str, user: str, scopes: tuple[Scope, ...], file: Path) -> None:
    """Make a token with a NAME, such as "ann's laptop", and print it, this once."""
    from cluster.proxy.tokens import make_token, read_tokens, write_tokens

    made, record = make_token(name, user, scopes)
    with _locked(file):
        known = read_tokens(file) if file.exists() else ()
        if name in (each.name for each in known):
            raise InputError(f"{file}: there is a token {name!r} already; revoke it, or take another name")
        write_tokens(file, [*known, record])
    click.echo(f"The token {name!r} of {record.user} ({', '.join(record.scopes)}); it is shown this once:", err=True)
    click.echo(made)


@token.command("list")
@_FILE
def list_(file: Path) -> None:
    """List the tokens of the file: name, user, scopes, when it was made."""
    from cluster.proxy.tokens import read_tokens

    for each in read_tokens(file):
        click.echo(f"{each.name}\t{each.user}\t{','.join(each.scopes)}\t{each.created}")


@token.command()
@click.argument("name")
@_FILE
def revoke(name: str, file: Path) -> None:
    """Have a token be worth nothing from now on; streams and terminals that it opened end within half a minute."""
    from cluster.proxy.tokens import read_tokens, write_tokens

    with _locked(file):
        known = read_tokens(file)
        if name not in (each.name for each in known):
            names = ", ".join(repr(each.name) for each in known) or "none"
            raise InputError(f"{file}: there is no token {name!r}; there are {names}")
        write_tokens(file, [each for each in known if each.name != name])
    click.echo(f"The token {name!r} is revoked")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Have nobody else change the file in this context; its folder is locked, as the file itself is replaced."""
    try:
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(f"{file.parent}: {error.strerror}; --file names a file in a folder that is there") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
