"""The auth server: how long it takes to say whose a token or a session is, at the rate of a busy cluster."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode, urlsplit

from benchmarks.bench import Bench, numbered
from benchmarks.load import Load, load
from benchmarks.report import Result, Row, spread, table
from bot.settings import load_settings
from cli.limits import RECEIVER_WORKERS
from cli.servers.auth_server import APPLICATION, open_auth
from cli.servers.gunicorn import WebServer
from cli.servers.lifecycle import listen
from cluster.auth.people import ProvenIdentity
from cluster.auth.tokens import TokenRequest

RATE, CONNECTIONS, PEOPLE = 200.0, 16, 500
P99_MS = 10.0
SERVICE = "service-token"


def auth(bench: Bench) -> Result:
    """Measure answers for a token and for a session at 200 a second, and how many there can be."""
    seconds, times = (2.0, 1) if bench.quick else (20.0, 3)
    found: dict[str, list[Load]] = {"a token": [], "a session": []}
    with _server(bench) as (url, secrets):
        requests = {name: _request(url, secret) for name, secret in secrets.items()}
        for request in requests.values():
            load(url, 1, CONNECTIONS, request=request)  # warm
        for _ in numbered(times, "round"):
            for name, request in requests.items():
                found[name].append(load(url, seconds, CONNECTIONS, RATE, request))
        saturated = load(url, seconds, CONNECTIONS, request=requests["a token"])
    worst = max(each.p99 for loads in found.values() for each in loads)
    bad = saturated.bad + sum(each.bad for loads in found.values() for each in loads)
    what = f"p99 of `/auth/introspect` at {RATE:.0f} a second"
    rows = [
        Row(what, f"<= {P99_MS:.0f} ms", f"{worst:.1f} ms", worst <= P99_MS),
        Row("answers other than 2xx", "0", str(bad), bad == 0),
    ]
    lines = [
        (
            f"{name}, at {RATE:.0f}/s",
            *(spread([getattr(each, of) for each in loads], " ms") for of in ("median", "p99")),
        )
        for name, loads in found.items()
    ]
    lines.append((f"saturated: {saturated.per_second:.0f}/s", f"{saturated.median:.1f} ms", f"{saturated.p99:.1f} ms"))
    details = (
        f"`dppctl auth-server`'s application in gunicorn, {RECEIVER_WORKERS} processes, with SQLite, {PEOPLE} people "
        f"with a token each, over {CONNECTIONS} kept connections from a process on the same machine; the time counts "
        f"from when each should have been sent. The row above has the worst of all rounds. Proxy and usage server "
        f"remember an answer about a token for half a minute, so 200 a second are the questions of thousands of "
        f"people.\n\n" + table(("", "median", "p99"), lines)
    )
    return Result("Who somebody is", rows, details)


@contextmanager
def _server(bench: Bench) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the address, and a token and a session of somebody among many."""
    config = bench.new_folder()
    (config / "service").write_text(SERVICE)
    lines = {
        "MODE": "oauth", "SERVICE_TOKEN_FILE": config / "service", "USERS": "github:7,github:" + "8" * 9,
        "DOMAINS": "example.org", "GITHUB_CLIENT_ID": "id", "GITHUB_CLIENT_SECRET": "secret",
    }  # fmt: skip
    (config / ".env").write_text("".join(f"DPPCTL_AUTH_{name}={value}\n" for name, value in lines.items()))
    (config / "state").mkdir()
    service = open_auth(load_settings(config, {}, receives=False))
    for number in range(PEOPLE):
        person = ProvenIdentity(f"oidc:{number}", f"person{number}@example.org", frozenset({"domain:example.org"}))
        session = service.log_in(person)
        account = service.find(session)
        assert account
        token, _ = service.make_token(account, TokenRequest("laptop", ("read", "run")))
    service.close()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
    with ExitStack() as stack:
        log = stack.enter_context((config / "log").open("w"))
        with listen("DPPCTL_AUTH_LISTEN", "127.0.0.1:0") as listening:
            server = WebServer(listening, APPLICATION, {**kept, "DPPCTL_CONFIG": str(config)}, log=log)
        stack.callback(server.stop)
        yield f"{server.address}/auth/introspect", {"a token": token, "a session": session}


def _request(url: str, secret: str) -> bytes:
    parts, body = urlsplit(url), urlencode({"token": secret})
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {SERVICE}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()
