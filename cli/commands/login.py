"""`dppctl login` and `dppctl use`: the clusters that this person runs pipelines on."""

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from cli.errors import InputError

if TYPE_CHECKING:
    from cli.remote.clusters import NamedCluster


@click.command()
@click.argument("cluster")
@click.option("--url", help="Of the cluster's proxy, https://…; without one it is reached through the API server.")
@click.option("--context", help="Of the kubeconfig file, for a proxy without a URL.")
@click.option("--namespace", help="Where dppctl's servers are, for a proxy without a URL.  [default: dppctl]")
@click.option("--service", help="Of the proxy.  [default: dppctl-proxy]")
def login(cluster: str, url: str | None, context: str | None, namespace: str | None, service: str | None) -> None:
    """Make a CLUSTER known by a name of yours, with your token there, which is asked for or read from stdin.

    \b
    dppctl login office --url https://dppctl.example.org
    dppctl login office --context office --namespace dppctl <token-file

    DPPCTL_TOKEN in the environment is used instead, and not kept.
    """
    from cli.remote import clusters, tokens
    from cli.remote.client import ProxyClient

    reached = _reached(cluster, url, context, namespace, service)
    if reached.url.startswith("http://") and urlsplit(reached.url).hostname not in ("127.0.0.1", "localhost", "::1"):
        click.echo(f"{reached.url} has no TLS: whoever is on the way can read the token; use https://", err=True)
    token = os.environ.get(tokens.VARIABLE, "").strip()
    is_given = bool(token)
    with ProxyClient(reached, token or _ask(cluster), lambda line: click.echo(line, err=True)) as proxy:
        about = proxy.about()
        clusters.add_cluster(reached)
        click.echo(f"Logged in to {cluster} as {about.user} ({', '.join(about.scopes)})")
        if not is_given:
            click.echo(f"The token is in {tokens.keep_token(cluster, proxy.token)}")
    if clusters.read_clusters().current != cluster:
        click.echo(f"`dppctl use {cluster}` makes it the one that commands work on")


@click.command()
@click.argument("cluster", required=False)
def use(cluster: str | None) -> None:
    """Choose the CLUSTER that run, list pods, ssh, stop and logs work on; without one, list those that are known.

    \b
    dppctl use office
    dppctl use local

    `cluster:` in an app's .dppctl.yaml wins over it, and --cluster over both.
    """
    from cli.remote import clusters

    if cluster is None:
        known = clusters.read_clusters()
        for name in [clusters.LOCAL, *known.by_name]:
            where = known.by_name.get(name, "this machine")
            click.echo(f"{'*' if name == known.current else ' '} {name}: {where}")
        return
    clusters.use_cluster(cluster)
    click.echo(f"Switching to the {cluster} cluster")


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


def _ask(cluster: str) -> str:
    """Return a token from the terminal, hidden, or from stdin. Raises InputError for none."""
    if sys.stdin.isatty():
        token = click.prompt(f"Token for {cluster}", hide_input=True, err=True)
    else:
        token = sys.stdin.readline(1000)
    if not (token := str(token).strip()):
        raise InputError("no token came on stdin")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise InputError("what came is no token: it is one word, such as dppctl_…")
    return token
