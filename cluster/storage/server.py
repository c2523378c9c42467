"""The storage server: what is published, over HTTP. The same application for a run, `dppctl up` and a cluster.

Whoever published it is a stranger: a page of theirs has no origin (a sandbox, so its scripts reach nothing that a
browser keeps for this host or another), nothing has a cookie, and a type is what its name says. Everything else may
be read from any page (CORS), in parts (ranges), and again for nothing when it has not changed (ETag).
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Response

from bot.logs import get_logger
from bot.page_hosts import LOOPBACK_HOSTS, is_page_host
from cluster.storage import compression
from cluster.storage.backend import StorageBackend, StorageUnreachableError, split_path
from cluster.storage.content_types import content_type, is_active, is_text
from cluster.storage.layout import SITE
from cluster.storage.limits import NEAREST_OWN_PAGES
from cluster.storage.listing import POLICY, list_folder, listing_json, render_listing, render_message
from cluster.storage.request import StorageRequest, read_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_log = get_logger("dppctl.storage")
_METHODS = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Accept-Ranges, Content-Encoding, Content-Length, Content-Location, Content-Range, ETag, Last-Modified"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": ", ".join(_METHODS),
    "Access-Control-Allow-Headers": "Accept, If-Match, If-Modified-Since, If-None-Match, If-Range, Range",
    "Access-Control-Max-Age": "86400",
}
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy/sandbox
SITE_POLICY = "sandbox allow-scripts allow-popups allow-forms allow-downloads"
_OWN_PAGE = "404.html"
_TOPS = 3  # where a site may begin: at the top, in a run's WORKER/, in APP/ENVIRONMENT/


class StorageApp:
    """Storages by the paths that they are at: `""`, or `/APP/ENVIRONMENT`."""

    def __init__(self, mounts: Mapping[str, StorageBackend], *, hosts: Sequence[str] = (), base: str = "") -> None:
        """Show these; `hosts`: the names that it answers to, none: any; `base`: a path before all others (`/data`).

        A proxy in front of it may leave `base` away.
        """
        self._mounts, self._hosts, self._base = mounts, hosts, base

    def respond(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Answer a request (WSGI)."""
        try:
            response = self._answer(environ)
        except RequestedRangeNotSatisfiable as error:
            response = error.get_response(environ)
        except (StorageUnreachableError, OSError) as error:
            _log.warning("storage cannot be read", path=environ.get("PATH_INFO"), error=str(error))
            response = _message(503, "Not now", "What is published cannot be read at the moment. Try again soon.")
            response.headers["Retry-After"] = "5"
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.pop("Date", None)  # the server has one
        if environ["REQUEST_METHOD"] == "HEAD" or response.status_code == 304:
            response.close()  # nobody reads it
        return response(environ, start_response)

    def _answer(self, environ: "WSGIEnvironment") -> Response:
        if self._hosts and not is_page_host(environ.get("HTTP_HOST") or "localhost", self._hosts):
            return _message(403, "Another host", f"Ask for {self._hosts[0]}: a page from elsewhere has led here.")
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return Response(status=204, headers={**_PREFLIGHT, "Allow": ", ".join(_METHODS)})
        if method not in _METHODS:
            refused = _message(405, "Only to read", "What is published can be read here, and not changed.")
            refused.headers["Allow"] = ", ".join(_METHODS)
            return refused
        asked = read_request(environ, self._base)
        if "" in self._mounts and asked.path in ("/healthz", "/readyz"):
            return _probe(self._mounts[""].problem() if asked.path == "/readyz" else None)
        mounted = self._mounted(asked.path)
        if mounted is None:
            return _not_found()
        storage, path = mounted
        if path is None:
            return _to_folder(asked)
        if split_path(path) is None:
            return self._own_not_found(storage, "", asked)
        if path and not path.endswith("/"):
            return self._file(storage, path, asked)
        return self._folder(storage, path, asked)

    def _mounted(self, path: str | None) -> tuple[StorageBackend, str | None] | None:
        """Return the storage of a path, and the path in it; None in its place for one that lacks a slash."""
        for mount, storage in self._mounts.items():
            if path == mount and mount:
                return storage, None
            if path is not None and path.startswith(f"{mount}/"):
                return storage, path[len(mount) + 1 :]
        return None

    def _file(self, storage: StorageBackend, path: str, asked: StorageRequest) -> Response:
        response = storage.answer(path, asked.environ)
        if response is not None:
            return _dressed(response, path, asked)
        if storage.has_folder(path + "/"):
            return _to_folder(asked)
        return self._own_not_found(storage, path, asked)

    def _folder(self, storage: StorageBackend, path: str, asked: StorageRequest) -> Response:
        if not asked.wants_json:
            response = storage.answer(path + SITE, asked.environ)
            if response is not None:
                return _dressed(response, SITE, asked)
        listing = list_folder(storage, path)
        if listing is None:
            return self._own_not_found(storage, path, asked)
        if asked.wants_json:
            text, kind = json.dumps(listing_json(listing), ensure_ascii=False, indent=1), "application/json"
        else:
            text, kind = render_listing(listing), "text/html"
        response = Response(text, content_type=f"{kind}; charset=utf-8")
        response.add_etag()
        if not asked.wants_json:
            response.headers["Content-Security-Policy"] = POLICY
        return _finished(response.make_conditional(asked.environ), kind, asked)

    def _own_not_found(self, storage: StorageBackend, path: str, asked: StorageRequest) -> Response:
        """Return the page that the site itself has for what does not exist: of the nearest folder upwards."""
        parts = (split_path(path.rpartition("/")[0]) or ()) if path else ()
        counts = [*range(len(parts), -1, -1)]
        for count in dict.fromkeys((*counts[:NEAREST_OWN_PAGES], *counts[-_TOPS:])):
            page = "".join(f"{part}/" for part in parts[:count]) + _OWN_PAGE
            response = storage.answer(page, asked.without_conditions)
            if response is not None:
                response.status_code = 404
                for name in ("ETag", "Last-Modified", "Accept-Ranges", "Content-Location"):
                    response.headers.pop(name, None)
                return _dressed(response, page, asked)
        return _not_found()


def hosts_of(host: str, url: str) -> tuple[str, ...]:
    """Return the names that a storage server answers to, which listens on `host`; none: any.

    Only this machine reaches it on loopback, so a page that asks for another name was led here.
    """
    if host not in LOOPBACK_HOSTS:
        return ()
    return (host, *LOOPBACK_HOSTS, *filter(None, [urlsplit(url).hostname]))


def _probe(problem: str | None) -> Response:
    return Response(f"{problem or 'ok'}\n", 503 if problem else 200, content_type="text/plain; charset=utf-8")


def _dressed(response: Response, path: str, asked: StorageRequest) -> Response:
    """Return a file's answer with its type, and the policy of pages that strangers wrote."""
    kind = content_type(path)
    if response.status_code != 304:
        response.content_type = kind
    if is_active(kind):
        response.headers["Content-Security-Policy"] = SITE_POLICY
    return _finished(response, kind, asked)


def _finished(response: Response, kind: str, asked: StorageRequest) -> Response:
    response.headers.setdefault("Cache-Control", "no-cache")  # it may be kept, and is asked for whether it is the same
    if is_text(kind):
        response.vary.add("Accept-Encoding")
        if asked.takes_gzip:
            compression.compress(response)
    return response


def _to_folder(asked: StorageRequest) -> Response:
    """Return a redirect to the folder; relative, as a proxy may have other names for what is above it."""
    query = f"?{asked.query}" if asked.query else ""
    name = (asked.path or "").rpartition("/")[2]
    return Response(status=301, headers={"Location": f"./{quote(name)}/{query}", "Cache-Control": "no-cache"})


def _not_found() -> Response:
    return _message(404, "Not here", "There is nothing at this address, or not any more.")


def _message(status: int, title: str, text: str) -> Response:
    response = Response(render_message(title, text), status, content_type="text/html; charset=utf-8")
    response.headers.update({"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})
    return response
