"""Somebody's public cluster as a person knows it: where it is, and whether one is logged in there."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from bot.model.account import PERSON_SCOPES
from bot.output import for_terminal
from cli.errors import InputError
from cli.remote.client import ProxyClient
from cli.remote.clusters import NamedCluster, add_cluster, check_url, read_clusters, remove_cluster
from cli.remote.errors import ProxyAwayError, ProxyRefusedError
from cli.remote.login import log_in_to, log_out_of
from cli.remote.tokens import VARIABLE, forget_token, kept_token

if TYPE_CHECKING:
    from cli.init.prompts import Questions

NAME = "public"  # unless a person calls it something else
_URL_VARIABLE = "DPPCTL_PUBLIC_CLUSTER_URL"


def find_url(given: str, name: str = NAME) -> str:
    """Return the address that is given, or that the environment has, or that is known already; "": there is none.

    Raises InputError for one that cannot be.
    """
    known = read_clusters().by_name.get(name)
    url = given or os.environ.get(_URL_VARIABLE, "").strip() or (known.url if known else "")
    return check_url(url) if url else ""


def ask_url(questions: "Questions", flag: str) -> str:
    """Return the address that a person gives; `flag`: what answers in a script. Raises InputError for what is none."""
    _note(
        "The project dppctl runs no public cluster itself: use that of somebody whom you trust with what you run there"
        ", or run one (docs/public-cluster.md)"
    )
    return check_url(questions.text("Address of the public cluster (https://HOST)", flag))


def login_state(name: str, url: str) -> str:
    """Return a line about whom the public cluster at an address knows one as; "": one has to log in.

    Raises InputError for a cluster that is private, and ProxyAwayError.
    """
    known = read_clusters().by_name.get(name)
    is_known = known is not None and known.url == url
    token = os.environ.get(VARIABLE, "").strip() or (kept_token(name) if is_known else "")
    if not token:
        return ""
    try:
        with ProxyClient(NamedCluster(name, url), token, _note) as proxy:
            about = proxy.about()
    except ProxyRefusedError as error:
        if error.status == 401:
            return ""
        raise
    if not about.public:
        raise _is_private(url)
    if not is_known:
        add_cluster(NamedCluster(name, url))
    return f"public cluster is ready: {about.name} at {url}, as {about.login or about.user}"


def log_in(name: str, url: str, say: Callable[[str], None]) -> None:
    """Log in to the public cluster at an address. Raises InputError for one that is private, and ProxyAwayError."""
    cluster = NamedCluster(name, url)
    with ProxyClient(cluster, "", _note) as proxy:
        is_public = proxy.login().public
    if not is_public:
        raise _is_private(url)
    found = log_in_to(cluster, PERSON_SCOPES, _note)
    say(f"Logged in to {name} as {found.who} ({', '.join(found.about.scopes)})")


def log_out(name: str, *, dry_run: bool) -> list[str]:
    """Forget a public cluster, and revoke the token that is kept for it; return a line for each."""
    known = read_clusters().by_name.get(name)
    if known is None:
        return []
    said = []
    if kept_token(name):
        said.append(f"log out of the public dppctl cluster at {known.url}")
        if not dry_run:
            try:
                said[-1] += f": its token is {log_out_of(name, _note)}"
            except ProxyAwayError as error:
                said[-1] += f": its token is forgotten here and not revoked, as {error}"
    if not dry_run:
        forget_token(name)
        remove_cluster(name)
    stays = "what your runs published there stays until its operator removes it"
    return [*said, f"forget the public dppctl cluster at {known.url} ({stays})"]


def _is_private(url: str) -> InputError:
    how = f"`dppctl login NAME --url {url}` is for private ones"
    return InputError(f"the cluster at {url} says that it is no public one; {how}")


def _note(line: str) -> None:
    click.echo(for_terminal(line), err=True)
