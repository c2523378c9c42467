"""The Kubernetes Job of one build: rootless BuildKit, started for it and gone with it. Pure.

The app's files come through `exec` into the init container, which waits for them: a ConfigMap holds 1 MB, a volume or a
bucket would have to be there first, and cloning in the cluster would need a token there. Nobody but the bot can reach
the pod, and what it got is gone with it.

The options are those of https://github.com/moby/buildkit/blob/master/docs/rootless.md and of
https://github.com/moby/buildkit/blob/master/examples/kubernetes/job.rootless.yaml. Without a process sandbox, which
needs more rights than a pod should have, a RUN can read what BuildKit in the same pod can: so the login there should be
allowed to push to the apps' repositories and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.images.builders.interface import Order

WORK = "/work"
_USER = 1000  # the image's: https://github.com/moby/buildkit/blob/master/Dockerfile
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_WAIT = f"until [ -e {WORK}/files/complete ]; do sleep 0.2; done"
# The digest travels as the termination message, which outlives the container and needs no rights to read but the pod's:
# https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
_BUILD = f"""\
buildctl-daemonless.sh "$@" --metadata-file {WORK}/files/metadata.json || exit
grep -o '"containerimage.digest": *"sha256:[0-9a-f]*"' {WORK}/files/metadata.json > /dev/termination-log
"""


@dataclass(frozen=True)
class Cluster:
    """Where and how builds run. `auth_secret`: of type kubernetes.io/dockerconfigjson, in the same namespace.

    `kubeconfig`: a file; without one, the pod's own account, or what KUBECONFIG says. `context`: of that file.
    """

    namespace: str = "dppctl-builds"
    image: str = "moby/buildkit:v0.31.1-rootless"
    auth_secret: str | None = None
    requests: Mapping[str, str] = field(default_factory=lambda: {"cpu": "500m", "memory": "512Mi"})
    limits: Mapping[str, str] = field(default_factory=lambda: {"memory": "4Gi"})
    disk: str = "20Gi"
    kubeconfig: str | None = None
    context: str | None = None


def job(
    order: Order,
    cluster: Cluster,
    name: str,
    seconds: float,
    plain_http: frozenset[str],
    *,
    configured: bool = False,
) -> dict[str, Any]:
    """Return the manifest of the Job `name`. `seconds`: after so many, Kubernetes itself ends it.

    `configured`: `daemon_config` has something to say, besides `plain_http`.
    """
    mounts = [
        {"name": "files", "mountPath": f"{WORK}/files"},
        {"name": "secrets", "mountPath": f"{WORK}/secrets"},
    ]
    state = {"name": "state", "mountPath": "/home/user/.local/share/buildkit"}
    volumes: list[dict[str, Any]] = [
        {"name": "files", "emptyDir": {"sizeLimit": cluster.disk}},
        {"name": "secrets", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        {"name": "state", "emptyDir": {"sizeLimit": cluster.disk}},
    ]
    environment = [{"name": "BUILDKITD_FLAGS", "value": " ".join(_daemon(configured or bool(plain_http)))}]
    if cluster.auth_secret:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        volumes.append({"name": "login", "secret": {"secretName": cluster.auth_secret, "items": items}})
        state_mounts = [*mounts, state, {"name": "login", "mountPath": "/login", "readOnly": True}]
        environment.append({"name": "DOCKER_CONFIG", "value": "/login"})
    else:
        state_mounts = [*mounts, state]
    labels = {"app.kubernetes.io/name": "dppctl-build", "app.kubernetes.io/managed-by": "dppctl"}
    resources = {"requests": dict(cluster.requests), "limits": dict(cluster.limits)}
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER, "runAsNonRoot": True},
        "initContainers": [
            {
                "name": "files",
                "image": cluster.image,
                "command": ["sh", "-c", _WAIT],
                "resources": resources,
                "volumeMounts": mounts,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
        "containers": [
            {
                "name": "buildkit",
                "image": cluster.image,
                "command": ["sh", "-c", _BUILD, "sh"],
                "args": arguments(order, plain_http),
                "env": environment,
                "resources": resources,
                "volumeMounts": state_mounts,
                "securityContext": {"seccompProfile": {"type": "Unconfined"}},
            }
        ],
        "volumes": volumes,
    }
    # The annotation, not the field of 1.30, for it works before and after.
    annotations = {"container.apparmor.security.beta.kubernetes.io/buildkit": "unconfined"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": cluster.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": max(1, int(seconds)),
            "ttlSecondsAfterFinished": 600,
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod},
        },
    }


def arguments(order: Order, plain_http: frozenset[str]) -> list[str]:
    """Return the arguments of `buildctl build`: https://github.com/moby/buildkit/blob/master/docs/reference/buildctl.md."""
    insecure = ",registry.insecure=true" if insecure_host(order.destination, plain_http) else ""
    cache = f"type=registry,ref={order.destination.rpartition(':')[0]}:buildcache{insecure}"
    options = ["build", "--progress=plain", "--frontend=dockerfile.v0"]
    options += [f"--local=context={WORK}/files/context", f"--local=dockerfile={WORK}/files/dockerfile"]
    options += [f"--output=type=image,name={order.destination},push=true{insecure}"]
    options += ["--no-cache"] if order.rebuild or order.secrets else [f"--import-cache={cache}"]
    if not order.secrets:  # their layers are kept nowhere
        options += [f"--export-cache={cache},mode=max,ignore-error=true"]
    options += [f"--source-policy-file={WORK}/files/source-policy.json"] if order.logins is not None else []
    options += [f"--opt=target={order.target}"] if order.target else []
    options += [f"--opt=build-arg:{name}={value}" for name, value in order.arguments.items()]
    options += [f"--opt=label:{name}={value}" for name, value in order.labels.items()]
    options += [f"--secret=id={name},src={WORK}/secrets/{name}" for name in order.secrets]
    return options


def insecure_host(name: str, plain_http: frozenset[str]) -> bool:
    """Tell whether an image's registry is spoken to without TLS."""
    host = name.partition("/")[0]
    return host in plain_http or host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK


def daemon_config(plain_http: frozenset[str], with_ca: str | None = None) -> str:
    """Return how base images are pulled, as https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md says.

    `with_ca`: the registry that is known by the authorities in files/registry-ca.pem.
    """
    plain = "".join(f'[registry."{host}"]\nhttp = true\n' for host in sorted(plain_http))
    return plain + (f'[registry."{with_ca}"]\nca = ["{WORK}/files/registry-ca.pem"]\n' if with_ca else "")


def _daemon(configured: bool) -> list[str]:
    config = [f"--config={WORK}/files/buildkitd.toml"] if configured else []
    return ["--oci-worker-no-process-sandbox", *config]
