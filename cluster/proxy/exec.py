"""A terminal in a pod: the bytes of Kubernetes' own channels, passed through a websocket.

The first byte of a message is its channel: 0 stdin, 1 stdout, 2 stderr, 3 the status at the end, 4 the terminal's size,
255 the end of a channel (v5 alone):
https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from bot.kubernetes import KubernetesClient, Object
from bot.logs import get_logger
from cluster.limits import (
    EXEC_HEARTBEAT_SECONDS,
    EXEC_START_SECONDS,
    MAX_EXEC_COMMAND,
    MAX_EXEC_MESSAGE_BYTES,
    PROXY_RETRY_SECONDS,
)
from cluster.operator.state import COMPONENT, WORKER
from cluster.proxy.authentication import CALLER, Authentication
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.pods import find_pod
from cluster.proxy.refusals import RefusalError
from cluster.proxy.runs import NAME
from cluster.proxy.usage import ProxyUsage

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, RESIZE, CLOSE = 0, 1, 2, 4, 255
_CONTAINER = "kubectl.kubernetes.io/default-container"  # an annotation
# No login shell: /etc/profile would set another PATH than the image, and dpp is on that of the image.
_SHELL = """
mkdir -p /dppctl/work 2>/dev/null && cd /dppctl/work && export HOME="$PWD"
if command -v bash >/dev/null; then PS1='\\h:\\w\\$ ' exec bash --norc; fi
PS1="$(uname -n):~$ " exec sh
"""
# v4 of the protocol has no end of the input: `dppctl ssh` sends `exit` then, which psql knows at a prompt alone.
DATABASE_SHELL = """
export PGPASSWORD="$(cat /dppctl/password)" PGHOST=127.0.0.1 PGUSER=postgres
if [ -t 0 ]; then exec psql; fi
while IFS= read -r line || [ -n "$line" ]; do
    case "$line" in exit|quit|'\\q') break;; esac
    printf '%s\\n' "$line"
done | psql
"""
_TOKEN_ENDED = b"the token does not hold any more"

_log = get_logger("dppctl.proxy")


class ExecRoutes:
    """`/v1/pods/NAME/exec`."""

    def __init__(
        self, api: ClusterApi, session: aiohttp.ClientSession, auth: Authentication, usage: ProxyUsage | None = None
    ) -> None:
        """`session`: for calls to the API server; `usage`: what keeps people to their minutes."""
        self._api, self._session, self._auth, self._usage = api, session, auth, usage
        self._open: set[web.WebSocketResponse] = set()

    @property
    def count(self) -> int:
        """Return how many terminals are open."""
        return len(self._open)

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.get(f"/v1/pods/{NAME}/exec", self._auth.guard("ssh", self.exec))]

    async def end(self) -> None:
        """Close all terminals."""
        for websocket in tuple(self._open):
            await websocket.close(code=WSCloseCode.GOING_AWAY, message=b"the proxy ends")

    async def exec(self, request: web.Request) -> web.StreamResponse:
        """Run a command in a pod, a shell where none is given, with a terminal if `tty=1`."""
        if not web.WebSocketResponse(protocols=[V5, V4]).can_prepare(request):
            raise RefusalError(426, "websocket", "this is for websockets", headers={"Upgrade": "websocket"})
        offered = {name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")}
        protocols = [name for name in (V5, V4) if name in offered]
        if not protocols:
            raise RefusalError(400, "protocol", f"no protocol that is known here is offered: {V5}, {V4}")
        pod, _ = await find_pod(self._api, request)
        command = _command(request.query.getall("command", []), pod)
        tty = request.query.get("tty") == "1"
        began, log = time.monotonic(), _log.bind(pod=request.match_info["name"], user=request[CALLER].user)
        opened: list[web.WebSocketResponse] = []

        async def end_with(why: str) -> None:
            for each in opened:
                await each.send_bytes(bytes([STDOUT if tty else STDERR]) + f"\r\n{why}\r\n".encode())
                await each.close(code=WSCloseCode.POLICY_VIOLATION, message=why.encode()[:120])

        limited = self._usage.terminal(request, end_with) if self._usage else nullcontext()
        async with limited, _Upstream(self._session, self._api, pod, command, tty, protocols) as upstream:
            websocket = web.WebSocketResponse(
                protocols=[upstream.protocol or V4],
                heartbeat=EXEC_HEARTBEAT_SECONDS,
                max_msg_size=MAX_EXEC_MESSAGE_BYTES,
                compress=False,
            )
            await websocket.prepare(request)

            async def end() -> None:
                await websocket.close(code=WSCloseCode.POLICY_VIOLATION, message=_TOKEN_ENDED)

            self._open.add(websocket)
            opened.append(websocket)
            log.info("terminal opened")
            try:
                async with self._auth.while_valid(request, "ssh", end):
                    await _pass_both_ways(websocket, upstream)
            finally:
                self._open.discard(websocket)
                log.info("terminal closed", seconds=round(time.monotonic() - began, 1))
        return websocket


class _Upstream:
    """The API server's end, in a context. Raises RefusalError when it refuses."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api: ClusterApi,
        pod: Object,
        command: Sequence[str],
        tty: bool,
        protocols: Sequence[str],
    ) -> None:
        query = [("container", _container(pod)), ("stdin", "1"), ("stdout", "1"), ("stderr", str(int(not tty)))]
        query += [("tty", str(int(tty))), *(("command", word) for word in command)]
        path = f"/api/v1/namespaces/{api.namespace}/pods/{pod['metadata']['name']}/exec"
        host, self._options = connection(api.client)
        self._call = session.ws_connect(
            host + path,
            params=query,
            protocols=protocols,
            heartbeat=EXEC_HEARTBEAT_SECONDS,
            max_msg_size=0,
            **self._options,
        )

    async def __aenter__(self) -> aiohttp.ClientWebSocketResponse[Any]:
        try:
            async with asyncio.timeout(EXEC_START_SECONDS):
                websocket: aiohttp.ClientWebSocketResponse[Any] = await self._call
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (400, 404):
                raise RefusalError(409, "not-running", "the pod does not run, or not any more", "list pods") from None
            raise _refused(f"{error.status} {error.message}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _refused(str(error) or "no answer in time") from None
        self._websocket = websocket
        return websocket

    async def __aexit__(self, *_: object) -> None:
        await self._websocket.close()


def connection(client: KubernetesClient) -> tuple[str, dict[str, Any]]:
    """Return the API server's address, and what aiohttp needs to be let in there."""
    configuration = client.configuration
    options: dict[str, Any] = {"server_hostname": configuration.tls_server_name}
    if configuration.host.startswith("https"):
        options["ssl"] = context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if not configuration.verify_ssl:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    bearer = configuration.auth_settings().get("BearerToken")  # as it is now; a pod's changes each hour
    return configuration.host, {**options, "headers": {"Authorization": bearer["value"]} if bearer else {}}


def _refused(reason: str) -> RefusalError:
    waits = {"Retry-After": str(PROXY_RETRY_SECONDS)}
    return RefusalError(503, "cluster-away", f"the cluster opens no terminal: {reason}", "try again in a moment", waits)


def _command(given: Sequence[str], pod: Object) -> Sequence[str]:
    """Return what to run. Raises RefusalError."""
    if not given:
        is_worker = pod["metadata"]["labels"][COMPONENT] == WORKER
        return ["/bin/sh", "-c", _SHELL if is_worker else DATABASE_SHELL]
    if sum(map(len, given)) + len(given) > MAX_EXEC_COMMAND or "\0" in "".join(given):
        raise RefusalError(400, "invalid", f"command: at most {MAX_EXEC_COMMAND:,} characters, none of them zero")
    return given


def _container(pod: Object) -> str:
    """Return the container that a pod is about."""
    named = (pod["metadata"].get("annotations") or {}).get(_CONTAINER)
    return str(named or pod["spec"]["containers"][0]["name"])


async def _pass_both_ways(websocket: web.WebSocketResponse, upstream: aiohttp.ClientWebSocketResponse[Any]) -> None:
    """Pass messages until one side closes; then close the other."""
    tasks = [
        asyncio.create_task(_from_client(websocket, upstream)),
        asyncio.create_task(_to_client(upstream, websocket)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await websocket.close()


async def _from_client(websocket: web.WebSocketResponse, upstream: aiohttp.ClientWebSocketResponse[Any]) -> None:
    """Pass input, sizes and ends of channels on; anything else ends it."""
    accepted = (STDIN, RESIZE, CLOSE) if upstream.protocol == V5 else (STDIN, RESIZE)
    async for message in websocket:
        if message.type is not WSMsgType.BINARY or not message.data or message.data[0] not in (STDIN, RESIZE, CLOSE):
            await websocket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"only channels 0, 4 and 255 are taken")
            return
        if message.data[0] in accepted:  # v4 cannot end a channel
            await upstream.send_bytes(message.data)


async def _to_client(upstream: aiohttp.ClientWebSocketResponse[Any], websocket: web.WebSocketResponse) -> None:
    """Pass on what the pod says."""
    async for message in upstream:
        if message.type is WSMsgType.BINARY:
            await websocket.send_bytes(message.data)
