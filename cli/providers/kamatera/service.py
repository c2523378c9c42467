"""A cluster of Kamatera's Kubernetes service (beta): RKE2 on servers of one's account, which their service sets up.

It logs in to those servers itself, so it wants a private ssh key: it gets one that is made for this cluster only. Its
calls may be repeated: what is there already stays. It has no call that deletes: the servers and the network go one by
one, by the names that it gives them (`lib/node.py`: NAME-POOL-NUMBER-XXXXXXX).
"""

import json
import re
import time
from dataclasses import dataclass
from typing import Any

from cli.errors import InputError
from cli.providers.kamatera.choices import KamateraChoices
from cli.providers.kamatera.client import (
    KamateraClient,
    KamateraRefusedError,
    NetworkAtKamatera,
    ServerAtKamatera,
    ServiceTask,
)
from cli.providers.kamatera.limits import SERVICE_SECONDS, TASK_POLL_SECONDS, TASK_SECONDS
from cli.providers.kamatera.record import ClusterRecord, RecordFolder
from cli.providers.kamatera.server import API_PORT, CONSOLE, IMAGE, price_line, terminate
from cli.providers.kubeconfig_file import own_entries
from cli.providers.provider import ClusterState

_POOL = "workers"
_SUBNET = {"subnetIp": "172.16.0.0", "subnetBit": 23, "gateway": "", "dns1": "", "dns2": ""}  # as their example has it
_REMOVE = "dppctl init kamatera --remove"


@dataclass(frozen=True)
class ServiceObserved:
    """What this machine and Kamatera say of the cluster."""

    record: ClusterRecord | None
    task: ServiceTask | None
    servers: list[ServerAtKamatera]


class KamateraService:
    """The cluster that the choices name: a control plane and one worker."""

    def __init__(self, choices: KamateraChoices, client: KamateraClient) -> None:
        self._choices, self._client = choices, client
        self._folder = RecordFolder(choices.name)

    def observe(self) -> ServiceObserved:
        """Ask Kamatera. Raises InputError and KamateraAwayError."""
        record = self._folder.read()
        task = self._client.task(record.command) if record and record.command and not record.was_ready else None
        return ServiceObserved(record, task, self._servers())

    def state(self) -> ClusterState:
        """Return how far it is. Raises InputError and KamateraAwayError."""
        return decide_service(self._choices.name, self.observe(), time.time())

    def create(self) -> str:
        """Make a private network, and ask for the cluster. Raises InputError."""
        name = self._choices.name
        record, keys = self._folder.begin("k8s", self._choices.datacenter)
        try:
            network = self._network() or self._new_network()
            configuration = self._configuration(network.names[0], keys.private, keys.public)
            task = self._client.start_task("create_cluster", configuration)
        except KamateraRefusedError:
            if not self._servers() and not self._network():
                self._folder.forget()  # nothing was begun
            raise
        self._folder.change(record, command=task)
        return f"make the cluster {name} by Kamatera's Kubernetes service (beta), task {task}"

    def entries(self, context: str) -> dict[str, Any]:
        """Return the entries of a kubeconfig file for it. Raises InputError when it is not ready."""
        record, network = self._folder.read(), self._network()
        if record is None or network is None:
            raise InputError(
                f"the cluster {self._choices.name} was not made from this machine, or is not there any more"
            )
        text = self._result("kubeconfig", self._configuration(network.names[0], *self._folder.keys()))
        plane = next((each for each in self._servers() if "-controlplane-" in each.name and each.address), None)
        if plane is None:
            raise InputError(f"the cluster {self._choices.name} has no server for its control plane at Kamatera")
        return own_entries(text, f"https://{plane.address}:{API_PORT}", context)

    def prices(self) -> str:
        """Return what Kamatera says that its servers cost; "": it does not say."""
        return price_line(self._servers())

    def remove(self, *, dry_run: bool) -> list[str]:
        """Terminate the servers, delete the network, forget the keys. Raises InputError."""
        record, servers = self._folder.read(), self._servers()
        if record is None:
            names = ", ".join(server.name for server in servers)
            return (
                [f"leave at Kamatera, as it was not made from here: {names}; {CONSOLE} removes it"] if servers else []
            )
        lines = []
        for server in servers:
            if not dry_run:
                terminate(self._client, server)
            lines.append(f"terminate the server {server.name} at Kamatera")
        network = self._network()
        if network:
            if not dry_run:
                self._delete_network(network)
            lines.append(f"delete the network {network.names[0]}")
        if not dry_run:
            self._folder.forget()
        return [*lines, f"forget the ssh keys of {self._choices.name}"]

    @property
    def _datacenter(self) -> str:
        """Return where it was asked for, whatever a flag says now."""
        record = self._folder.read()
        return record.datacenter if record else self._choices.datacenter

    def _configuration(self, network: str, private: str, public: str) -> str:
        """Return the cluster's configuration, as JSON, which is YAML as well.

        Their service reads a pool's sizes beside `nodes` (`lib/node.py`), their page has them in `node-config`.
        """
        choices = self._choices
        size = {
            "image": IMAGE,
            "cpu": choices.cpu,
            "ram": choices.ram,
            "disk": f"size={choices.disk}",
            "billingcycle": "hourly",
        }
        pools = {name: {"nodes": 1, "node-config": size, **size} for name in ("controlplane", _POOL)}
        cluster = {
            "name": choices.name,
            "datacenter": self._datacenter,
            "ssh-key": {"private": private, "public": public},
            "private-network": {"name": network},
        }
        return json.dumps({"cluster": cluster, "node-pools": pools})

    def _servers(self) -> list[ServerAtKamatera]:
        return self._client.servers(f"{re.escape(self._choices.name)}-(controlplane|{_POOL})-[0-9]+-.*")

    def _network(self) -> NetworkAtKamatera | None:
        pattern = re.compile(rf"lan-[0-9]+-{re.escape(self._choices.name)}")
        found = self._client.networks(self._datacenter)
        return next((each for each in found if each.names and pattern.fullmatch(each.names[0])), None)

    def _new_network(self) -> NetworkAtKamatera:
        body = {"datacenter": self._choices.datacenter, "name": self._choices.name, "subnetDescription": "dppctl"}
        self._client.change_network("create", body | _SUBNET)
        if (made := self._network()) is None:
            raise InputError(f"Kamatera made the network {self._choices.name} and does not list it; run it once more")
        return made

    def _delete_network(self, network: NetworkAtKamatera) -> None:
        datacenter = self._datacenter
        for subnet in self._client.subnets(datacenter, network.vlan_id):
            self._client.change_network("subnet/delete", {"subnetId": subnet.subnet_id})
        self._client.change_network("delete", {"datacenter": datacenter, "id": int(network.ids[0])})

    def _result(self, what: str, configuration: str) -> str:
        """Return what a task that only reads finds. Raises InputError."""
        task, end = self._client.start_task(what, configuration), time.monotonic() + TASK_SECONDS
        while (found := self._client.task(task)).state == "PENDING" and time.monotonic() < end:
            time.sleep(TASK_POLL_SECONDS)
        if found.state != "SUCCESS":
            said = " ".join(str(found.error or "it does not end").split())[:300]
            raise InputError(f"Kamatera's Kubernetes service does not give the {what}: {said}; run it once more")
        return str(found.result)


def decide_service(name: str, observed: ServiceObserved, now: float) -> ClusterState:
    """Return how far the cluster is; pure. `now`: seconds since 1970."""
    record, task, servers = observed.record, observed.task, observed.servers
    if record is None:
        if not servers:
            return ClusterState("missing", f"there is no cluster {name} at Kamatera")
        return ClusterState(
            "failed",
            f"servers of a cluster {name} are at Kamatera already, and its key is not on this machine; choose another "
            f"--kamatera-name, or remove them at {CONSOLE}",
        )
    if record.was_ready:
        if any("-controlplane-" in server.name for server in servers):
            return ClusterState("ready", f"the cluster {name} is there")
        return ClusterState("missing", f"the cluster {name} is not at Kamatera any more")
    if task is None:
        return ClusterState("missing", f"the cluster {name} has not been asked for yet")
    if task.state == "SUCCESS":
        return ClusterState("ready", f"the cluster {name} is there")
    if task.state == "FAILURE":
        said = " ".join(str(task.error or "it does not say why").split())[:300]
        return ClusterState("failed", f"Kamatera could not make the cluster {name}: {said}; {_REMOVE}, then begin anew")
    if now - record.begun < SERVICE_SECONDS:
        return ClusterState("starting", f"Waiting for Kamatera cluster initialization: {len(servers)} of 2 servers")
    minutes = f"{SERVICE_SECONDS / 60:.0f} minutes"
    return ClusterState("failed", f"the cluster {name} is not there after {minutes}; {_REMOVE}, then begin anew")
