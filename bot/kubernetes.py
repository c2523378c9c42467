"""The one client of Kubernetes' API: how a cluster is found, the calls, and errors by whether another try helps.

Objects are plain dictionaries, and a call takes the path of https://kubernetes.io/docs/reference/using-api/api-concepts/:
so it serves every kind, those of other people's manifests too. The package `kubernetes` does logins and connections; it
takes long to import, so that happens with the first client, not with this module.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

from bot.kubernetes_errors import (
    ApiAwayError,
    ApiError,
    KubernetesError,
    NoClusterError,
    NotThereError,
    answered,
    refusal,
)
from bot.limits import KUBERNETES_SECONDS, MAX_LOG_LINE_BYTES

__all__ = [
    "ApiAwayError",
    "ApiError",
    "KubernetesClient",
    "KubernetesError",
    "NoClusterError",
    "NotThereError",
    "Object",
]

Object = dict[str, Any]

_PAGE = 500  # objects of one answer to `list`
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"  # names and labels, no contents
_JSON, _MERGE, _APPLY = "application/json", "application/merge-patch+json", "application/apply-patch+yaml"
_OPERATIONS = "application/json-patch+json"
_CONNECTIONS = 64  # kept; each log that is followed holds one


class KubernetesClient:
    """Calls one cluster's API. Several threads may use it; all calls raise ApiError and ApiAwayError."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        """Connect to a context of the kubeconfig file, or to the cluster that this pod runs in.

        Without a file or a context, the file is the one that KUBECONFIG names; without that, a pod's own account is
        used, and outside of a pod ~/.kube/config. Raises NoClusterError.
        """
        import kubernetes

        configuration = kubernetes.client.Configuration()
        self.configuration = configuration
        self._file, self._context = kubeconfig or os.environ.get("KUBECONFIG") or None, context
        self._load()
        configuration.retries = False  # callers try again themselves, and hear of it
        configuration.connection_pool_maxsize = _CONNECTIONS
        self._client = kubernetes.client.ApiClient(configuration)
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def get(self, path: str, **query: object) -> Object | None:
        """Return an object, or None when it does not exist."""
        with suppress(NotThereError):
            return self._object("GET", path, query)
        return None

    def list(self, path: str, selector: str = "", *, fields: str = "", metadata: bool = False) -> list[Object]:
        """Return all objects of a kind, in one namespace if the path says so; `metadata`: names and labels only."""
        query: dict[str, object] = {"limit": _PAGE, "labelSelector": selector, "fieldSelector": fields}
        found: list[Object] = []
        while True:
            page = self._object("GET", path, query, accept=_METADATA if metadata else _JSON)
            if not page["kind"].endswith("List") or "items" not in page:  # an empty list would be taken for absence
                raise ApiAwayError(f"the cluster does not answer: a {page['kind']} instead of a list")
            found += page["items"] or []  # null, of old servers
            if not (more := (page.get("metadata") or {}).get("continue")):
                return found
            query["continue"] = more

    def create(self, path: str, body: Object) -> Object:
        """Create an object, and return it as the server has it. `path`: of its kind, without its name."""
        return self._object("POST", path, {}, body)

    def replace(self, path: str, body: Object) -> Object:
        """Write a whole object that was read, and return the result. Raises ApiError 409 when it changed since then."""
        return self._object("PUT", path, {}, body)

    def patch(self, path: str, body: Object | Sequence[Object]) -> Object:
        """Change an object, and return the result. `body`: what to merge (RFC 7386), or operations (RFC 6902)."""
        return self._object("PATCH", path, {}, body, _MERGE if isinstance(body, dict) else _OPERATIONS)

    def apply(self, path: str, body: Object, manager: str, *, dry_run: bool = False) -> Object:
        """Apply a whole object on the server's side, over fields of other managers, and return the result.

        `dry_run`: change nothing, return what would come out.
        https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        query = {"dryRun": "All" if dry_run else "", "fieldManager": manager, "force": "true"}
        return self._object("PATCH", path, query, body, _APPLY)

    def delete(self, path: str, uid: str = "", **options: object) -> None:
        """Delete an object (`uid`: this one, or ApiError 409) and what belongs to it; it need not exist."""
        body = {"preconditions": {"uid": uid}} if uid else None
        with suppress(NotThereError):
            self._object("DELETE", path, {"propagationPolicy": "Background", **options}, body)

    def path(self, manifest: Mapping[str, Any], namespace: str) -> str:
        """Return the path of a manifest's object, for the other calls. Raises ApiError for an unknown kind.

        `namespace`: for an object of a namespace that names none itself.
        """
        version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._kinds:
            known = self._object("GET", base, {}).get("resources") or []
            objects = [each for each in known if "/" not in each["name"]]
            self._kinds[version] = {each["kind"]: (each["name"], each["namespaced"]) for each in objects}
        if kind not in self._kinds[version]:
            raise ApiError(f"the cluster has no {kind} of {version}", 404)
        plural, namespaced = self._kinds[version][kind]
        within = f"/namespaces/{manifest['metadata'].get('namespace', namespace)}" if namespaced else ""
        return f"{base}{within}/{plural}/{manifest['metadata']['name']}"

    def lines(
        self, path: str, seconds: float | None, opened: Callable[[Any], None] = lambda _: None, **query: object
    ) -> Iterator[bytes]:
        """Yield the lines of a text, such as a pod's log, as they come; of a very long one the beginning.

        It ends, with ApiAwayError, when `seconds` pass without a line; None: never. `opened` gets the answer before
        the first line: its method `shutdown`, called from another thread, ends the lines.
        """
        answer = self._request("GET", path, query, None, "", "*/*", (KUBERNETES_SECONDS, seconds)).response
        opened(answer)
        try:
            with answered():
                yield from _lines(answer.stream(decode_content=True))
        finally:
            answer.close()

    @contextmanager
    def exec(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Iterator[Any]:
        """Run a command in a container for the block, which gets the channel to it (kubernetes' WSClient).

        https://kubernetes.io/docs/reference/kubectl/generated/kubectl_exec/
        """
        import kubernetes

        # A client of its own: `stream` changes the one that it is given while it works.
        pods = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(self.configuration))
        options = {"container": container, "command": list(command), "stdin": True, "stdout": True, "stderr": True}
        with answered():
            channel = kubernetes.stream.stream(
                pods.connect_get_namespaced_pod_exec, pod, namespace, **options, _preload_content=False
            )
            try:
                yield channel
            finally:
                channel.close()

    def forward(self, namespace: str, pod: str, port: int) -> Any:
        """Return a socket whose other end is a port of a pod; a thread passes on what goes through it.

        https://kubernetes.io/docs/reference/kubectl/generated/kubectl_port-forward/
        """
        import kubernetes

        pods = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(self.configuration))
        with answered():
            forwarded = kubernetes.stream.portforward(
                pods.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port)
            )
        return forwarded.socket(port)

    def version(self) -> str:
        """Return the server's version, such as v1.34.1."""
        return str(self._json("GET", "/version", {})["gitVersion"])

    def may(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """Return whether this account may do that in the namespace. `resource`: such as `pods` or `pods/log`."""
        name, _, sub = resource.partition("/")
        attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": name, "subresource": sub}
        review = {"spec": {"resourceAttributes": attributes}}
        answer = self.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def _object(self, method: str, path: str, *others: Any, **options: Any) -> Object:
        """Return the object that is answered; takes what `_json` takes."""
        found = self._json(method, path, *others, **options)
        if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
            raise ApiAwayError("the cluster does not answer: what came is no object of Kubernetes'")
        return found

    def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: Object | Sequence[Object] | None = None,
        content: str = _JSON,
        accept: str = _JSON,
    ) -> Object:
        answer = self._request(method, path, query, body, content, accept, KUBERNETES_SECONDS)
        with answered():
            found: Object = json.loads(answer.read())
        return found

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: Object | Sequence[Object] | None,
        content: str,
        accept: str,
        seconds: object,
    ) -> Any:
        full = f"{path}?{urlencode({name: value for name, value in query.items() if value != ''})}"
        headers = {"Accept": accept, "Content-Type": content} if body else {"Accept": accept}
        with answered():
            answer = self._send(method, full, headers, body, seconds)
            if answer.status == 401 and self._renew_token():
                answer = self._send(method, full, headers, body, seconds)
            if answer.status >= 400:
                raise refusal(answer.status, answer.reason, answer.read().decode(errors="replace"))
        return answer

    def _send(self, method: str, full: str, headers: dict[str, str], body: object, seconds: object) -> Any:
        request = self._client.param_serialize(
            method, full, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        return self._client.call_api(*request, _request_timeout=seconds)

    def _load(self) -> None:
        """Read how the cluster is reached, and the login. Raises NoClusterError."""
        import kubernetes
        import yaml

        try:
            if self._file or self._context or not _load_own_account(self.configuration):
                kubernetes.config.load_kube_config(self._file, self._context, self.configuration)
        except (
            kubernetes.config.ConfigException,
            yaml.YAMLError,
            OSError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            reason = " ".join(str(error).split())[:300]
            raise NoClusterError(f"no cluster is configured: {reason}", reason) from None

    def _renew_token(self) -> bool:
        """Use the token as it is kept now, which changes in a pod each hour. Return whether it has changed."""
        before = dict(self.configuration.api_key)
        with suppress(NoClusterError):
            self._load()
        return bool(before != self.configuration.api_key)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    begun, size = list[bytes](), 0
    for piece in pieces:
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield b"".join([*begun, end, b"\n"])
            begun, size = [], 0
        if size < MAX_LOG_LINE_BYTES:  # what comes behind it is let go
            begun.append(rest)
            size += len(rest)
    if size:
        yield b"".join(begun)


def _load_own_account(configuration: Any) -> bool:
    """Configure the account that this pod has; return False outside of a pod."""
    import kubernetes

    try:
        kubernetes.config.load_incluster_config(configuration)
    except kubernetes.config.ConfigException:
        return False
    return True
