"""The few calls to Kubernetes' API that sync needs, with plain dictionaries as answers."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from bot.limits import KUBERNETES_SECONDS
from cluster.errors import ClusterError

Object = dict[str, Any]

_PAGE = 500
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"  # names and labels, no contents
_APPLY = "application/apply-patch+yaml"
_CONNECTIONS = 64


class ApiError(ClusterError):
    """The API server said no."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ApiAwayError(ClusterError):
    """The API server does not answer, or not now."""


class Api:
    """Several threads may use it."""

    def __init__(self) -> None:
        """The cluster that KUBECONFIG names, else the one that this pod is in. Raises ClusterError for neither."""
        import kubernetes  # slow to import, and few commands need it

        configuration = kubernetes.client.Configuration()
        try:
            if os.environ.get("KUBECONFIG"):
                raise kubernetes.config.ConfigException  # a file was asked for
            kubernetes.config.load_incluster_config(configuration)
        except kubernetes.config.ConfigException:
            try:
                kubernetes.config.load_kube_config(client_configuration=configuration)
            except kubernetes.config.ConfigException as error:
                raise ClusterError(f"no cluster: {error}; let KUBECONFIG name one, or run in a pod") from None
        configuration.retries = False  # sync looks again anyway
        configuration.connection_pool_maxsize = _CONNECTIONS
        self._client = kubernetes.client.ApiClient(configuration)
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def get(self, path: str, **query: object) -> Object | None:
        """An object, or None. Raises ApiError and ApiAwayError, as all calls do."""
        try:
            return self._json("GET", path, query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, path: str, selector: str = "", *, metadata: bool = False) -> list[Object]:
        """All objects of a kind in a namespace; of these `metadata` alone, when asked so."""
        query: dict[str, object] = {"limit": _PAGE, "labelSelector": selector}
        found: list[Object] = []
        while True:
            page = self._json("GET", path, query, accept=_METADATA if metadata else "application/json")
            found += page["items"] or []  # null, of old servers
            if not (more := page["metadata"].get("continue")):
                return found
            query["continue"] = more

    def create(self, path: str, body: Object) -> Object:
        """Make it."""
        return self._json("POST", path, {}, body)

    def patch(self, path: str, body: Object) -> Object:
        """Merge it in: https://www.rfc-editor.org/rfc/rfc7386."""
        return self._json("PATCH", path, {}, body, "application/merge-patch+json")

    def would_be(self, path: str, body: Object) -> Object:
        """What server-side apply in helm's name would make of it; nothing is changed."""
        query = {"dryRun": "All", "fieldManager": "helm", "force": "true"}
        return self._json("PATCH", path, query, body, _APPLY)

    def delete(self, path: str) -> None:
        """Remove it, with what belongs to it; that it is gone already is fine."""
        try:
            self._json("DELETE", path, {"propagationPolicy": "Background"})
        except ApiError as error:
            if error.status != 404:
                raise

    def path(self, thing: Mapping[str, Any], namespace: str) -> str:
        """Where an object of a manifest is, for the other calls. Raises ApiError for a kind that is not there."""
        version, kind = str(thing["apiVersion"]), str(thing["kind"])
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._kinds:
            listed = self._json("GET", base, {})["resources"]
            plain = [one for one in listed if "/" not in one["name"]]
            self._kinds[version] = {one["kind"]: (one["name"], one["namespaced"]) for one in plain}
        if kind not in self._kinds[version]:
            raise ApiError(f"the cluster has no {kind} of {version}", 404)
        plural, namespaced = self._kinds[version][kind]
        where = f"/namespaces/{thing['metadata'].get('namespace', namespace)}" if namespaced else ""
        return f"{base}{where}/{plural}/{thing['metadata']['name']}"

    def lines(self, path: str, seconds: float, opened: Callable[[Any], None], **query: object) -> Iterator[bytes]:
        """A text as it comes, until `seconds` pass without a line. `opened` gets the answer; its `shutdown` ends it."""
        answer = self._request("GET", path, query, None, "", "*/*", (KUBERNETES_SECONDS, seconds)).response
        opened(answer)
        try:
            with answered():
                yield from answer
        finally:
            answer.close()

    def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: Object | None = None,
        content: str = "application/json",
        accept: str = "application/json",
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
        body: Object | None,
        content: str,
        accept: str,
        seconds: object,
    ) -> Any:
        full = f"{path}?{urlencode({name: value for name, value in query.items() if value != ''})}"
        headers = {"Accept": accept, "Content-Type": content} if body else {"Accept": accept}
        with answered():
            asked = self._client.param_serialize(
                method, full, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer = self._client.call_api(*asked, _request_timeout=seconds)
            if answer.status >= 400:
                text = answer.read().decode(errors="replace")
                message = f"the cluster refused: {answer.status} {answer.reason}: {_message(text)}"
                if answer.status in (429, 500, 502, 503, 504):
                    raise ApiAwayError(message)
                raise ApiError(message, answer.status)
        return answer


@contextmanager
def answered() -> Iterator[None]:
    """The errors of the client's libraries as ApiAwayError."""
    import kubernetes
    import urllib3

    try:
        yield
    except (kubernetes.client.ApiException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise ApiAwayError(f"the cluster does not answer: {error}") from None


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200]
