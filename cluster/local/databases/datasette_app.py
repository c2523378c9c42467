"""`python -m cluster.local.databases.datasette_app FD FILE`: Datasette for a SQLite file on an inherited socket."""

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from datasette.app import Datasette  # type: ignore[import-untyped]

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
_HOSTS = (b"127.0.0.1", b"localhost", b"[::1]")


def on_this_machine(app: App) -> App:
    """Return an ASGI application that answers by this machine's own names only.

    A page from elsewhere may name a host that leads here: https://en.wikipedia.org/wiki/DNS_rebinding
    """

    async def checked(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        host = dict(scope.get("headers", ())).get(b"host", b"localhost")
        if scope["type"] != "http" or host.rpartition(b":")[0] in _HOSTS or host in _HOSTS:
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"Ask for 127.0.0.1\n"})

    return checked


def main() -> None:
    descriptor, file = sys.argv[1:]
    config = uvicorn.Config(on_this_machine(Datasette([file]).app()), log_level="warning")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main()
