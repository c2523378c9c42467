"""Storages over HTTP, for this machine only: what was published, with listings of folders."""

import os
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from cluster.limits import FILE_SERVER_SECONDS

_TYPES = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".ndjson": "application/x-ndjson",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_HOSTS = ("127.0.0.1", "localhost")


def serve_in_thread(listening: socket.socket, folders: Mapping[str, Path]) -> Callable[[], None]:
    """Serve each folder below its URL path (`/NAME`) on a socket that listens already and stays the caller's.

    Folders may come, go and be replaced meanwhile. Returns what ends it.
    """

    class FilesHandler(_StorageHandler):
        storages = folders

    server = ThreadingHTTPServer(("127.0.0.1", 0), FilesHandler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.server_name, server.server_port = listening.getsockname()[:2]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server.shutdown


class _StorageHandler(SimpleHTTPRequestHandler):
    storages: Mapping[str, Path]
    timeout = FILE_SERVER_SECONDS
    server_version = "dppctl"
    sys_version = ""
    extensions_map = SimpleHTTPRequestHandler.extensions_map | _TYPES

    def send_head(self) -> BytesIO | BinaryIO | None:
        # A page from elsewhere may name a host that leads here: https://en.wikipedia.org/wiki/DNS_rebinding
        if (self.headers.get("Host") or "localhost").rpartition(":")[0] not in _HOSTS:
            self.send_error(HTTPStatus.FORBIDDEN, "Ask for 127.0.0.1")
            return None
        path = Path(self.translate_path(self.path))
        if not all(self._ours(page) for page in (path, path / "index.html", path / "index.htm")):
            self.send_error(HTTPStatus.NOT_FOUND, "File not found")
            return None
        return super().send_head()

    def translate_path(self, path: str) -> str:
        """Return a path below one of the storages, whatever the URL says; outside of them nothing exists."""
        if self._below is None:
            return "\0"
        self.directory = str(self.storages[self._below])
        return super().translate_path(path[len(self._below) :] or "/")

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        kind = str(super().guess_type(path))
        return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind == "application/json" else kind

    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send a site's own page for what does not exist."""
        page = self.storages[self._below] / "404.html" if code == HTTPStatus.NOT_FOUND and self._below else None
        if page is None or not page.is_file() or not self._ours(page):
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Drop it: nobody reads it."""

    def _ours(self, path: Path) -> bool:
        """Tell whether a path is in the storage: no link leads out of it."""
        if "\0" in str(path) or self._below is None:
            return False
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.storages[self._below]))

    @property
    def _below(self) -> str | None:
        """Return the URL path of the storage that is asked for."""
        asked = self.path.partition("?")[0].partition("#")[0] + "/"
        return next((path for path in self.storages if asked.startswith(path + "/")), None)
