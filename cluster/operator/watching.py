"""Watches runs, pods of pools, and pools by kopf, which does nothing else here: no handler state, no finalizers.

When the watch begins anew it does not tell what was deleted meanwhile, so the operator lists as well.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import kopf

from cluster.operator.model import GROUP, PLURAL, VERSION
from cluster.operator.seen_objects import PODS, POOLS, RUNS, SeenObjects
from cluster.operator.state import COMPONENT, DATABASE, POOL, WORKER


async def watch(namespace: str, objects: SeenObjects, wake: Callable[[], None], stop: asyncio.Event) -> None:
    """Show `objects` each change in a namespace, and call `wake`, until `stop`."""
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    # Else it warns at each start that it takes no signals in this thread, as it should not.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    settings.scanning.disabled = True  # with a Role of one namespace it would be refused for ever
    settings.posting.enabled = False
    settings.watching.server_timeout = 20
    settings.watching.inactivity_timeout = 30
    settings.process.ultimate_exiting_timeout = None  # it would kill this process, without a word, when a watch breaks
    labels: Mapping[str, Any] = {COMPONENT: _is_of_pools, POOL: kopf.PRESENT}
    kopf.on.login(registry=registry)(_login)
    for kind, resource, chosen in (
        (RUNS, (GROUP, VERSION, PLURAL), None),
        (PODS, ("", "v1", "pods"), labels),
        (POOLS, ("apps", "v1", "deployments"), labels),
    ):

        def show(event: Mapping[str, Any], kind: str = kind, **_: object) -> None:
            found = event["object"]
            if event.get("type") == "DELETED":
                objects.forget(kind, found["metadata"]["uid"])
            else:
                objects.see(kind, found)
            wake()

        kopf.on.event(*resource, id=kind, labels=chosen, registry=registry)(show)
    await kopf.operator(
        registry=registry, settings=settings, namespaces=[namespace], standalone=True, stop_flag=stop, clusterwide=False
    )


def _is_of_pools(value: str | None, **_: object) -> bool:
    return value in (WORKER, DATABASE)


def _login(**given: Any) -> Any:
    """Return how the API server is reached: as this pod's account, or as KUBECONFIG says."""
    return kopf.login_with_service_account(**given) or kopf.login_with_kubeconfig(**given)
