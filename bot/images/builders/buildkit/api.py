"""The few calls to Kubernetes' API that a build needs, with plain dictionaries as answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from bot.images.builders.buildkit.job import WORK, Cluster
from bot.images.builders.interface import BuildPutOffError
from bot.images.builders.process import Watch, shown
from bot.limits import KUBERNETES_SECONDS

_LOOK_SECONDS = 0.5
_CHUNK = 2**16


class Api:
    """For one build, or one probe."""

    def __init__(self, cluster: Cluster) -> None:
        """To be made, and used, within `answers`."""
        import kubernetes  # slow to import, and few need it

        self._kubernetes = kubernetes
        self._namespace = cluster.namespace
        configuration = kubernetes.client.Configuration()
        try:
            if cluster.kubeconfig or cluster.context:
                raise kubernetes.config.ConfigException  # a file was asked for
            kubernetes.config.load_incluster_config(configuration)
        except kubernetes.config.ConfigException:
            kubernetes.config.load_kube_config(cluster.kubeconfig, cluster.context, configuration)
        configuration.retries = False  # a build is put off instead
        self._configuration = configuration
        self._client = kubernetes.client.ApiClient(configuration)
        self._pods = kubernetes.client.CoreV1Api(self._client)
        self._jobs = kubernetes.client.BatchV1Api(self._client)
        self._seconds = {"_request_timeout": KUBERNETES_SECONDS}

    def version(self) -> str:
        return str(self._kubernetes.client.VersionApi(self._client).get_code(**self._seconds).git_version)

    def may(self, verb: str, resource: str) -> bool:
        name, _, sub = resource.partition("/")
        asked = {"namespace": self._namespace, "verb": verb, "resource": name, "subresource": sub}
        asked["group"] = "batch" if name == "jobs" else ""
        review = {"spec": {"resourceAttributes": asked}}
        api = self._kubernetes.client.AuthorizationV1Api(self._client)
        return bool(api.create_self_subject_access_review(review, **self._seconds).status.allowed)

    def create(self, manifest: dict[str, Any]) -> None:
        self._jobs.create_namespaced_job(self._namespace, manifest, **self._seconds)

    def delete(self, name: str) -> None:
        options = {"propagation_policy": "Background", "grace_period_seconds": 0}
        self._jobs.delete_namespaced_job(name, self._namespace, **options, **self._seconds)
        for pod in self._listed(name):
            self._pods.delete_namespaced_pod(pod.metadata.name, self._namespace, grace_period_seconds=0)

    def pod(self, name: str) -> dict[str, Any]:
        """The Job's only pod; empty as long as there is none. Raises BuildPutOffError when the Job failed without."""
        pods = self._listed(name)
        if pods:
            return dict(self._client.sanitize_for_serialization(pods[0]))
        ended = self._jobs.read_namespaced_job(name, self._namespace, **self._seconds).status
        for condition in ended.conditions or []:
            if condition.type == "Failed" and condition.status == "True":
                raise BuildPutOffError(f"the cluster ended the build: {condition.message or condition.reason}")
        return {}

    def log(self, name: str, put: Callable[[str | None], None]) -> None:
        """Each line as it comes, then None; also when the connection or the pod is gone."""
        try:
            answer = self._pods.read_namespaced_pod_log(
                self._pod_name(name), self._namespace, container="buildkit", follow=True, _preload_content=False
            )
            for line in answer:
                put(shown(line.rstrip(b"\r\n")))
        except Exception as error:  # noqa: BLE001 - whatever it is, the pod's state tells how the build ended
            put(f"the log of the build ends here: {error}")
        finally:
            put(None)

    def send(self, name: str, archive: IO[bytes], watch: Watch) -> None:
        """Unpack the archive in the pod. The command knows its size, for exec has no way to tell that it is the end."""
        size = archive.seek(0, 2)
        archive.seek(0)
        unpack = f"head -c {size} | tar -xz -C {WORK} && touch {WORK}/files/complete"
        connect = self._kubernetes.stream.stream
        # A client of its own: `stream` changes the one that it is given while it works.
        pods = self._kubernetes.client.CoreV1Api(self._kubernetes.client.ApiClient(self._configuration))
        asked = {"container": "files", "command": ["sh", "-c", unpack], "stdin": True, "stdout": True, "stderr": True}
        channel = connect(
            pods.connect_get_namespaced_pod_exec, self._pod_name(name), self._namespace, **asked, _preload_content=False
        )
        try:
            while chunk := archive.read(_CHUNK):
                watch.check()
                channel.write_stdin(chunk)
            while channel.is_open():
                watch.check()
                channel.update(timeout=_LOOK_SECONDS)
            if channel.returncode:
                raise BuildPutOffError(f"the app's files did not arrive in the cluster: {channel.read_stderr()}")
        finally:
            channel.close()

    def _pod_name(self, job_name: str) -> str:
        pods = self._listed(job_name)
        if not pods:
            raise BuildPutOffError("the pod of the build is gone")
        return str(pods[0].metadata.name)

    def _listed(self, job_name: str) -> list[Any]:
        selector = f"job-name={job_name}"
        return list(self._pods.list_namespaced_pod(self._namespace, label_selector=selector, **self._seconds).items)


@contextmanager
def answers(what: str) -> Iterator[None]:
    """The errors of the client's libraries as BuildPutOffError. Raises it for a missing library, too."""
    try:
        import kubernetes
        import urllib3
        from websocket import WebSocketException
    except ImportError:
        raise BuildPutOffError("the Python package kubernetes is not installed") from None
    try:
        yield
    except kubernetes.config.ConfigException as error:
        raise BuildPutOffError(f"no cluster is configured: {error}") from None
    except kubernetes.client.ApiException as error:
        raise BuildPutOffError(f"{what} refused: {error.status} {error.reason}: {_message(error.body)}") from None
    except (urllib3.exceptions.HTTPError, WebSocketException, OSError) as error:
        raise BuildPutOffError(f"{what} does not answer: {error}") from None


def _message(body: object) -> str:
    try:
        return str(json.loads(str(body))["message"])
    except (ValueError, KeyError, TypeError):
        return str(body)[:200]
