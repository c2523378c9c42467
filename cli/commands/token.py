"""`dppctl token`: tokens, made, listed and revoked: one's own on a cluster with a login, or those of a proxy's file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.model.account import SCOPES, Scope
from bot.near_names import name_hint
from cli.documented import DocumentedGroup
from cli.errors import InputError
from cli.listing import OUTPUT_OPTION, show
from cli.output_options import note, say
from cli.remote.clusters import CLUSTER_OPTION

if TYPE_CHECKING:
    from cli.remote.auth import AuthClient, TokenInfo

_FILE = click.option(
    "--file",
    envvar="DPPCTL_PROXY_TOKENS_FILE",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Of a proxy's tokens: work on this file, and on no cluster; create makes it when it is not there.",
)

_COLUMNS = {"name": "name", "user": "user", "scopes": "scopes", "created": "created"}
_NONE = "No tokens; `dppctl token create` makes one"


@click.group(
    cls=DocumentedGroup,
    examples="""
    dppctl token create ci --scope read --scope run --days 30
    dppctl token list
    dppctl token revoke ci
    """,
)
def token() -> None:
    """Make, list and revoke tokens.

    On a cluster where people log in they are your own, such as one for CI. Elsewhere they are in a file by which the
    proxy, or the auth server, knows people. It has hashes alone; on a cluster it is a Secret:

    kubectl create secret generic NAME --from-file=tokens.json --dry-run=client -o yaml | kubectl apply -f -
    """


@token.command(
    examples="""
    dppctl token create "ann's laptop"           # on the chosen cluster
    dppctl token create ci --scope read --scope run --days 30
    dppctl token create ann --user ann --file tokens.json
    """,
)
@click.argument("name")
@click.option("--user", help="With --file: whose runs they are: ann, or PROVIDER:NAME.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("read", "run", "ssh"),
    show_default=True,
    type=click.Choice(SCOPES),
    help="read: own runs and pods, the pages' API; run: upload, start, stop; deploy: act on the pages; ssh: terminals; "
    "admin: all.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="After which it ends; not with --file.  [default: 90]")
@CLUSTER_OPTION
@_FILE
def create(
    name: str, user: str | None, scopes: tuple[Scope, ...], days: int | None, cluster: str | None, file: Path | None
) -> None:
    """Make a token with a NAME, such as "ann's laptop", and print it, this once."""
    if file is None or cluster:
        if user:
            raise InputError("--user goes with --file: on a cluster with a login a token is your own")
        with _auth(cluster) as auth:
            made = auth.create_token(name, scopes, days or 90)
        note(f"The token {made.name!r} ({', '.join(made.scopes)}){_until(made)}; it is shown this once:")
        click.echo(made.token)
        return
    from cluster.proxy.tokens import make_token, read_tokens, write_tokens

    if not user:
        raise InputError("--user: is missing; whose runs are they?")
    if days:
        raise InputError("--days: tokens of a file have no end; revoke them")
    text, record = make_token(name, user, scopes)
    with _locked(file):
        known = read_tokens(file) if file.exists() else ()
        if name in (each.name for each in known):
            raise InputError(f"{file}: there is a token {name!r} already; revoke it, or take another name")
        write_tokens(file, [*known, record])
    note(f"The token {name!r} of {record.user} ({', '.join(record.scopes)}); it is shown this once:")
    click.echo(text)


@token.command(
    "list",
    examples="""
    dppctl token list
    dppctl token list --cluster office -o json
    """,
)
@OUTPUT_OPTION
@CLUSTER_OPTION
@_FILE
def list_(output: str | None, cluster: str | None, file: Path | None) -> None:
    """List the tokens that you may see: yours, for an admin all; or those of a file."""
    if file is None or cluster:
        with _auth(cluster) as auth:
            found = auth.tokens()
        rows = [each.model_dump(mode="json", by_alias=True) for each in found]
        columns = _COLUMNS | {"user": "login", "last used": "lastUsed", "ends": "expires"}
        show(rows, output, columns={"id": "id"} | columns, name=lambda row: row["id"], empty=_NONE)
        return
    from cluster.proxy.tokens import read_tokens

    records = [each.model_dump(mode="json", exclude={"sha256"}) for each in read_tokens(file)]
    show(records, output, columns=_COLUMNS, name=lambda row: row["name"], empty=_NONE)


@token.command(
    examples="""
    dppctl token revoke ci
    dppctl token revoke ann --file tokens.json
    """,
)
@click.argument("name")
@CLUSTER_OPTION
@_FILE
def revoke(name: str, cluster: str | None, file: Path | None) -> None:
    """Have a token be worth nothing from now on, by its ID (of a cluster) or its NAME.

    Streams and terminals that it opened end within half a minute.
    """
    if file is None or cluster:
        with _auth(cluster) as auth:
            found = _named(auth.tokens(), name)
            auth.revoke_token(found.id)
        say(f"The token {found.name!r} is revoked")
        return
    from cluster.proxy.tokens import read_tokens, write_tokens

    with _locked(file):
        known = read_tokens(file)
        if name not in (each.name for each in known):
            meant = name_hint(name, (each.name for each in known))
            raise InputError(f"{file}: there is no token {name!r}; {meant}")
        write_tokens(file, [each for each in known if each.name != name])
    say(f"The token {name!r} is revoked")


@contextmanager
def _auth(named: str | None) -> "Iterator[AuthClient]":
    """Have the auth server of a cluster, the chosen one where none is named. Raises InputError when it has none."""
    from cli.remote.auth import AuthClient
    from cli.remote.client import ProxyClient
    from cli.remote.clusters import choose_cluster
    from cli.remote.tokens import read_token

    reached = choose_cluster(named, Path())
    if reached is None:
        raise InputError("whose tokens? Name a --cluster that `dppctl login` made known, or a --file of a proxy's")
    with ProxyClient(reached, "", note) as proxy:
        url = proxy.login().url
    if not url:
        raise InputError(f"nobody logs in to {reached.name}: its tokens are in a Secret or file, which --file names")
    with AuthClient(reached.name, url, read_token(reached.name)) as auth:
        yield auth


def _named(found: "tuple[TokenInfo, ...]", name: str) -> "TokenInfo":
    """Return the token of this id, or the only one of this name. Raises InputError."""
    chosen = [each for each in found if each.id == name] or [each for each in found if each.name == name]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        ids = ", ".join(each.id for each in chosen)
        raise InputError(f"there are {len(chosen)} tokens {name!r}; name one by its id: {ids}")
    raise InputError(f"you have no token {name!r}; {name_hint(name, (each.name for each in found))}")


def _until(made: "TokenInfo") -> str:
    return f" until {_day(made.expires)}" if made.expires else ""


def _day(time: str | None) -> str:
    return (time or "")[:10]


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
