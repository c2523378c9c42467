"""What a spec's `hooks:` are told by the runner is what dpp tells them, in the same order."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.worker import Worker

Files = Callable[[Mapping[str, str]], Path]


class Hooks:
    """A server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        posts = self.posts

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Hook)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def taken(self) -> dict[str, list[dict[str, Any]]]:
        """Return the posts of each pipeline since the last call, without its log."""
        posts = [{key: value for key, value in post.items() if key != "log"} for post in self.posts]
        self.posts.clear()
        return {name: [post for post in posts if post["pipeline_id"] == name] for name in ("./good", "./bad")}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    server = Hooks()
    yield server
    server.close()


def test_hooks_are_told_what_dpp_tells_them(worker: Worker, workload: Files, hooks: Hooks) -> None:
    spec = f"""
        good: {{hooks: ['{hooks.url}'], pipeline: [{{run: update_package, parameters: {{name: a}}}}, {{run: count}}]}}
        bad: {{hooks: ['{hooks.url}'], pipeline: [{{run: update_package, parameters: {{name: b}}}}, {{run: fails}}]}}
    """
    folder = workload(
        {
            "pipeline-spec.yaml": spec,
            "count.py": "from datapackage_pipelines.wrapper import process\nprocess()",
            "fails.py": "raise ValueError('no members')",
        }
    )
    outcome = worker.run(folder)
    assert {name: result["runner"].split(":")[0] for name, result in outcome.results.items()} == {
        "./good": "lanes",
        "./bad": "lanes",
    }
    by_runner = hooks.taken()
    assert [post["event"] for post in by_runner["./good"]] == ["queue", "start", "progress", "finish"]
    assert [post.get("success") for post in by_runner["./bad"]] == [None, None, None, False]
    assert by_runner["./bad"][-1]["errors"][-1] == "ValueError: no members"
    worker.run(folder, ["--runner=dpp", "all"])
    assert hooks.taken() == by_runner
