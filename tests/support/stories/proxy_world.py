"""A proxy on loopback, in a loop of its own, and people who ask it."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import requests

from bot.kubernetes import KubernetesClient
from bot.model.account import Scope
from cluster.proxy.application import ProxyAbout
from cluster.proxy.server import Proxy, ProxyOptions
from cluster.proxy.tokens import hash_of, make_token, read_tokens, write_tokens
from cluster.runs_api import LoginInfo
from tests.support.auth import SERVICE
from tests.support.stories.operator_world import TOKEN
from tests.support.waiting import eventually

ALL: Sequence[Scope] = ("read", "run", "ssh")


@dataclass(frozen=True)
class AuthPlace:
    """Where an auth server is that the proxy asks, in place of the file."""

    url: str
    mode: Literal["token", "oauth"] = "token"


class Person:
    """Asks a proxy with a token, or with what else `headers` say."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url, self.token = url, token
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> requests.Response:
        all_headers = {**self.headers, **(headers or {})}
        return requests.request(method, self.url + path, headers=all_headers, timeout=30, **options)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Return status and problem of an answer, which is one line."""
        answer = self.ask(method, path, **options)
        assert answer.status_code >= 400, answer.text
        problem = answer.json()
        assert set(problem) - {"limit", "used", "allowed", "resetsAt"} == {"error", "code", "hint"}
        assert "\n" not in problem["error"]
        return answer.status_code, problem

    def events(self, run: str, after: int = 0) -> list[Any]:
        """Return all lines of a run's events; None: an empty one."""
        answer = self.ask("GET", f"/v1/runs/{run}/events?after={after}", stream=True)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) if line else None for line in answer.iter_lines(chunk_size=1)]


class ProxyWorld:
    """A proxy that runs; `person` makes somebody with a token."""

    def __init__(
        self, folder: Path, kubeconfig: str, namespace: str, operator_url: str, auth: AuthPlace | None = None
    ) -> None:
        self.tokens, self._token = folder / "tokens.json", folder / "operator-token"
        write_tokens(self.tokens, [])
        self._token.write_text(f"{TOKEN}\n")
        self.options = ProxyOptions(
            operator_url, self._token, ProxyAbout("test cluster", "1.2.3"), tokens_file=self.tokens
        )
        if auth:
            (folder / "auth-token").write_text(SERVICE)
            about = ProxyAbout("test cluster", "1.2.3", LoginInfo(mode=auth.mode, url=f"{auth.url}/auth"))
            self.options = replace(
                self.options, about=about, tokens_file=None, auth_url=auth.url, auth_token_file=folder / "auth-token"
            )
        self._client, self._namespace = KubernetesClient(kubeconfig), namespace
        self.url = ""

    def person(self, user: str = "ann", scopes: Sequence[Scope] = ALL) -> Person:
        known = read_tokens(self.tokens)
        token, record = make_token(f"{user} {len(known)}", user, scopes)
        write_tokens(self.tokens, [*known, record])
        return Person(self.url, token)

    def revoke(self, person: Person) -> None:
        write_tokens(self.tokens, [each for each in read_tokens(self.tokens) if each.sha256 != hash_of(person.token)])

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """Have it serve in this context; after another one, where that was."""
        listening = socket.create_server(("127.0.0.1", urlsplit(self.url).port or 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        loop = asyncio.new_event_loop()
        made: list[Proxy] = []

        async def work() -> None:
            made.append(Proxy(self._client, self._namespace, self.options))
            await made[0].run(listening)

        thread = threading.Thread(target=lambda: loop.run_until_complete(work()))
        thread.start()
        eventually(lambda: made, "it begins")
        try:
            yield made[0]
        finally:
            loop.call_soon_threadsafe(made[0].stop)
            thread.join()
            loop.close()
