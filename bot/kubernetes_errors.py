"""What is raised when Kubernetes' API refuses or does not answer, by whether another try helps."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import DppctlError, PermanentError, TransientError

# How `exec` tells of a refusal: https://github.com/websocket-client/websocket-client/blob/master/websocket/_handshake.py
_HANDSHAKE = re.compile(r"Handshake status (\d+) (.*?) -\+-\+- .* -\+-\+- (.*)", re.DOTALL)
_AWAY = (408, 410, 429)  # the same call may work later, as after 5xx; 410: a page of a list that has changed


class KubernetesError(DppctlError):
    """A call failed; `reason` is what the server or the network says of it, without our own words."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class NoClusterError(KubernetesError, PermanentError):
    """No cluster is configured, or its kubeconfig file cannot be used."""


class ApiError(KubernetesError, PermanentError):
    """The API server refused, as for missing rights (401, 403) or a missing object (404); `kind`: of that object."""

    def __init__(self, message: str, status: int, reason: str = "", kind: str = "") -> None:
        super().__init__(message, reason)
        self.status, self.kind = status, kind


class NotThereError(ApiError):
    """The API server says of an object, by its name, that it is not there. Another 404, as of a proxy, does not."""


class ApiAwayError(KubernetesError, TransientError):
    """The API server does not answer, or not now (429, 5xx), or something else does in its place."""


@contextmanager
def answered() -> Iterator[None]:
    """Raise the errors of the client's libraries as ApiError and ApiAwayError."""
    import kubernetes
    import urllib3
    from websocket import WebSocketException

    try:
        yield
    except kubernetes.client.ApiException as error:
        if handshake := _HANDSHAKE.fullmatch(str(error.reason)):
            raise refusal(int(handshake[1]), handshake[2], handshake[3]) from None
        raise refusal(error.status or 0, error.reason, str(error.body or "")) from None
    except (urllib3.exceptions.HTTPError, WebSocketException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ApiAwayError(f"the cluster does not answer: {reason}", reason) from None


def refusal(status: int, phrase: str, body: str) -> KubernetesError:
    """Return the error for an answer; https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/.

    `phrase`: what HTTP calls the status; `body`: the answer's text.
    """
    try:
        said = json.loads(body)
        reason, details = str(said["message"]), said.get("details") or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        reason, details = body[:200], {}
    message, reason = f"the cluster refused: {status} {phrase}: {reason}".rstrip(": "), reason or f"{status} {phrase}"
    if status == 0 or status in _AWAY or status >= 500:
        return ApiAwayError(message, reason)
    if status == 404 and details.get("name"):
        return NotThereError(message, status, reason, str(details.get("kind", "")))
    return ApiError(message, status, reason)
