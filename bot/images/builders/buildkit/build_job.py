"""The Job of one build in the cluster: create it, look at its pod, give it the app's files, read its log, delete it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from bot.images.builders.buildkit.job import WORK
from bot.images.builders.interface import BuildPutOffError
from bot.images.builders.process import Deadline
from bot.kubernetes import ApiError, KubernetesClient, Object
from bot.output import printable

_LOOK_SECONDS = 0.5
_CHUNK = 2**16


class BuildJob:
    """Calls about one Job and its only pod; all raise KubernetesError and BuildPutOffError."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._pod: str | None = None  # its name, once it was seen
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"

    def create(self, manifest: dict[str, Any]) -> None:
        """Create the Job."""
        self._client.create(self._jobs, manifest)

    def delete(self) -> None:
        """Delete the Job and its pod, which gets no time to end."""
        self._client.delete(f"{self._jobs}/{self._name}", gracePeriodSeconds=0)
        for pod in self._list():
            self._client.delete(f"{self._pods}/{pod['metadata']['name']}", gracePeriodSeconds=0)

    def pod(self) -> Object:
        """Return the pod; empty as long as there was none.

        Raises BuildPutOffError when it is gone, for no other has the app's files, and when the Job failed without one.
        """
        found = next((pod for pod in self._list() if self._pod in (None, pod["metadata"]["name"])), None)
        if found:
            self._pod = str(found["metadata"]["name"])
            return found
        if self._pod:
            raise self._gone()
        status = (self._client.get(f"{self._jobs}/{self._name}") or {}).get("status") or {}
        for condition in status.get("conditions") or []:
            if condition["type"] == "Failed" and condition["status"] == "True":
                why = condition.get("message") or condition.get("reason")
                raise BuildPutOffError(f"the cluster ended the build: {why}")
        return {}

    def log(self, put: Callable[[str | None], None], secrets: Sequence[str]) -> None:
        """Give each line of the build's log to `put` as it comes, without secrets, then None.

        None also comes when connection or pod are gone.
        """
        longest_first = sorted(secrets, key=len, reverse=True)
        try:
            path = f"{self._pods}/{self._pod_name()}/log"
            for line in self._client.lines(path, None, container="buildkit", follow="true"):
                put(printable(line.rstrip(b"\r\n"), longest_first))
        except Exception as error:  # noqa: BLE001 - whatever it is, the pod's state says how the build ended
            put(f"the log of the build ends here: {error}")
        finally:
            put(None)

    def send(self, archive: IO[bytes], deadline: Deadline) -> None:
        """Unpack the archive in the pod. The command knows its size, for exec has no way to say that it is the end."""
        size = archive.seek(0, 2)
        archive.seek(0)
        unpack = f"head -c {size} | tar -xz -C {WORK} && touch {WORK}/files/complete"
        with (
            self._there(),
            self._client.exec(self._namespace, self._pod_name(), "files", ["sh", "-c", unpack]) as channel,
        ):
            while chunk := archive.read(_CHUNK):
                deadline.check()
                channel.write_stdin(chunk)
            while channel.is_open():
                deadline.check()
                channel.update(timeout=_LOOK_SECONDS)
            if channel.returncode:
                raise BuildPutOffError(f"the app's files did not arrive in the cluster: {channel.read_stderr()}")

    def _pod_name(self) -> str:
        if not (pod := self.pod()):
            raise self._gone()
        return str(pod["metadata"]["name"])

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Say that the pod is gone when Kubernetes answers 404: it was there a moment ago."""
        try:
            yield
        except ApiError as error:
            raise self._gone() if error.status == 404 else error from None

    def _gone(self) -> BuildPutOffError:
        return BuildPutOffError(f"the pod of the build {self._name} is gone: it was evicted, or somebody deleted it")

    def _list(self) -> list[Object]:
        return self._client.list(self._pods, f"job-name={self._name}")
