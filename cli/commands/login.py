"""`dppctl login`, `dppctl logout` and `dppctl use`: the clusters that this person runs pipelines on."""

import os
from typing import TYPE_CHECKING

import click

from bot.model.account import PERSON_SCOPES, SCOPES, Scope
from bot.output import for_terminal
from cli.completions import complete_clusters
from cli.documented import command
from cli.errors import InputError
from cli.listing import OUTPUT_OPTION, show
from cli.output_options import note, say

if TYPE_CHECKING:
    from cli.remote.clusters import NamedCluster


@command(
    examples="""
    dppctl login office --url https://dppctl.example.org
    dppctl login office --context office --with-token <token-file
    """,
)
@click.argument("cluster", required=False, shell_complete=complete_clusters)
@click.option("--url", help="Of the cluster's proxy, https://…; without one it is reached through the API server.")
@click.option("--context", help="Of the kubeconfig file, for a proxy without a URL.")
@click.option("--namespace", help="Where dppctl's servers are, for a proxy without a URL.  [default: dppctl]")
@click.option("--service", help="Of the proxy.  [default: dppctl-proxy]")
@click.option("--with-token", is_flag=True, help="Take a token, also where one logs in by a browser.")
@click.option("--no-browser", is_flag=True, help="Open no browser: the address can be opened on another machine.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=PERSON_SCOPES,
    show_default=True,
    help="What the token is to be good for, of what you may do yourself.",
)
def login(
    cluster: str | None,
    url: str | None,
    context: str | None,
    namespace: str | None,
    service: str | None,
    with_token: bool,
    no_browser: bool,
    scopes: tuple[Scope, ...],
) -> None:
    """Make a CLUSTER known by a name of yours, and log in to it: the chosen one when it is left out.

    Where the cluster has a login, that is a page for any browser, and a code to enter there. Elsewhere your token is
    asked for, or read from stdin. DPPCTL_TOKEN in the environment is used instead, and not kept.
    """
    from cli.remote import clusters, tokens
    from cli.remote.login import log_in_to

    reached = _reached(cluster or _current(), url, context, namespace, service)
    name = reached.name
    found = log_in_to(reached, scopes, _note, with_token=with_token, opens=not no_browser)
    say(f"Logged in to {name} as {found.who} ({', '.join(found.about.scopes)})")
    if found.store is not None:
        say(f"The token is in {found.store}")
    elif tokens.kept_token(name):
        _note(f"{tokens.VARIABLE} is used, and not the token that is kept for {name}")
    if clusters.read_clusters().current != name:
        say(f"`dppctl use {name}` makes it the one that commands work on")


@command(
    examples="""
    dppctl logout              # of the chosen cluster
    dppctl logout office
    """,
)
@click.argument("cluster", required=False, shell_complete=complete_clusters)
@click.option("--no-revoke", is_flag=True, help="Only forget the token here; what is known of it there stays.")
def logout(cluster: str | None, no_revoke: bool) -> None:
    """Revoke the token that `dppctl login` has kept for a CLUSTER (the chosen one), and forget it.

    A token that somebody made for you in a file is only forgotten: it ends when that person revokes it.
    """
    from cli.remote import clusters, tokens
    from cli.remote.login import log_out_of

    name = cluster or _current()
    if not tokens.kept_token(name):
        clusters.find_cluster(name)
        raise InputError(f"no token is kept for the cluster {name}; there is nothing to log out of")
    said = log_out_of(name, _note, revokes=not no_revoke)
    say(f"Logged out of {name}: its token is {said}")
    if os.environ.get(tokens.VARIABLE):
        _note(f"{tokens.VARIABLE} is set, and goes on being used")


@command(
    examples="""
    dppctl use             # which there are
    dppctl use office
    dppctl use local       # this machine
    """,
)
@click.argument("cluster", required=False, shell_complete=complete_clusters)
def use(cluster: str | None) -> None:
    """Choose the CLUSTER that run, list pods, ssh, stop and logs work on; without one, list those that are known.

    `cluster:` in an app's .dppctl.yaml wins over it, and --cluster over both.
    """
    from cli.remote import clusters

    if cluster is None:
        _list("table")
        return
    clusters.use_cluster(cluster)
    known = clusters.read_clusters().by_name.get(cluster)
    say(f"Switching to the {cluster} cluster{_as(known)}")


@command(
    "clusters",
    examples="""
    dppctl list clusters
    dppctl list clusters -o name
    """,
)
@OUTPUT_OPTION
def clusters_(output: str | None) -> None:
    """List the clusters that are known here, and who you are on each."""
    _list(output)


def _list(output: str | None) -> None:
    from cli.remote import clusters, tokens

    known = clusters.read_clusters()
    rows = [
        {
            "name": name,
            "chosen": name == known.current,
            "where": str(known.by_name.get(name) or "this machine"),
            "login": (found.login or None) if (found := known.by_name.get(name)) else None,
        }
        for name in [clusters.LOCAL, *known.by_name]
    ]
    rows += [
        {
            "name": name,
            "chosen": False,
            "where": f"a {begun.provider} cluster that is not ready yet; `dppctl init` goes on with it",
            "login": None,
        }
        for name, begun in known.initialized.items()
        if begun.state == "initializing" and name not in known.by_name
    ]
    columns = {name: name for name in ("name", "chosen", "where", "login")}
    show(rows, output, columns=columns, name=lambda row: row["name"], empty="")
    if known.by_name and os.environ.get(tokens.VARIABLE):
        note(f"{tokens.VARIABLE} is set: on each of them you are whom that token belongs to")


def _as(cluster: "NamedCluster | None") -> str:
    return f", as {cluster.login}" if cluster and cluster.login else ""


def _current() -> str:
    from cli.remote import clusters

    if (current := clusters.read_clusters().current) == clusters.LOCAL:
        raise InputError("which cluster? Name one, or choose it by `dppctl use`; local is this machine")
    return current


def _note(line: str) -> None:
    click.echo(for_terminal(line), err=True)


def _reached(
    name: str, url: str | None, context: str | None, namespace: str | None, service: str | None
) -> "NamedCluster":
    """Return how a cluster is reached: as the flags say, or as is known. Raises InputError for flags that don't fit."""
    from cli.remote import clusters

    clusters.check_name(name)
    known = clusters.read_clusters().by_name.get(name)
    given = context or namespace or service
    if url is not None:
        if given:
            raise InputError("--url reaches the proxy by itself; leave out --context, --namespace and --service")
        return clusters.NamedCluster(name, clusters.check_url(url))
    if known is not None and not given:
        return known
    before = known or clusters.NamedCluster(name)
    if not (context or before.context):
        raise InputError(f"how is {name} reached? Give --url URL, or --context of your kubeconfig file")
    return clusters.NamedCluster(
        name,
        "",
        context or before.context,
        namespace or before.namespace or "dppctl",
        service or before.service or clusters.SERVICE,
    )
