"""A login to a cluster, from the question how one does it there to the token that is kept."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import click

from bot.model.account import Scope
from cli.errors import InputError
from cli.init.secret_stores import SecretStore
from cli.remote.client import ProxyClient
from cli.remote.clusters import NamedCluster, add_cluster, find_cluster, read_clusters
from cli.remote.errors import ProxyRefusedError
from cli.remote.tokens import VARIABLE, forget_token, keep_token, kept_token
from cluster.runs_api import ClusterInfo

Note = Callable[[str], None]


@dataclass(frozen=True)
class LoginResult:
    """What a login came to."""

    about: ClusterInfo
    who: str  # for people
    store: SecretStore | None  # where the token is kept; None: it is that of DPPCTL_TOKEN


def log_in_to(
    cluster: NamedCluster, scopes: Sequence[Scope], note: Note, *, with_token: bool = False, opens: bool = True
) -> LoginResult:
    """Log in to a cluster, keep the token, and make the cluster known; return who one is there.

    `note` gets lines for people; `with_token`: take a token also where one logs in by a browser; `opens`: a browser,
    where there is a screen. Raises InputError, ProxyAwayError and ProxyRefusedError.
    """
    warn_without_tls(cluster.url, note)
    token = os.environ.get(VARIABLE, "").strip()
    is_given = bool(token)
    if not token:
        with ProxyClient(cluster, "", note) as proxy:
            token = _ask(cluster.name) if with_token else _obtain(proxy, scopes, note, opens=opens)
    with ProxyClient(cluster, token, note) as proxy:
        about = proxy.about()
    who = about.user if about.user.endswith(f":{about.login}") or not about.login else f"{about.login} ({about.user})"
    known = read_clusters().by_name.get(cluster.name, cluster)
    publish_to = cluster.publish_to or known.publish_to
    add_cluster(replace(cluster, login=known.login if is_given else who, publish_to=publish_to))
    return LoginResult(about, who, None if is_given else keep_token(cluster.name, token))


def log_out_of(name: str, note: Note, *, revokes: bool = True) -> str:
    """Revoke the token that is kept for a cluster, and forget it; return what became of it.

    Raises InputError for a cluster that is not known, ProxyAwayError and ProxyRefusedError.
    """
    cluster, said = find_cluster(name), "forgotten here"
    if revokes:
        with ProxyClient(cluster, "", note) as proxy:
            url = proxy.login().url
        if url:
            said = _revoke(name, url)
    forget_token(name)
    add_cluster(replace(cluster, login=""))
    return said


def _revoke(name: str, url: str) -> str:
    from cli.remote.auth import AuthClient

    with AuthClient(name, url, kept_token(name)) as auth:
        try:
            auth.revoke_token("current")
        except ProxyRefusedError as error:
            if error.status == 401:
                return "forgotten here; it was worth nothing any more"
            if error.status in (404, 409):
                return "forgotten here; whoever made it can revoke it"
            raise
    return "revoked, and forgotten here"


def warn_without_tls(url: str, note: Note) -> None:
    """Say that a token can be read on the way, where that is so."""
    if url.startswith("http://") and urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        note(f"{url} has no TLS: whoever is on the way can read the token; use https://")


def _obtain(proxy: ProxyClient, scopes: Sequence[Scope], note: Note, *, opens: bool) -> str:
    """Return a token: by a browser where the cluster has that, or as a person gives it."""
    found, name = proxy.login(), proxy.cluster.name
    if found.mode == "token":
        return _ask(name)
    if not found.url:
        hint = "whoever runs it sets DPPCTL_PUBLIC_URL; or take a token: --with-token"
        raise InputError(f"one logs in to {name} by a browser, and it does not say where; {hint}")
    from cli.remote.auth import AuthClient
    from cli.remote.device_flow import log_in, open_browser

    warn_without_tls(found.url, note)
    with AuthClient(name, found.url) as auth:
        return log_in(auth, scopes, note, open_browser if opens else lambda _: False)


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
