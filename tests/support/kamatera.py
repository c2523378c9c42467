"""A small stand-in for Kamatera's API, with the routes and fields that their published clients read and send.

Each route names where it is read; `cli.providers.kamatera` says which repositories those are. A server that it makes
has a real sshd, when a test gives it a folder: with the host key that the script brings, and open to the key that was
sent. What the script would have left there, the test writes.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.serving import WSGIRequestHandler, make_server

ACCOUNT, SECRET = "4f1c0ffee", "s3same-0pen"
# terraform-provider-kamatera, kamatera/dto.go: createServerPostValues
_CREATE = {
    *("name", "password", "passwordValidate", "ssh-key", "datacenter", "image", "cpu", "ram", "disk", "dailybackup"),
    *("managed", "network", "quantity", "billingcycle", "monthlypackage", "poweronaftercreate", "script-file"),
}
_HOST_KEY = re.compile(r"ssh_host_ed25519_key 600 <<'KEY'; then\n(.*?)\nKEY\n", re.DOTALL)


@dataclass
class FakeKamatera:
    """What is at Kamatera; tests change it."""

    folder: Path | None = None  # of the sshd of its server
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id
    commands: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the queue
    networks: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # what changes something
    refuses: list[tuple[int, Any]] = field(default_factory=list)  # status and body of the next answers
    suffix: str = ""  # of the names that Kamatera gives to servers
    at_once: bool = False  # commands and tasks are complete when they are asked for

    def finish(self, status: str = "complete", log: str = "") -> None:
        """What waits in the queue is done, well or not; a server that was made is there then."""
        for command in self.commands.values():
            if command["status"] == "progress":
                command |= {"status": status, "log": log}
                if status == "complete":
                    self._apply(command)

    def _apply(self, command: dict[str, Any]) -> None:
        made, gone = command.pop("makes", None), command.pop("ends", None)
        if made:  # terraform-provider-kamatera, kamatera/resource_server.go: resourceServerCreate
            command["log"] += f"Server created\nName: {made['name']}{self.suffix}\n"
        if gone:
            self.servers.pop(gone, None)
        if made:
            self.add_server(made["name"] + self.suffix, made["datacenter"])
            if self.folder:  # as the server's first start does
                found = _HOST_KEY.search(made["script-file"])
                assert found, "the script brings a host key"
                (self.folder / "host_key").touch(0o600)
                (self.folder / "host_key").write_text(found[1] + "\n")
                (self.folder / "authorized_keys").write_text(made["ssh-key"] + "\n")

    def add_server(self, name: str, datacenter: str = "EU", power: str = "on") -> None:
        """As kamateratoolbox, tests/cloudcli_server/test_server_info.py, has its fields."""
        identity = f"6f9619ff-8b86-d011-b42d-{len(self.commands):012d}{len(self.servers)}"
        self.servers[identity] = {
            "id": identity,
            "datacenter": datacenter,
            "cpu": "2B",
            "name": name,
            "ram": 4096,
            "power": power,
            "diskSizes": [40],
            "billing": "hourly",
            "traffic": "t5000",
            "managed": "0",
            "backup": "0",
            "networks": [{"network": f"wan-{datacenter.lower()}", "ips": ["127.0.0.1"]}],
            "priceMonthlyOn": "12.00",
            "priceHourlyOn": "0.017",
            "priceHourlyOff": "0.007",
        }

    def command(self, info: str, name: str, **effect: Any) -> list[str]:
        identity = str(9000 + len(self.commands))
        self.commands[identity] = {"commandInfo": info, "serviceName": name, "status": "progress", "log": "", **effect}
        if self.at_once:
            self.finish()
        return [identity]

    def task(self, result: Any) -> dict[str, str]:
        identity = f"task-{len(self.tasks)}"
        state = "SUCCESS" if self.at_once else "PENDING"
        # cloudcli-server-kubernetes, common.py: get_task_status
        self.tasks[identity] = {"task_name": None, "state": state, "result": result, "error": None, "meta": {}}
        return {"task_id": identity}


def create_app(kamatera: FakeKamatera) -> Flask:
    """Return the API."""
    app = Flask("kamatera")

    @app.before_request
    def check() -> ResponseReturnValue | None:
        if kamatera.refuses:
            status, body = kamatera.refuses.pop(0)
            return (body if isinstance(body, str) else jsonify(body)), status
        # terraform-provider-kamatera, kamatera/request.go
        if (request.headers.get("AuthClientId"), request.headers.get("AuthSecret")) != (ACCOUNT, SECRET):
            return jsonify(message="Authentication failed"), 401
        if request.method == "POST":
            body = request.get_json() if request.is_json else request.form.to_dict()
            if not request.path.endswith(("/info", "/task_status")):
                kamatera.asked.append((request.path, body))
        return None

    _add_servers(app, kamatera)
    _add_networks(app, kamatera)
    _add_service(app, kamatera)
    return app


def _add_servers(app: Flask, kamatera: FakeKamatera) -> None:
    """Servers, and the queue of what is done with them."""

    @app.get("/service/server")
    def options() -> ResponseReturnValue:
        assert request.args["datacenter"] == "1"  # terraform-provider-kamatera, kamatera/data_source_datacenter.go
        towns = {"EU": ("The Netherlands", "Amsterdam"), "IL": ("Israel", "Rosh Haayin")}
        return jsonify([{"id": key, "name": name, "subCategory": town} for key, (name, town) in towns.items()])

    @app.post("/service/server")
    def create() -> ResponseReturnValue:
        wish = request.get_json()
        assert set(wish) == _CREATE
        assert wish["ssh-key"], "a password may be empty with an ssh key only"
        # kamateratoolbox, tests/cloudcli_server/test_server_create_terminate.py
        return jsonify(kamatera.command("Create Server", wish["name"], makes=wish))

    @app.get("/service/queue")
    def detail() -> ResponseReturnValue:
        found = kamatera.commands.get(request.args["id"])  # terraform-provider-kamatera: waitCommand
        return jsonify(
            [{"id": int(request.args["id"]), "status": found["status"], "log": found["log"]}] if found else []
        )

    @app.get("/svc/queue")
    def queue() -> ResponseReturnValue:
        # cloudcli-server-kubernetes, lib/cloudcli.py: find_server_command_in_queue
        names = ("commandInfo", "serviceName")
        return jsonify([{"id": int(key)} | {n: row[n] for n in names} for key, row in kamatera.commands.items()])

    @app.post("/service/server/info")
    def info() -> ResponseReturnValue:
        asked = request.get_json()
        found = [each for each in kamatera.servers.values() if re.fullmatch(asked["name"], each["name"])]
        if not found and asked.get("allow-no-servers") != "yes":
            return jsonify(message=f"No servers found (name='{asked['name']}')"), 500
        return jsonify(found)

    @app.post("/service/server/terminate")
    def terminate() -> ResponseReturnValue:
        asked = request.get_json()  # terraform-provider-kamatera: powerOperationServerPostValues
        assert asked["force"] is True
        return jsonify(kamatera.command("Terminate Server", kamatera.servers[asked["id"]]["name"], ends=asked["id"]))


def _add_networks(app: Flask, kamatera: FakeKamatera) -> None:
    """As kamateratoolbox, tests/cloudcli_server/test_networks.py."""

    @app.get("/service/networks")
    def networks() -> ResponseReturnValue:
        return jsonify([each for each in kamatera.networks if each["datacenter"] == request.args["datacenter"]])

    @app.post("/service/network/create")
    def create_network() -> ResponseReturnValue:
        wish = request.get_json()
        name = f"lan-82145-{wish['name']}"
        kamatera.networks.append({"datacenter": wish["datacenter"], "ids": [7], "names": [name], "vlanId": 77})
        return jsonify(message="Network created successfully", res=json.dumps({"networkId": 7, "subnetId": 70}))

    @app.get("/service/network/subnets")
    def subnets() -> ResponseReturnValue:
        assert request.args["vlanId"] == "77"
        return jsonify([{"subnetId": 70, "subnetDescription": "dppctl"}])

    @app.post("/service/network/subnet/delete")
    def delete_subnet() -> ResponseReturnValue:
        assert request.get_json() == {"subnetId": 70}
        return jsonify(message="Subnet deleted successfully", res="[]")

    @app.post("/service/network/delete")
    def delete_network() -> ResponseReturnValue:
        kamatera.networks = [each for each in kamatera.networks if each["ids"] != [request.get_json()["id"]]]
        return jsonify(message="Network deleted successfully", res="[]")


def _add_service(app: Flask, kamatera: FakeKamatera) -> None:
    """As cloudcli-server-kubernetes, web.py: forms with `kconfig`, which lib/cnf.py checks."""

    @app.post("/k8s/create_cluster")
    def create_cluster() -> ResponseReturnValue:
        wish = json.loads(request.form["kconfig"])
        cluster = wish["cluster"]
        assert cluster["ssh-key"]["private"]
        assert cluster["private-network"]["name"] in [name for each in kamatera.networks for name in each["names"]]
        for name, pool in wish["node-pools"].items():
            for number in range(1, pool["nodes"] + 1):
                kamatera.add_server(f"{cluster['name']}-{name}-{number}-09Ur8HM", cluster["datacenter"])
        return jsonify(kamatera.task([{"message": "Server Created Successfully"}]))

    @app.post("/k8s/kubeconfig")
    def kubeconfig() -> ResponseReturnValue:
        assert kamatera.folder
        return jsonify(kamatera.task((kamatera.folder / "kubeconfig").read_text()))

    @app.post("/k8s/task_status")
    def task_status() -> ResponseReturnValue:
        return jsonify({"task_id": request.form["task_id"], **kamatera.tasks[request.form["task_id"]]})


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Nothing."""


@contextmanager
def serving_kamatera(kamatera: FakeKamatera) -> Iterator[str]:
    """Its URL."""
    server = make_server("127.0.0.1", 0, create_app(kamatera), threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
