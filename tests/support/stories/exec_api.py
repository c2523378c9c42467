"""An API server's part in `exec`, on loopback: pods, runs, and a program in a pod that speaks Kubernetes' channels.

The program says what it is given; `exit N` ends it with that code.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


@dataclass
class ExecApi:
    """What is there, and what was asked."""

    protocols: tuple[str, ...] = (V5, V4)
    pods: dict[str, dict[str, str]] = field(default_factory=dict)  # their labels by name
    runs: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    queries: list[list[tuple[str, str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    got: list[bytes] = field(default_factory=list)
    ended: int = 0  # programs whose connection is closed

    async def _pod(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.pods:
            details = {"kind": "Status", "message": "not found", "details": {"name": name, "kind": "pods"}}
            return web.json_response(details, status=404)
        about = {"name": name, "uid": f"uid-{name}", "labels": self.pods[name]}
        return web.json_response({"kind": "Pod", "metadata": about, "spec": {"containers": [{"name": "worker"}]}})

    async def _runs(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "PipelineRunList", "items": self.runs})

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(list(request.query.items()))
        self.headers.append(dict(request.headers))
        if request.match_info["name"] == "gone":
            return web.Response(status=404)
        websocket = web.WebSocketResponse(protocols=self.protocols)
        await websocket.prepare(request)
        async for message in websocket:
            if message.type is not WSMsgType.BINARY:
                continue
            self.got.append(message.data)
            if message.data.startswith(b"\x00exit "):
                code = message.data[6:].decode()
                causes = [{"reason": "ExitCode", "message": code}]
                await websocket.send_bytes(b"\x03" + json.dumps({"details": {"causes": causes}}).encode())
                break
            await websocket.send_bytes(bytes([2 if message.data[0] == 4 else 1]) + message.data[1:])
        await websocket.close()
        self.ended += 1
        return websocket

    @contextmanager
    def serving(self) -> Iterator["ExecApi"]:
        """Have it answer in this context, in a loop of its own."""
        loop = asyncio.new_event_loop()
        ready, stop = threading.Event(), asyncio.Event()

        async def work() -> None:
            application = web.Application()
            pods = "/api/v1/namespaces/runs/pods/{name}"
            application.add_routes([web.get(pods, self._pod), web.get(f"{pods}/exec", self._exec)])
            application.add_routes([web.get("/apis/dppctl.io/v1alpha1/namespaces/runs/pipelineruns", self._runs)])
            runner = web.AppRunner(application, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await stop.wait()
            await runner.cleanup()

        thread = threading.Thread(target=lambda: loop.run_until_complete(work()))
        thread.start()
        ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()
