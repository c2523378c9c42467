"""A server at Kamatera that is a cluster of one node: what it is now, and how it is made and removed."""

import re
import time
from dataclasses import dataclass
from typing import Any

from cli.errors import InputError
from cli.providers.kamatera.choices import KamateraChoices
from cli.providers.kamatera.client import KamateraClient, KamateraRefusedError, QueuedCommand, ServerAtKamatera
from cli.providers.kamatera.limits import (
    QUEUE_SECONDS,
    SERVER_SECONDS,
    TERMINATE_POLL_SECONDS,
    TERMINATE_SECONDS,
)
from cli.providers.kamatera.record import ClusterRecord, RecordFolder
from cli.providers.kamatera.script import install_script
from cli.providers.kamatera.ssh import ScriptState, read_script_state
from cli.providers.kubeconfig_file import own_entries
from cli.providers.provider import ClusterState

IMAGE = "ubuntu_server_24.04_64-bit"  # of their Kubernetes nodes; k3s supports it
CONSOLE = "https://console.kamatera.com"
API_PORT = 6443  # of Kubernetes, as k3s and RKE2 have it
_REMOVE = "dppctl init kamatera --remove"


@dataclass(frozen=True)
class ServerObserved:
    """What this machine and Kamatera say of the server."""

    record: ClusterRecord | None
    command: QueuedCommand | None  # that makes it; None: not known
    server: ServerAtKamatera | None
    script: ScriptState | None  # None: the machine was not asked


class KamateraServer:
    """The server that the choices name."""

    def __init__(self, choices: KamateraChoices, client: KamateraClient) -> None:
        self._choices, self._client = choices, client
        self._folder = RecordFolder(choices.name)

    def observe(self) -> ServerObserved:
        """Ask Kamatera, and the machine when there is one. Raises InputError and KamateraAwayError."""
        record, server = self._folder.read(), self._server()
        command = script = None
        if record and not record.command and not server:
            record = self._find_command(record)
        if record and record.command and not record.was_ready:
            command = self._client.command(record.command)
            if (named := given_name(command)) and named != (record.server or self._choices.name):
                record = self._folder.change(record, server=named)
                server = self._server()
        if record and not record.was_ready and server and server.power == "on" and server.address:
            script = read_script_state(server.address, self._folder)
        return ServerObserved(record, command, server, script)

    def state(self) -> ClusterState:
        """Return how far it is. Raises InputError and KamateraAwayError."""
        return decide(self._choices.name, self.observe(), time.time())

    def create(self) -> str:
        """Ask Kamatera for the server, with a script that makes it a cluster. Raises InputError."""
        choices = self._choices
        record, keys = self._folder.begin("k3s", choices.datacenter)
        wish = {
            "name": choices.name,
            "password": "",  # with an ssh key and no password it gets one that nobody knows
            "passwordValidate": "",
            "ssh-key": keys.public,
            "datacenter": choices.datacenter,
            "image": IMAGE,
            "cpu": choices.cpu,
            "ram": choices.ram,
            "disk": f"size={choices.disk}",
            "dailybackup": "no",
            "managed": "no",
            "network": "name=wan,ip=auto",
            "quantity": 1,
            "billingcycle": "hourly",
            "monthlypackage": "",
            "poweronaftercreate": "yes",
            "script-file": install_script(keys),
        }
        try:
            command = self._client.create_server(wish)
        except KamateraRefusedError:
            self._folder.forget()  # nothing was begun
            raise
        self._folder.change(record, command=command)
        return f"make the server {choices.name} at Kamatera ({choices}), command {command}"

    def entries(self, context: str) -> dict[str, Any]:
        """Return the entries of a kubeconfig file for it. Raises InputError when it is not ready."""
        observed = self.observe()
        record, server = observed.record, observed.server
        if record is None or server is None:
            raise InputError(decide(self._choices.name, observed, time.time()).line)
        script = observed.script or read_script_state(server.address, self._folder)
        if script.line != "ready":
            raise InputError(_state_of_script(self._choices.name, script, record, time.time()).line)
        return own_entries(script.kubeconfig, f"https://{server.address}:{API_PORT}", context)

    def prices(self) -> str:
        """Return what Kamatera says that the server costs; "": it does not say."""
        server = self._server()
        return price_line([server] if server else [])

    def remove(self, *, dry_run: bool) -> list[str]:
        """Terminate the server that this machine asked for, and forget its keys. Raises InputError."""
        record, server = self._folder.read(), self._server()
        if record is None:
            if server is None:
                return []
            return [f"leave the server {server.name} at Kamatera: it was not made from here; {CONSOLE} removes it"]
        lines = []
        if server:
            if not dry_run:
                terminate(self._client, server)
            lines.append(f"terminate the server {server.name} at Kamatera")
        if not dry_run:
            self._folder.forget()
        return [*lines, f"forget the ssh keys of {self._choices.name}"]

    def _server(self) -> ServerAtKamatera | None:
        record = self._folder.read()
        found = self._client.servers(re.escape((record.server if record else "") or self._choices.name))
        return found[0] if found else None

    def _find_command(self, record: ClusterRecord) -> ClusterRecord:
        """Find the command of an init that was killed before it wrote it down."""
        for entry in self._client.queue():
            if entry.command_info == "Create Server" and entry.service_name == self._choices.name:
                return self._folder.change(record, command=entry.id)
        return record


def decide(name: str, observed: ServerObserved, now: float) -> ClusterState:
    """Return how far the server is; pure. `now`: seconds since 1970."""
    record, command, server, script = observed.record, observed.command, observed.server, observed.script
    if record is None:
        if server is None:
            return ClusterState("missing", f"there is no server {name} at Kamatera")
        return ClusterState(
            "failed",
            f"a server {name} is at Kamatera already, and its key is not on this machine; choose another "
            f"--kamatera-name, or remove that server at {CONSOLE}",
        )
    if command and command.status != "complete":
        return _state_of_command(name, command, record, now)
    if server is None:
        if record.was_ready or not record.command:
            return ClusterState("missing", f"the server {name} is not at Kamatera any more")
        if now - record.begun < SERVER_SECONDS:
            return ClusterState("starting", "Waiting for Kamatera cluster initialization: the server is to be listed")
        return ClusterState(
            "failed", f"Kamatera made the server {name}, and does not list it; look at {CONSOLE}, and {_REMOVE}"
        )
    if server.power and server.power != "on":
        return ClusterState("failed", f"the server {name} is {server.power}; turn it on at {CONSOLE}")
    if record.was_ready:
        return ClusterState("ready", f"the server {name} is a cluster")
    return _state_of_script(name, script or ScriptState(unreached="it has no address yet"), record, now)


def _state_of_command(name: str, command: QueuedCommand, record: ClusterRecord, now: float) -> ClusterState:
    """Return how far a command is that is not complete."""
    if command.status == "error":
        said = " ".join((command.log or "").split())[-300:] or "it does not say why"
        return ClusterState("failed", f"Kamatera could not make the server {name}: {said}; {_REMOVE}, then begin anew")
    if now - record.begun < QUEUE_SECONDS:
        return ClusterState("starting", "Waiting for Kamatera cluster initialization")
    what = f"command {record.command} has not ended after {QUEUE_SECONDS / 60:.0f} minutes"
    return ClusterState("failed", f"Kamatera's {what} ({command.status or 'no status'}); {CONSOLE} says more")


def _state_of_script(name: str, script: ScriptState, record: ClusterRecord, now: float) -> ClusterState:
    if script.line == "ready":
        return ClusterState("ready", f"the server {name} is a cluster")
    if script.line.startswith("failed "):
        said = script.line.removeprefix("failed ")
        return ClusterState("failed", f"the server {name} could not become a cluster: {said}; {_REMOVE}, then anew")
    what = script.line or f"not reached by ssh: {script.unreached}"
    if now - record.begun < SERVER_SECONDS:
        return ClusterState("starting", f"Waiting for Kamatera cluster initialization: {what}")
    minutes = f"{SERVER_SECONDS / 60:.0f} minutes"
    return ClusterState("failed", f"the server {name} is no cluster after {minutes} ({what}); {_REMOVE}, then anew")


def given_name(command: QueuedCommand) -> str:
    """Return the name that a server got, as the log of its command has it; "": it does not say. Pure."""
    names = (line.removeprefix("Name: ").strip() for line in (command.log or "").splitlines() if line[:6] == "Name: ")
    return next(names, "")


def terminate(client: KamateraClient, server: ServerAtKamatera) -> None:
    """Have a server end, and wait for it. Raises InputError when it does not, and KamateraAwayError."""
    command, end = client.terminate(server.id), time.monotonic() + TERMINATE_SECONDS
    while True:
        found = client.command(command)
        if found.status == "complete":
            return
        if found.status == "error":
            said = " ".join((found.log or "").split())[-300:]
            raise InputError(f"Kamatera could not terminate the server {server.name}: {said}; {CONSOLE} says more")
        if time.monotonic() > end:
            raise InputError(f"the server {server.name} is still to end (command {command}); {_REMOVE} once more")
        time.sleep(TERMINATE_POLL_SECONDS)


def price_line(servers: list[ServerAtKamatera]) -> str:
    """Return what Kamatera says that servers cost, together; "": it does not say. Pure."""
    try:
        hourly = sum(float(server.price_hourly_on) for server in servers)
        monthly = sum(float(server.price_monthly_on) for server in servers)
    except ValueError:
        return ""
    return f"Kamatera's price: {hourly:g} an hour, {monthly:g} a month" if servers else ""
