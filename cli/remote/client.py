"""Calls of a cluster's proxy (`/v1`), whose shapes are in cluster/runs_api.py."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, urlencode

import requests
import tenacity
from pydantic import BaseModel

from cli.remote.clusters import NamedCluster
from cli.remote.errors import ProxyAwayError, ProxyRefusedError, away, read_answer, refusal
from cli.remote.limits import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    MAX_ERROR_BYTES,
    PUBLISH_ANSWER_SECONDS,
    RETRY_SECONDS,
    RETRY_WAIT_SECONDS,
    STREAM_SILENCE_SECONDS,
    UPLOAD_SILENCE_SECONDS,
)
from cli.remote.tokens import VARIABLE, read_token
from cluster.runs_api import (
    ClusterInfo,
    DatabaseAccess,
    LoginInfo,
    PodInfo,
    PodList,
    PublishedFiles,
    PublishGrant,
    PublishRequest,
    RunInfo,
    RunList,
    RunRequest,
)

if TYPE_CHECKING:
    from requests import PreparedRequest

    from cli.remote.port_forward import ServiceAddress

T = TypeVar("T")
Shape = TypeVar("Shape", bound=BaseModel)


class ProxyClient:
    """A context with one cluster's proxy. All calls raise ProxyAwayError and ProxyRefusedError."""

    def __init__(self, cluster: NamedCluster, token: str, note: Callable[[str], None]) -> None:
        """Connect at the first call; `note` gets a line about how, where that is not by the cluster's URL."""
        self.cluster, self.token = cluster, token
        self.session = requests.Session()
        self.session.auth = bearer(token)
        self.service = None if cluster.url else self._through_api_server(note)
        self.base = cluster.url or "http://dppctl-proxy"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()

    def login(self) -> LoginInfo:
        """Return how people log in; a proxy that does not say so takes tokens. It is not tried again."""
        try:
            return self._get(LoginInfo, "/v1/login")
        except ProxyRefusedError as error:
            if error.code and error.status in (401, 404):  # of an older proxy
                return LoginInfo()
            raise

    def about(self) -> ClusterInfo:
        """Return what the cluster says of itself and of whose token it is. It is not tried again."""
        return self._get(ClusterInfo, "/v1/cluster")

    def has_workload(self, sha256: str) -> bool:
        """Return whether a workload is there already."""
        try:
            self._again(lambda: self._empty("HEAD", f"/v1/workloads/{sha256}"))
        except ProxyRefusedError as error:
            if error.status == 404:
                return False
            raise
        return True

    def put_workload(self, sha256: str, open_content: Callable[[], object]) -> None:
        """Upload a workload; `open_content` gives it from its start, once for each try."""
        path, seconds = f"/v1/workloads/{sha256}", UPLOAD_SILENCE_SECONDS
        self._again(lambda: self._empty("PUT", path, data=open_content(), seconds=seconds))

    def create_run(self, request: RunRequest, key: str) -> RunInfo:
        """Ask for a run; with the same key once only, however often it is tried."""
        body = request.model_dump_json(by_alias=True)
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return self._again(lambda: self._get(RunInfo, "/v1/runs", "POST", data=body, headers=headers))

    def run(self, name: str) -> RunInfo:
        """Return a run as it is now."""
        return self._again(lambda: self._get(RunInfo, f"/v1/runs/{quote(name, safe='')}"))

    def runs(self) -> tuple[RunInfo, ...]:
        """Return this person's runs."""
        return self._again(lambda: self._get(RunList, "/v1/runs")).runs

    def stop_run(self, name: str) -> None:
        """Ask for the end of a run."""
        self._again(lambda: self._empty("POST", f"/v1/runs/{quote(name, safe='')}/stop"))

    def database(self, name: str) -> DatabaseAccess | None:
        """Return how a run's database is reached; None: it has none."""
        try:
            return self._again(lambda: self._get(DatabaseAccess, f"/v1/runs/{quote(name, safe='')}/database"))
        except ProxyRefusedError as error:
            if error.status == 404:
                return None
            raise

    def usage(self, query: str) -> str:
        """Return a report of use, as the query says: JSON or CSV."""

        def ask() -> str:
            with self.call("GET", f"/v1/usage?{query}") as answer:
                return answer.content.decode(errors="replace")

        return self._again(ask)

    def ask_to_publish(self, request: PublishRequest) -> PublishGrant:
        """Ask for a place in the cluster's storage. It is not tried again, as each try takes of the limit."""
        return self._get(PublishGrant, "/v1/publications", "POST", data=request.model_dump_json(by_alias=True))

    def put_publication(self, uid: str, content: Iterator[bytes]) -> PublishedFiles:
        """Upload a tar, with the token for that, and return what is published; the content comes once."""
        path = f"/v1/publications/{uid}"
        return self._get(PublishedFiles, path, "PUT", data=content, seconds=PUBLISH_ANSWER_SECONDS)

    def pods(self) -> tuple[PodInfo, ...]:
        """Return the pods of the pools."""
        return self._again(lambda: self._get(PodList, "/v1/pods")).pods

    def remove_pod(self, name: str) -> None:
        """Ask for the end of a pod."""
        self._again(lambda: self._empty("DELETE", f"/v1/pods/{quote(name, safe='')}"))

    @contextmanager
    def events(self, name: str, after: int) -> Iterator[requests.Response]:
        """Have the stream of a run's events after this number in a context. It is not tried again."""
        path = f"/v1/runs/{quote(name, safe='')}/events?{urlencode({'after': after})}"
        with self.call("GET", path, seconds=STREAM_SILENCE_SECONDS, stream=True) as answer:
            yield answer

    @contextmanager
    def call(
        self,
        method: str,
        path: str,
        *,
        seconds: float = ANSWER_SECONDS,
        stream: bool = False,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> Iterator[requests.Response]:
        """Ask once, and have the answer, which is one of 2xx, in a context. `seconds`: of silence."""
        try:
            with self.session.request(
                method,
                self.base + path,
                headers=dict(headers or {}),
                data=data,
                stream=True,
                timeout=(CONNECT_SECONDS, seconds),
                allow_redirects=False,
            ) as answer:
                if not 200 <= answer.status_code < 300:
                    body = answer.raw.read(MAX_ERROR_BYTES, decode_content=True)
                    raise refusal(answer, body, self.cluster.name)
                if not stream:
                    _ = answer.content
                yield answer
        except (requests.RequestException, OSError) as error:
            raise away(error, self.cluster.name, str(self.cluster)) from None

    def _through_api_server(self, note: Callable[[str], None]) -> "ServiceAddress":
        from cli.remote.port_forward import ServiceAdapter, ServiceAddress  # kubernetes takes long to import

        service = ServiceAddress(self.cluster, note)
        self.session.trust_env = False  # a proxy of the network has no part in it
        self.session.mount("http://", ServiceAdapter(service))
        return service

    def _get(self, shape: type[Shape], path: str, method: str = "GET", **options: Any) -> Shape:
        with self.call(method, path, **options) as answer:
            return read_answer(shape, answer, self.cluster.name)

    def _empty(self, method: str, path: str, **options: Any) -> None:
        with self.call(method, path, **options):
            pass

    def _again(self, call: Callable[[], T]) -> T:
        """Call until the proxy answers, for a while: it may be restarting."""
        first, most = RETRY_WAIT_SECONDS
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ProxyAwayError),
            wait=tenacity.wait_exponential_jitter(multiplier=first, max=most, jitter=first),
            stop=tenacity.stop_after_delay(RETRY_SECONDS),
            reraise=True,
        )(call)


def connect(cluster: NamedCluster, note: Callable[[str], None]) -> ProxyClient:
    """Return a client with the person's token. Raises InputError when there is none."""
    if cluster.login and os.environ.get(VARIABLE):
        note(f"{VARIABLE} is used, and not the login as {cluster.login}")
    return ProxyClient(cluster, read_token(cluster.name), note)


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: "PreparedRequest") -> "PreparedRequest":
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def bearer(token: str) -> requests.auth.AuthBase:
    """Return what shows a token ("": none) with each request; not a header: ~/.netrc would win over it."""
    return _Bearer(token)
